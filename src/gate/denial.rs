//! A refusal and what it looks like on the wire (RFC 6750 §3).

use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::wording::{ChallengeStyle, Wording};
use crate::message::HeadError;
use crate::policy::Reason;

/// Why a request does not pass, with what the answer needs to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The closed reason.
    pub reason: Reason,
    /// All scopes the route asks for, where it asks for any.
    pub scope: Option<Arc<str>>,
    /// The methods the path has, for a method it has not.
    pub allow: Option<String>,
    /// What is too large, where the reason is [`Reason::TooLarge`].
    pub limit: Limit,
}

/// The limit a request is over; each has a status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The token's length.
    Token,
    /// The budget of the identity headers: the token is good, and no other would help.
    Identity,
    /// The target's length.
    Target,
    /// The header fields, in bytes or in number.
    Fields,
    /// The body's length.
    Body,
}

/// What a client may know of a reason: status, `error` code, description, `detail`.
struct Wire {
    status: u16,
    error: Option<&'static str>,
    description: &'static str,
    detail: &'static str,
}

impl Denial {
    /// A refusal that needs no further words.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, scope: None, allow: None, limit: Limit::Token }
    }

    /// What the token says does not fit into the headers of the upstream's request: nothing is cut, the request is refused.
    #[must_use]
    pub const fn identity_too_large() -> Self {
        Self::over(Limit::Identity)
    }

    /// The request is over a limit.
    #[must_use]
    pub const fn over(limit: Limit) -> Self {
        Self { reason: Reason::TooLarge, scope: None, allow: None, limit }
    }

    /// The status code, before [`Wording`] has its say.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.wire().status
    }

    /// The value of `WWW-Authenticate`; `None` where a credential would not help. `metadata` is the address of the resource's
    /// metadata (RFC 9728 §5.1), without quotes and backslashes.
    #[must_use]
    pub fn challenge(&self, wording: &Wording, metadata: Option<&str>) -> Option<String> {
        let wire = self.wire();
        let credential_helps = matches!(wire.status, 401) || wire.error == Some("insufficient_scope");
        let about_credential = self.reason == Reason::MultipleCredentials;
        if !credential_helps && !about_credential {
            return None;
        }
        if wording.style == ChallengeStyle::Minimal {
            // FastAPI names the scopes only to who has sent a token.
            let scope = self.scope.as_deref().filter(|_| credential_helps && wire.error.is_some());
            return Some(ChallengeStyle::minimal_challenge(scope));
        }
        let mut challenge = format!("Bearer realm=\"{}\"", wording.realm);
        if let Some(error) = wire.error {
            let _ = write!(challenge, ", error=\"{error}\", error_description=\"{}\"", wire.description);
        }
        if let Some(scope) = self.scope.as_deref().filter(|_| credential_helps) {
            let _ = write!(challenge, ", scope=\"{scope}\"");
        }
        if let Some(metadata) = metadata.filter(|_| credential_helps) {
            let _ = write!(challenge, ", resource_metadata=\"{metadata}\"");
        }
        Some(challenge)
    }

    /// The JSON body: what FastAPI's clients read, and beside it, unless `wording` has it otherwise, what happened and `reason`.
    #[must_use]
    pub fn body(&self, wording: &Wording) -> Value {
        let wire = self.wire();
        if wording.style == ChallengeStyle::Minimal {
            return ChallengeStyle::minimal_body(wire.detail);
        }
        let mut body = json!({ "detail": wire.detail });
        if let (Some(error), Value::Object(members)) = (wire.error, &mut body) {
            members.insert("error".to_owned(), error.into());
            if wire.status != 400 {
                members.insert("error_description".to_owned(), wire.description.into());
            }
            if let Some(scope) = self.scope.as_deref().filter(|_| error == "insufficient_scope") {
                members.insert("scope".to_owned(), scope.into());
            }
        }
        if let Value::Object(members) = &mut body {
            members.insert("reason".to_owned(), self.reason.as_str().into());
        }
        body
    }

    const fn wire(&self) -> Wire {
        wire(self.reason, self.limit)
    }

    /// Seconds for `Retry-After`, where trying again is the cure.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        (self.status() == 503).then_some(RETRY_SECONDS)
    }
}

impl From<HeadError> for Denial {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Malformed => Self::new(Reason::MalformedRequest),
            HeadError::TargetTooLong => Self::over(Limit::Target),
            HeadError::FieldsTooLarge => Self::over(Limit::Fields),
            HeadError::MethodNotAllowed => {
                Self { allow: Some(METHODS.to_owned()), ..Self::new(Reason::MethodNotAllowed) }
            }
        }
    }
}

/// Seconds a client is asked to wait when a dependency is down, or too many want the same.
pub const RETRY_SECONDS: u32 = 5;

const fn wire(reason: Reason, limit: Limit) -> Wire {
    match reason {
        Reason::NoCredential => Wire { status: 401, error: None, description: "", detail: "Not authenticated" },
        Reason::MalformedToken => invalid_token("The access token is malformed"),
        Reason::UnknownKey => invalid_token("The access token is signed with an unknown key"),
        Reason::WrongAlgorithm => invalid_token("The access token is signed with another algorithm"),
        Reason::BadSignature => invalid_token("The signature of the access token is invalid"),
        Reason::Expired => invalid_token("The access token expired"),
        Reason::NotYetValid => invalid_token("The access token is not valid yet"),
        Reason::WrongIssuer => invalid_token("The access token is of an untrusted issuer"),
        Reason::WrongAudience => invalid_token("The access token is meant for another audience"),
        Reason::WrongType => invalid_token("The token is not an access token"),
        // One description: what became of the account is nobody's business who only has its token.
        Reason::Revoked | Reason::UserDisabled => invalid_token("The access token was revoked"),
        Reason::InsufficientScope => Wire {
            status: 403,
            error: Some("insufficient_scope"),
            description: "The access token lacks a scope",
            detail: "Not enough permissions",
        },
        Reason::NoRoute | Reason::RouteDenied | Reason::IssuerNotAllowed => FORBIDDEN,
        Reason::TooLarge => too_large(limit),
        Reason::HeaderTimeout => invalid_message(408, "The request did not arrive in time"),
        Reason::Throttled => {
            Wire { status: 429, error: None, description: "", detail: "Too many failed logins, try again later" }
        }
        Reason::MultipleCredentials => invalid_request("More than one Authorization header"),
        Reason::AmbiguousPath => invalid_request("The path is ambiguous"),
        Reason::MalformedRequest => invalid_request("The request is malformed"),
        Reason::MethodNotAllowed => Wire { status: 405, error: None, description: "", detail: "Method Not Allowed" },
        Reason::StoreUnavailable | Reason::KeysUnavailable | Reason::SigningFailed | Reason::Overloaded => {
            Wire { status: 503, error: None, description: "", detail: "Authentication temporarily unavailable" }
        }
    }
}

const fn too_large(limit: Limit) -> Wire {
    match limit {
        Limit::Token => invalid_token("The access token is too long"),
        Limit::Identity => FORBIDDEN,
        Limit::Target => invalid_message(414, "The request target is too long"),
        Limit::Fields => invalid_message(431, "The header fields are too large"),
        Limit::Body => invalid_message(413, "The request body is too large"),
    }
}

const FORBIDDEN: Wire = Wire { status: 403, error: None, description: "", detail: "Forbidden" };

const fn invalid_token(description: &'static str) -> Wire {
    Wire { status: 401, error: Some("invalid_token"), description, detail: "Could not validate credentials" }
}

const fn invalid_request(description: &'static str) -> Wire {
    invalid_message(400, description)
}

const fn invalid_message(status: u16, description: &'static str) -> Wire {
    Wire { status, error: Some("invalid_request"), description, detail: description }
}

/// What may be asked for in place of `CONNECT` and `TRACE`.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
