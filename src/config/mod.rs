//! From a YAML file to settings that each module takes.
//!
//! # Why three forms
//! A [`document`] is what is written, with places. [`Settings`] are valid: making them *is* the validation, there is no
//! other. The snapshot that requests see is built from them, in `app`. All problems are reported at once, each with its
//! place and cure.
//!
//! A key is added in the file of its section (or not at all: what no section asks for is an unknown key), in
//! [`defaults`], and in `config.example.yaml`, which a test holds against both.

pub mod code;
pub mod defaults;
mod document;
mod duration;
mod endpoints;
mod field;
mod input_file;
mod interpolate;
mod keys;
pub mod load;
pub mod look;
mod password_hash;
mod policy;
mod positions;
pub mod problem;
mod reader;
pub mod restart;
mod revocation;
mod secret_source;
mod section;
mod server;
pub mod settings;
mod spelling;
mod telemetry;
mod tokens;
mod upstream;
mod users;
mod users_document;

pub use code::Code;
pub use load::{Loaded, load};
pub use problem::{Position, Problem, Problems};
pub use restart::restart_needed;
pub use settings::{Admin, Listen, Policy, Profile, Server, Settings, Shutdown, StoreKind};
