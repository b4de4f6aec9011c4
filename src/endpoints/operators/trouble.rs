//! Why an operator's request was not done, as JSON that says what to do.

use serde_json::json;

use super::Operators;
use crate::endpoints::Reply;
use crate::gate::RETRY_SECONDS;
use crate::grants::{GrantError, OrderError};
use crate::revocation::StoreError;

/// What went wrong. Texts are fixed: nothing of the input is echoed, which may be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// 403: a page sent it.
    FromPage,
    /// 401: it shows no token.
    NoToken,
    /// 401: it shows another.
    WrongToken,
    /// 405.
    Method,
    /// 415: not JSON.
    MediaType,
    /// 413.
    TooLarge,
    /// 408.
    TooSlow,
    /// 400: what is wrong with it.
    Invalid(&'static str),
    /// 404: the value is no token, so that there is nothing to revoke.
    NoToRevoke(&'static str),
    /// 409: what is in the store changes while it is read.
    NotSealed,
    /// 503: nobody can tell whether it is durable.
    Store,
    /// 503: nothing is written there any more.
    Sealed,
    /// 503: it is durable and in effect here, and nobody can tell where else.
    Unconfirmed,
    /// 503: the keys that would verify the token are not known.
    Keys,
    /// 500.
    Internal,
}

impl Trouble {
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::FromPage => (403, "access_denied", "Requests of browsers are refused here"),
            Self::NoToken => (
                401,
                "invalid_token",
                "Show the admin token as `Authorization: Bearer …`: `admin.token`, or the file admin.token in `data_dir`",
            ),
            Self::WrongToken => (401, "invalid_token", "This is not the admin token"),
            Self::Method => (405, "invalid_request", "Method not allowed"),
            Self::MediaType => (415, "invalid_request", "Content-Type must be application/json, without an encoding"),
            Self::TooLarge => (413, "invalid_request", "The request body is too large"),
            Self::TooSlow => (408, "invalid_request", "The request body did not arrive in time"),
            Self::Invalid(text) => (400, "invalid_request", text),
            Self::NoToRevoke(text) => (404, "not_found", text),
            Self::NotSealed => (409, "invalid_request", "The store is not sealed: POST {\"sealed\": true} first"),
            Self::Store => {
                (503, "temporarily_unavailable", "The store does not answer: nothing is confirmed, ask again")
            }
            Self::Sealed => (
                503,
                "temporarily_unavailable",
                "The store was exported and is sealed: revoke where it was imported, or `doorward store unseal` to stay here",
            ),
            Self::Unconfirmed => (
                503,
                "temporarily_unavailable",
                "It is revoked, durable and in effect here; which other instances there are is not known at the moment: ask again",
            ),
            Self::Keys => (
                503,
                "temporarily_unavailable",
                "The keys of the token's issuer are not known at the moment: nothing was revoked, ask again",
            ),
            Self::Internal => (500, "server_error", "Internal error"),
        }
    }

    pub(super) fn reply(self) -> Reply {
        let (status, code, text) = self.parts();
        let body = json!({ "error": code, "error_description": text, "detail": text });
        let reply = Reply::json(status, &body);
        let realm = Operators::REALM;
        match self {
            Self::NoToken => reply.with_header("WWW-Authenticate", format!("Bearer realm=\"{realm}\"")),
            Self::WrongToken => {
                reply.with_header("WWW-Authenticate", format!("Bearer realm=\"{realm}\", error=\"invalid_token\""))
            }
            Self::Method => reply.with_header("Allow", Operators::METHODS),
            Self::Store | Self::Sealed | Self::Unconfirmed | Self::Keys => {
                reply.with_header("Retry-After", RETRY_SECONDS.to_string())
            }
            _ => reply,
        }
    }
}

impl From<OrderError> for Trouble {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::UnknownIssuer => Self::Invalid(
                "`issuer` is neither doorward's own nor one of `trusted_issuers`, or is missing where no tokens are issued",
            ),
            OrderError::OtherIssuer => Self::Invalid("The token is of another issuer than `issuer` says"),
            OrderError::NoSession => Self::Invalid("`value` is not a `sid` as doorward's tokens have it"),
            OrderError::NoToken => Self::NoToRevoke("`value` is no token that is taken here: nothing was revoked"),
            OrderError::Grant(GrantError::Store(error)) => error.into(),
            OrderError::Grant(GrantError::TimeUnknown) => Self::Store,
            OrderError::Grant(GrantError::KeysUnavailable) => Self::Keys,
            OrderError::Grant(GrantError::UnsupportedTokenType) => {
                Self::NoToRevoke("`value` is a signed token, and no access token: nothing was revoked")
            }
            OrderError::Grant(_) => Self::Internal,
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        if error == StoreError::Sealed { Self::Sealed } else { Self::Store }
    }
}
