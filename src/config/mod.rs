//! From a YAML file to settings that each module takes.
//!
//! # Why three forms
//! A [`document`] is what is written, with places. [`Settings`] are valid: making them *is* the validation, there is no
//! other. The snapshot that requests see is built from them, in `app`. All problems are reported at once, each with its
//! place and cure.
//!
//! A key is added in the file of its section (or not at all: what no section asks for is an unknown key), in
//! [`defaults`], and in `config.example.yaml`, which a test holds against both.

mod certificates;
mod clients;
pub mod code;
mod cors;
pub mod defaults;
mod document;
mod duration;
mod endpoints;
mod field;
mod headers;
mod input_file;
mod insecure;
mod interpolate;
mod keys;
mod limits;
mod listen;
pub mod load;
pub mod look;
mod mint;
mod policy;
mod positions;
mod postgres;
pub mod problem;
pub mod profile;
mod rate;
mod reader;
mod redis;
pub mod restart;
mod revocation;
mod secret_source;
mod section;
mod server;
pub mod settings;
mod size;
mod spelling;
mod telemetry;
mod tls;
mod tokens;
mod trusted;
mod trusted_issuers;
mod upstream;
mod users;
mod users_document;
pub mod users_edit;
pub mod users_write;
mod wire;

pub use code::Code;
pub use load::{Loaded, LoadedUsers, load};
pub use problem::{Position, Problem, Problems};
pub use profile::{DIFFERENCES, Difference, Profile, beyond_strict, logs_in};
pub use restart::restart_needed;
pub use settings::{Admin, Insecure, Listen, Policy, Server, Settings, Shutdown, StoreKind, TrustedIssuer};
