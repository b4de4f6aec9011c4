//! Putting the parts together and running them.

mod announcing;
pub mod build;
pub mod core;
pub mod data_dir;
pub mod descriptors;
pub mod echo;
mod following;
mod identity;
pub mod listen;
mod operators;
mod publish;
pub mod reload;
pub mod run_loop;
pub mod serve;
pub mod signals;
mod start_error;
mod store;
mod stores;
mod sweeping;
pub mod throttling;
pub mod transfer;
pub mod watch;

pub use build::build;
pub use core::Core;
pub use reload::Reloader;
pub use serve::{Bound, Running};
pub use start_error::StartError;

#[cfg(test)]
mod tests;
