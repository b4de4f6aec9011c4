//! A request to one of doorward's endpoints and the reply, as plain values.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::gate::credential::Credential;

/// What an endpoint may see of a request.
pub struct Exchange<'a> {
    /// As it came.
    pub method: &'a str,
    /// The path, as it came.
    pub path: &'a [u8],
    /// What stands behind the `?`, undecoded.
    pub query: Option<&'a [u8]>,
    /// Every `Content-Type` field.
    pub content_types: Vec<&'a [u8]>,
    /// Every `Content-Encoding` field.
    pub content_encodings: Vec<&'a [u8]>,
    /// Every `If-None-Match` field.
    pub if_none_match: Vec<&'a [u8]>,
    /// Every `Authorization` field.
    pub authorizations: Vec<&'a [u8]>,
    /// What the `Authorization` fields say of a Bearer token.
    pub credential: Credential<'a>,
    /// The longest token that is looked at, in bytes.
    pub token_bytes: usize,
    /// Whether a page's script sent it, by what only browsers and their libraries add.
    pub is_from_page: bool,
    /// All of the body; its length was bounded while it was read.
    pub body: Zeroizing<Vec<u8>>,
    /// Who asks.
    pub from: Option<IpAddr>,
}

/// What is answered. `Content-Length` and what belongs to the connection are added where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header fields, besides the length.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Bytes,
    /// The reason code of a refusal, for log and metric.
    pub reason: Option<&'static str>,
}

impl Reply {
    /// JSON that nobody may store: tokens, and errors at the places that give them (RFC 6749 §5.1).
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("Pragma", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        // Not by `to_string`: the formatter takes four times as long, and anybody can have refusals written.
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Self { status, headers, body, reason: None }
    }

    /// Nothing to say, and no body to say it in.
    #[must_use]
    pub const fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Bytes::new(), reason: None }
    }

    /// FastAPI's answer to a method an endpoint has not.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        Self::json(405, &json!({ "detail": "Method Not Allowed" }))
            .with_header("Allow", allow)
            .with_reason("method-not-allowed")
    }

    /// With one more header field.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With the code that log and metric show.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query, body and Authorization hold passwords and tokens.
        out.debug_struct("Exchange").field("method", &self.method).finish_non_exhaustive()
    }
}
