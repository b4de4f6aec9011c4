//! From Pingora's session to the facts a decision sees: the one place that reads the raw request.

use http::header::AUTHORIZATION;
use pingora::proxy::Session;

use crate::connection::Ongoing;
use crate::gate::credential::Credential;
use crate::message::http2::Start;
use crate::message::target::Target;
use crate::message::{BodyLength, Head, HeadError, HeadLimits};

/// The parts of a request that are looked at, as they came and after they were found to mean one thing only.
pub struct RawRequest(Version);

enum Version {
    Http1(Head),
    Http2 {
        /// The target and behind it the host.
        parts: Vec<u8>,
        target_len: usize,
        body: BodyLength,
    },
}

impl RawRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`HeadError`] if two readers could take another request from it, or if it is over a limit.
    pub fn of(session: &Session, limits: &HeadLimits) -> Result<Self, HeadError> {
        if session.as_http1().is_some() {
            let head = Ongoing::current().and_then(|ongoing| ongoing.take_head());
            let head = head.map_or_else(|| Head::read(session.to_h1_raw(), limits), Ok)?;
            return Ok(Self(Version::Http1(head)));
        }
        let request = session.req_header();
        let start = Start {
            method: request.method.as_str(),
            target: request.raw_path(),
            authority: request.uri.authority().map(|authority| authority.as_str().as_bytes()),
            headers: &request.headers,
        };
        let (host, body) = start.check(limits)?;
        Ok(Self(Version::Http2 { parts: [start.target, host].concat(), target_len: start.target.len(), body }))
    }

    /// The target; of `OPTIONS *` the path is the asterisk.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        match &self.0 {
            Version::Http1(head) => head.target(),
            Version::Http2 { parts, target_len, .. } => {
                Target::split(parts.get(..*target_len).unwrap_or_default(), false)
            }
        }
    }

    /// What must go upstream as the target, byte for byte.
    #[must_use]
    pub fn origin_form(&self) -> &[u8] {
        match &self.0 {
            Version::Http1(head) => head.origin_form(),
            Version::Http2 { parts, target_len, .. } => parts.get(..*target_len).unwrap_or_default(),
        }
    }

    /// Whether it is about the server as such: `OPTIONS *`.
    #[must_use]
    pub fn is_asterisk(&self) -> bool {
        self.origin_form() == b"*"
    }

    /// The path as it came, for the log.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.target().path
    }

    /// `Host` or `:authority`, as it came.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        match &self.0 {
            Version::Http1(head) => head.host(),
            Version::Http2 { parts, target_len, .. } => parts.get(*target_len..).unwrap_or_default(),
        }
    }

    /// How long the body says it is.
    #[must_use]
    pub fn body(&self) -> BodyLength {
        match &self.0 {
            Version::Http1(head) => head.body(),
            Version::Http2 { body, .. } => *body,
        }
    }
}

/// What the `Authorization` fields say; a token over `token_bytes` is not looked at.
#[must_use]
pub fn credential(session: &Session, token_bytes: usize) -> Credential<'_> {
    let fields = session.req_header().headers.get_all(AUTHORIZATION).iter();
    Credential::read(fields.map(http::HeaderValue::as_bytes), token_bytes)
}
