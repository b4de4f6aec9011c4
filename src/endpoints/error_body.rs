//! Errors of the OAuth endpoints (RFC 6749 §5.2), with FastAPI's `detail` beside.

use serde_json::json;

use super::Reply;
use crate::gate::RETRY_SECONDS;
use crate::grants::GrantError;
use crate::policy::Reason;

/// What went wrong, as a client may know it. Texts are fixed: nothing of the input is ever echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthError {
    /// 400 `invalid_request`: what is wrong with the request itself.
    InvalidRequest(&'static str),
    /// 413 `invalid_request`: the body is over the limit.
    BodyTooLarge,
    /// 408 `invalid_request`: the body did not arrive in time.
    BodyTooSlow,
    /// `invalid_client`: 401 with a challenge where the client authenticated by header, else 400 (RFC 6749 §5.2).
    InvalidClient(Challenge),
    /// 400 `unauthorized_client`.
    UnauthorizedClient,
    /// 400 `invalid_grant`.
    InvalidGrant(&'static str),
    /// 400 `unsupported_grant_type`.
    UnsupportedGrantType,
    /// 400 `invalid_scope`.
    InvalidScope,
    /// 400 `invalid_target` (RFC 8707 §2).
    InvalidTarget,
    /// 400 `unsupported_token_type` (RFC 7009 §2.2.1).
    UnsupportedTokenType,
    /// 429 `slow_down` (RFC 6585 §4, RFC 8628 §3.5): too many logins have failed; seconds until another may be tried.
    SlowDown(u64),
    /// 503 `temporarily_unavailable`: there is no room to hash, or to log.
    Overloaded,
    /// 503 `temporarily_unavailable`: a store is down.
    StoreUnavailable,
    /// 503 `temporarily_unavailable`: the keys of a token's issuer are not known.
    KeysUnavailable,
    /// 500 `server_error`.
    Server,
}

/// What a client that is not believed is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// Nothing: it sent no header.
    None,
    /// Its own scheme, which RFC 6749 §5.2 asks for.
    Basic,
    /// Another scheme: for `Basic`, a browser asks its user for a password, though a script sent the request.
    Bearer,
    /// A better token than the one it sent (RFC 6750 §3).
    Token,
}

impl OAuthError {
    /// The registered error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) | Self::BodyTooLarge | Self::BodyTooSlow => "invalid_request",
            Self::InvalidClient(_) => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::SlowDown(_) => "slow_down",
            Self::Overloaded | Self::StoreUnavailable | Self::KeysUnavailable => "temporarily_unavailable",
            Self::Server => "server_error",
        }
    }

    /// The reason code of log, metric and audit.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) | Self::BodyTooSlow => Reason::MalformedRequest.as_str(),
            Self::BodyTooLarge => Reason::TooLarge.as_str(),
            Self::InvalidClient(_) => "invalid-client",
            Self::UnauthorizedClient => "unauthorized-client",
            Self::InvalidGrant(_) => "invalid-grant",
            Self::UnsupportedGrantType => "unsupported-grant-type",
            Self::InvalidScope => "invalid-scope",
            Self::InvalidTarget => "invalid-target",
            Self::UnsupportedTokenType => "unsupported-token-type",
            Self::SlowDown(_) => Reason::Throttled.as_str(),
            Self::Overloaded => Reason::Overloaded.as_str(),
            Self::StoreUnavailable => Reason::StoreUnavailable.as_str(),
            Self::KeysUnavailable => Reason::KeysUnavailable.as_str(),
            Self::Server => "internal",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::BodyTooLarge => 413,
            Self::BodyTooSlow => 408,
            Self::SlowDown(_) => 429,
            Self::Overloaded | Self::StoreUnavailable | Self::KeysUnavailable => 503,
            Self::Server => 500,
            Self::InvalidClient(Challenge::Basic | Challenge::Bearer | Challenge::Token) => 401,
            _ => 400,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest(text) | Self::InvalidGrant(text) => text,
            Self::InvalidClient(_) => "Client authentication failed",
            Self::UnauthorizedClient => "This client may not use this grant",
            Self::BodyTooLarge => "The request body is too large",
            Self::BodyTooSlow => "The request body did not arrive in time",
            Self::UnsupportedGrantType => "This grant type is not supported",
            Self::InvalidScope => "The requested scope is invalid, or more than may be granted",
            Self::InvalidTarget => "No tokens are issued here for the requested resource",
            Self::UnsupportedTokenType => "Tokens of this kind cannot be revoked here",
            Self::SlowDown(_) => "Too many failed logins, try again later",
            Self::Overloaded | Self::StoreUnavailable | Self::KeysUnavailable => {
                "Authentication temporarily unavailable"
            }
            Self::Server => "Internal error",
        }
    }

    /// The reply, with challenges of this `realm`. Without `WWW-Authenticate` where none must be: clients that see one do not read the body.
    #[must_use]
    pub fn reply(self, realm: &str) -> Reply {
        let text = self.description();
        let body = json!({ "error": self.code(), "error_description": text, "detail": text });
        let reply = Reply::json(self.status(), &body).with_reason(self.reason());
        match self {
            Self::SlowDown(seconds) => reply.with_header("Retry-After", seconds.to_string()),
            // About what a full queue of hashes takes, too; earlier, those who come back would only be in the way.
            Self::Overloaded | Self::StoreUnavailable | Self::KeysUnavailable => {
                reply.with_header("Retry-After", RETRY_SECONDS.to_string())
            }
            Self::InvalidClient(Challenge::Basic) => {
                reply.with_header("WWW-Authenticate", format!("Basic realm=\"{realm}\""))
            }
            Self::InvalidClient(Challenge::Bearer) => {
                reply.with_header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
            }
            Self::InvalidClient(Challenge::Token) => {
                reply.with_header("WWW-Authenticate", format!("Bearer realm=\"{realm}\", error=\"invalid_token\""))
            }
            _ => reply,
        }
    }

    /// The reply as FastAPI's tutorial gives it: 401, which wants a challenge (RFC 9110 §15.5.2). Clients that look at the
    /// challenge first do not read the body.
    #[must_use]
    pub fn reply_as_401(self, realm: &str) -> Reply {
        Reply { status: 401, ..self.reply(realm) }.with_header("WWW-Authenticate", "Bearer")
    }
}

impl From<GrantError> for OAuthError {
    fn from(error: GrantError) -> Self {
        match error {
            // One answer: another for the length would say that the user is there, and of which scheme the hash is.
            GrantError::WrongLogin | GrantError::PasswordTooLong => {
                Self::InvalidGrant("Incorrect username or password")
            }
            // What became of the account is nobody's business who only has a token.
            GrantError::InvalidRefreshToken
            | GrantError::ReusedRefreshToken
            | GrantError::UserDisabled
            | GrantError::UserUnusable
            | GrantError::PasswordChanged => Self::InvalidGrant("Invalid refresh token"),
            GrantError::InvalidClient | GrantError::NoClient => Self::InvalidClient(Challenge::None),
            GrantError::UnauthorizedClient => Self::UnauthorizedClient,
            GrantError::ForeignToken => Self::InvalidGrant("The token was issued to another client"),
            GrantError::InvalidScope => Self::InvalidScope,
            GrantError::UnsupportedTokenType => Self::UnsupportedTokenType,
            GrantError::Throttled(throttled) => Self::SlowDown(throttled.retry_after),
            GrantError::Busy(_) | GrantError::Unlogged => Self::Overloaded,
            GrantError::NotGranting => Self::UnsupportedGrantType,
            GrantError::KeysUnavailable => Self::KeysUnavailable,
            GrantError::Store(_)
            | GrantError::Users(_)
            | GrantError::StandingUnknown
            | GrantError::TimeUnknown
            | GrantError::RevokedAhead => Self::StoreUnavailable,
            GrantError::Signing(_) => Self::Server,
        }
    }
}
