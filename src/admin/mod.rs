//! The operators' listener: metrics and health, never on the public one.

pub mod health;
pub mod server;

pub use health::Health;
pub use server::Admin;
