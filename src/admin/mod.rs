//! The operators' listener: metrics, health and revocations, never on the public one.

pub mod health;
mod operations;
pub mod server;

pub use health::Health;
pub use server::Admin;
