//! Why a grant is refused, as RFC 6749 §5.2 groups it.

use crate::keys::signing::SigningFailed;
use crate::policy::Reason;
use crate::revocation::StoreError;
use crate::users::{Busy, Throttled, UserStoreError};

/// A refused grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// Unknown user, wrong password, disabled user: one answer, so that none can be told from another.
    #[error("incorrect username or password")]
    WrongLogin,
    /// A wrong password whose end bcrypt would have left out. Clients are told the same; the log names the rule, because whatever made
    /// the hash may have left out the end, too.
    #[error("incorrect username or password: it has more than the 72 bytes that bcrypt reads")]
    PasswordTooLong,
    /// Not a refresh token of a live session.
    #[error("invalid refresh token")]
    InvalidRefreshToken,
    /// A refresh token was used again: its session is over.
    #[error("refresh token reused")]
    ReusedRefreshToken,
    /// The user of the session was disabled or is gone: it is over.
    #[error("invalid refresh token: its user is disabled or gone")]
    UserDisabled,
    /// Nobody can check the hash of the session's user: it goes on when that is mended.
    #[error("invalid refresh token: its user has no hash that can be checked")]
    UserUnusable,
    /// The user of the session has another password than when it began: it is over.
    #[error("invalid refresh token: the password was changed")]
    PasswordChanged,
    /// The client is unknown, or has not shown its secret (RFC 6749 §5.2).
    #[error("the client is not authenticated")]
    InvalidClient,
    /// No client is named, and none is the default.
    #[error("no client is named")]
    NoClient,
    /// The client may not use this grant.
    #[error("the client may not use this grant")]
    UnauthorizedClient,
    /// The token is another client's (RFC 7009 §2.1).
    #[error("the token was issued to another client")]
    ForeignToken,
    /// Nothing of what was asked for can be granted, or more than was granted before.
    #[error("invalid scope")]
    InvalidScope,
    /// A signed token that is no access token (RFC 7009 §2.2.1).
    #[error("unsupported token type")]
    UnsupportedTokenType,
    /// Tokens are issued elsewhere.
    #[error("no tokens are issued here")]
    NotGranting,
    /// The keys that would tell whether it is a token are not known. It may be one, and live on.
    #[error("the keys of the token's issuer are not available")]
    KeysUnavailable,
    /// How the user of a token stands cannot be told. It may be a good one.
    #[error("the store of users did not answer in time")]
    StandingUnknown,
    /// What time it is by the store's clock was not found out yet. What was dated by another could be refused elsewhere, or outlive its end.
    #[error("the store's time is not known yet")]
    TimeUnknown,
    /// No token can be dated after what was revoked of its user or client: there is ever more, or the store's clock was set back since. It
    /// will be over.
    #[error(
        "everything of the user or the client was revoked up to a time that is yet to come: is the store's clock right?"
    )]
    RevokedAhead,
    /// Too many logins have failed, under this name or from there. Whether the name exists makes no difference.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// No room to check another password.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The log is so far behind that a token issued now would have no record.
    #[error("the audit log has no room")]
    Unlogged,
    /// The store of sessions does not answer. The text is for the log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of users does not answer. The text is for the log.
    #[error(transparent)]
    Users(#[from] UserStoreError),
    /// The crypto library failed.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

impl GrantError {
    /// The reason code, the same in log, metric and audit.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::WrongLogin | Self::InvalidRefreshToken | Self::ReusedRefreshToken | Self::ForeignToken => {
                "invalid-grant"
            }
            Self::PasswordTooLong => "password-too-long",
            Self::UserDisabled => Reason::UserDisabled.as_str(),
            Self::UserUnusable => "user-unusable",
            Self::PasswordChanged => "password-changed",
            Self::InvalidClient | Self::NoClient => "invalid-client",
            Self::UnauthorizedClient => "unauthorized-client",
            Self::InvalidScope => "invalid-scope",
            Self::UnsupportedTokenType => "unsupported-token-type",
            Self::NotGranting => "unsupported-grant-type",
            Self::KeysUnavailable => Reason::KeysUnavailable.as_str(),
            Self::Throttled(_) => Reason::Throttled.as_str(),
            Self::Busy(_) | Self::Unlogged => Reason::Overloaded.as_str(),
            Self::Store(_) | Self::Users(_) | Self::StandingUnknown | Self::TimeUnknown | Self::RevokedAhead => {
                Reason::StoreUnavailable.as_str()
            }
            Self::Signing(_) => "internal",
        }
    }
}
