//! Passwords and what is kept of them: hashes as other libraries wrote them, and new ones.

mod behind;
mod cost;
mod django;
mod function;
mod hasher;
mod modular;
mod places;
mod renew;
mod scheme;
mod stored;

pub use cost::TooCostly;
pub use hasher::{Busy, Hasher};
pub use scheme::{HashFailed, Scheme, hash};
pub use stored::{StoredHash, Unusable, Verdict};

#[cfg(test)]
mod tests;
