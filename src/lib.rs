#![doc = include_str!("README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::string_slice,
        clippy::unnecessary_wraps,
        clippy::needless_for_each,
        clippy::cast_possible_truncation,
        reason = "tests may fail loudly, and their helpers take the shape of their tables"
    )
)]

// Floor 0
pub mod base;
// Floor 1
pub mod issuers;
pub mod keys;
pub mod message;
pub mod policy;
pub mod telemetry;
pub mod tokens;
// Floor 2
pub mod revocation;
pub mod users;
// Floor 3
pub mod gate;
pub mod grants;
// Floor 4
pub mod endpoints;
// Floor 5
pub mod admin;
pub mod connection;
pub mod proxy;
// Floor 6
pub mod app;
pub mod config;
// Floor 7
pub mod cli;
