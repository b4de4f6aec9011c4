//! Keys: those that sign own tokens, those that verify, and those that key refresh tokens.

pub mod algorithm;
pub mod jwk_set;
pub mod key_set;
mod members;
mod pair;
pub mod password_print;
pub mod pem;
mod public_key;
pub mod ring;
pub mod server;
pub mod signing;
pub mod strength;
pub mod thumbprint;
pub mod verifying;

pub use algorithm::{Algorithm, KeyKind};
pub use jwk_set::{JwkSet, NotASet};
pub use key_set::{KeySet, LiveKeys, NoKey};
pub use password_print::PasswordPrint;
pub use public_key::Unusable;
pub use ring::KeyRing;
pub use server::{KeyNumber, ServerKeys};
pub use signing::{KeyError, SigningKey};
pub use verifying::VerifyingKey;
