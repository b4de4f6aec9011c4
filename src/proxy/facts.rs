//! From Pingora's session to the facts a decision sees: the one place that reads the raw request.

use std::net::IpAddr;
use std::ops::Range;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use pingora::proxy::Session;

use crate::gate::credential::Credential;
use crate::message::framing;
use crate::message::target::{self, Target};
use crate::policy::Reason;

/// The parts of a request that are looked at, as they came.
pub struct RawRequest {
    head: Bytes,
    target: Range<usize>,
    host: Vec<u8>,
}

impl RawRequest {
    /// Takes the raw target and the host of a request.
    ///
    /// # Errors
    /// [`Reason::MalformedRequest`] if two readers could take another host or target from it.
    pub fn of(session: &Session) -> Result<Self, Reason> {
        let request = session.req_header();
        let mut hosts = request.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next(), request.uri.authority()) {
            (Some(host), None, _) => host.as_bytes().to_vec(),
            (None, None, Some(authority)) => authority.as_str().as_bytes().to_vec(),
            _ => return Err(Reason::MalformedRequest),
        };
        if session.as_http1().is_some() {
            let head = session.to_h1_raw();
            if !framing::is_plain(&request.headers, &head) || !framing::connection_is_plain(&request.headers) {
                return Err(Reason::MalformedRequest);
            }
            let target = target::in_head(&head).ok_or(Reason::MalformedRequest)?;
            Ok(Self { head, target, host })
        } else {
            let head = Bytes::copy_from_slice(request.raw_path());
            let target = 0..head.len();
            Ok(Self { head, target, host })
        }
    }

    /// The target.
    ///
    /// # Errors
    /// [`Reason::MalformedRequest`] for another form than origin-form, or another authority than `Host`.
    pub fn target(&self) -> Result<Target<'_>, Reason> {
        let raw = self.head.get(self.target.clone()).unwrap_or_default();
        Target::read(raw, &self.host).map_err(|_| Reason::MalformedRequest)
    }

    /// The path as it came, for the log, whatever is wrong with it.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        let raw = self.head.get(self.target.clone()).unwrap_or_default();
        raw.split(|byte| *byte == b'?').next().unwrap_or_default()
    }
}

/// The client's address; an IPv4 one is one, also on a socket for both.
#[must_use]
pub fn client_address(session: &Session) -> Option<IpAddr> {
    let address = session.client_addr()?.as_inet()?;
    Some(address.ip().to_canonical())
}

/// What the `Authorization` fields say.
#[must_use]
pub fn credential(session: &Session) -> Credential<'_> {
    Credential::read(session.req_header().headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes))
}

/// Whether a method is one that no server rewrites: Django upper-cases what it gets.
#[must_use]
pub fn is_plain_method(method: &str) -> bool {
    (1..=32).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}
