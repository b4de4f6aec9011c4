//! What an operator wants revoked, and what becomes of it.

use std::fmt;

use zeroize::Zeroizing;

use super::GrantError;
use crate::base::Timestamp;
use crate::revocation::{MarkKind, Position};

/// What is to be revoked. It comes from somebody who may revoke anything.
pub struct Order {
    /// What `value` is.
    pub kind: OrderKind,
    /// The token's text, the `jti`, `sid`, `sub` or client.
    pub value: Zeroizing<String>,
    /// Whose tokens, by their `iss`; `None` = doorward's own, and for a token whoever issued it.
    pub issuer: Option<String>,
    /// What for; only the audit log is told.
    pub reason: Option<String>,
}

/// By what a revocation names tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// An access token, or a refresh token with its session.
    Token,
    /// One access token, by its `jti` or, where it has none, the SHA-256 of its `header.payload` in base64url.
    Jti,
    /// A login session, with its access tokens.
    Session,
    /// Everything that somebody was issued up to now, with his sessions.
    Subject,
    /// Everything that a client was issued up to now, with the sessions that began through it.
    Client,
}

/// A revocation that is durable, and in effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// When nothing is left that it could refuse, and it is forgotten. In the past if it was so before: nothing had to be written.
    pub expires_at: Timestamp,
    /// Where other instances find it.
    pub position: Position,
}

/// Why nothing was revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Neither our own issuer nor a trusted one; or none is named, and no tokens are issued here.
    #[error("the issuer is not trusted here")]
    UnknownIssuer,
    /// No token that would be taken, whatever the time: garbage, forged, of somebody else, or of a key that is not configured.
    #[error("not a token that is taken here")]
    NoToken,
    /// It is a token of another issuer than the one that was named.
    #[error("a token of another issuer")]
    OtherIssuer,
    /// No session of ours has such a name.
    #[error("not the name of a session")]
    NoSession,
    /// As a client would be told.
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl OrderKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Token, Self::Jti, Self::Session, Self::Subject, Self::Client];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Jti => "jti",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Client => "client",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The word for a mark of that kind.
    #[must_use]
    pub const fn of_mark(kind: MarkKind) -> Self {
        match kind {
            MarkKind::Jti => Self::Jti,
            MarkKind::Sid => Self::Session,
            MarkKind::Sub => Self::Subject,
            MarkKind::Client => Self::Client,
        }
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value may be a token.
        out.debug_struct("Order").field("kind", &self.kind).finish_non_exhaustive()
    }
}
