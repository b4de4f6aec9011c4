//! Putting the parts together and running them.

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
mod store;
mod stores;
mod sweeping;
pub mod transfer;
pub mod watch;

pub use build::build;
pub use core::Core;
pub use reload::Reloader;
pub use serve::{Bound, Running, StartError};

#[cfg(test)]
mod tests;
