//! Why a token is not believed.

use std::sync::Arc;

use super::IssuerRules;

/// A token that is not believed, and whose it claims to be.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Why.
    pub error: VerifyError,
    /// The trusted issuer it names; for counting only, as anybody can name one.
    pub issuer: Option<Arc<IssuerRules>>,
    /// The key id it names, where no key has that.
    pub kid: Option<Box<str>>,
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a compact JWS, or claims of the wrong type.
    #[error("malformed")]
    Malformed,
    /// No key of the issuer has this `kid`.
    #[error("unknown key")]
    UnknownKey,
    /// The issuer's keys were never learnt, or are too old to be believed.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// `alg` is not the key's.
    #[error("wrong algorithm")]
    WrongAlgorithm,
    /// The signature does not match.
    #[error("bad signature")]
    BadSignature,
    /// `exp` is past.
    #[error("expired")]
    Expired,
    /// `nbf` or `iat` is ahead.
    #[error("not yet valid")]
    NotYetValid,
    /// `iss` is not trusted.
    #[error("wrong issuer")]
    WrongIssuer,
    /// `aud` does not name us.
    #[error("wrong audience")]
    WrongAudience,
    /// A JWT of another kind.
    #[error("wrong type")]
    WrongType,
}
