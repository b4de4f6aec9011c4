//! JWTs and refresh tokens: read, checked and written, without I/O, clock or log.

pub mod cache;
pub mod claims;
pub mod issue;
mod kind;
mod known;
mod members;
pub mod mint;
pub mod raw;
pub mod refresh;
pub mod rejected;
pub mod rules;
pub mod scope;
pub mod verify;
mod weight;

pub use cache::{CacheResult, Digest, digest_of};
pub use claims::{Claims, Held};
pub use issue::{AccessToken, Issued, Issuer};
pub use known::Known;
pub use members::Members;
pub use mint::{Mint, MintSettings, MintTerms};
pub use raw::{Malformed, RawToken};
pub use refresh::{FamilyId, RefreshToken};
pub use rejected::{Rejected, VerifyError};
pub use rules::{ClaimPath, IssuerRules, TokenType};
pub use scope::{Scope, ScopeSet};
pub use verify::{Verified, Verifier};
