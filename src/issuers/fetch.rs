//! What a fetch of an issuer's keys gives, and how it fails.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::KeySource;

/// Gets keys from where they are published.
#[async_trait]
pub trait Fetch: Send + Sync + fmt::Debug {
    /// The JWK set of this issuer, discovery included. Whoever calls it bounds its time.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, source: &KeySource) -> Result<Fetched, FetchError>;
}

/// A JWK set as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The document, of 512 KiB at the most, not parsed yet.
    pub text: Vec<u8>,
    /// For how long it may be taken for current, as its server says (RFC 9111 §5.2.2.1, §5.1).
    pub fresh_for: Option<Duration>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Fetched({} bytes, {:?})", self.text.len(), self.fresh_for)
    }
}

/// Why a fetch failed: one line that quotes nothing of what was answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address of a document is not https, or where its issuer must not send us.
    #[error("the address of {0} must not be fetched")]
    Forbidden(Document),
    /// No connection, or it ended too soon; TLS and the names that were not resolved included.
    #[error("{0} could not be fetched: {1}")]
    Connection(Document, String),
    /// It took longer than all of it may.
    #[error("it took longer than 5 s")]
    TimedOut,
    /// A redirect: whoever can redirect could send us to keys of his own.
    #[error("{0} answered with a redirect, {1}")]
    Redirect(Document, u16),
    /// Another status than 200.
    #[error("{0} answered with status {1}")]
    Status(Document, u16),
    /// More than 512 KiB.
    #[error("{0} is longer than 512 KiB")]
    TooLong(Document),
    /// No JSON object with every member once, or it lacks what it must have; or it is compressed.
    #[error("{0} is malformed")]
    Malformed(Document),
    /// The metadata is of another issuer (OpenID Connect Discovery §4.3, RFC 8414 §3.3).
    #[error("the metadata names another issuer")]
    WrongIssuer,
    /// A set without one key that may be used here: swapped in, it would refuse everybody.
    #[error("the key set has no key that can be used")]
    NoUsableKey,
    /// A defect of doorward.
    #[error("the fetch ended in a panic")]
    Panicked,
}

impl FetchError {
    /// The codes of all, and of the fetches that did not fail: the values of the metric's `result`.
    pub(super) const RESULTS: [&'static str; 12] = [
        "ok",
        "unchanged",
        "forbidden",
        "connection",
        "timeout",
        "redirect",
        "status",
        "too-long",
        "malformed",
        "wrong-issuer",
        "no-usable-key",
        "panic",
    ];

    /// The code of this kind.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::Connection(..) => "connection",
            Self::TimedOut => "timeout",
            Self::Redirect(..) => "redirect",
            Self::Status(..) => "status",
            Self::TooLong(_) => "too-long",
            Self::Malformed(_) => "malformed",
            Self::WrongIssuer => "wrong-issuer",
            Self::NoUsableKey => "no-usable-key",
            Self::Panicked => "panic",
        }
    }
}

/// What is fetched of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// Its metadata (OpenID Connect Discovery §4, RFC 8414 §3).
    Metadata,
    /// Its keys (RFC 7517 §5).
    Keys,
}

impl fmt::Display for Document {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Metadata => "the metadata",
            Self::Keys => "the key set",
        })
    }
}
