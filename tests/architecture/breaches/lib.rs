//! Lists modules.
pub mod keys;
pub mod proxy;
pub mod users;

pub use keys::Key; // forbidden
pub mod inline {} // forbidden
