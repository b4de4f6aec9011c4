//! Why the upstream fails, told to whoever runs it: the access log has the class only.

use std::error::Error as Cause;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::{Error, ErrorType};

use super::failure::Failure;
use super::upstream::Unresolved;
use super::{Upstream, UpstreamUrl};
use crate::base::Stopwatch;

/// Tells failures, of each class one a second at the most: an upstream that is down fails every request.
#[derive(Debug)]
pub struct FailureLog {
    age: Stopwatch,
    classes: [Class; CLASSES.len()],
}

#[derive(Debug, Default)]
struct Class {
    /// From when on one may be told again, in milliseconds of `age`.
    next: AtomicU64,
    /// How many were not told since the last one.
    untold: AtomicU64,
}

impl Default for FailureLog {
    fn default() -> Self {
        Self { age: Stopwatch::start(), classes: Default::default() }
    }
}

impl FailureLog {
    /// Tells a failure at `address`, if it is the upstream's and not one of many.
    pub fn tell(&self, failure: Failure, error: &Error, upstream: &Upstream, address: Option<SocketAddr>) {
        let Some(untold) = self.may_tell(failure, self.age.elapsed()) else { return };
        let address = At(address, &upstream.settings().url);
        tracing::warn!(failure = failure.as_str(), %address, cause = cause(error), untold, "the upstream failed");
    }

    /// How many were not told before, if one may be told now.
    fn may_tell(&self, failure: Failure, now: Duration) -> Option<u64> {
        let class =
            CLASSES.iter().zip(&self.classes).find_map(|(known, class)| (*known == failure).then_some(class))?;
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX / 2);
        let (next, order) = (class.next.load(Ordering::Relaxed), Ordering::Relaxed);
        // Of several at the same moment one is told.
        if now < next || class.next.compare_exchange(next, now + PAUSE, order, order).is_err() {
            class.untold.fetch_add(1, order);
            return None;
        }
        Some(class.untold.swap(0, order))
    }
}

/// Where it failed: at an address, or before there was one.
struct At<'a>(Option<SocketAddr>, &'a UpstreamUrl);

impl fmt::Display for At<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(address), _) => address.fmt(out),
            (None, UpstreamUrl::Http { host, port }) => write!(out, "{host}:{port}"),
            (None, UpstreamUrl::Unix(path)) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// What is known of the cause: Pingora's kind of error, and what the operating system or rustls says. Nothing that came from the
/// upstream or a client: Pingora's own words quote both.
fn cause(error: &Error) -> String {
    let kind = error.etype().as_str();
    let said = deepest(error).or_else(|| handshake(error));
    said.map_or_else(|| kind.to_owned(), |said| format!("{kind}: {said}"))
}

/// The first cause of causes that speaks in words of its own.
fn deepest(error: &Error) -> Option<String> {
    let mut cause: Option<&(dyn Cause + 'static)> = Some(error.root_cause());
    while let Some(error) = cause {
        if let Some(unresolved) = error.downcast_ref::<Unresolved>() {
            return Some(unresolved.to_string());
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            let tls = io.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
            return Some(match (tls, io.get_ref()) {
                (Some(tls), _) => without_names(&tls.to_string()).to_owned(),
                (None, None) => io.to_string(),
                (None, Some(_)) => io.kind().to_string(),
            });
        }
        cause = error.source();
    }
    None
}

/// What rustls said of a handshake, of which Pingora keeps the text only.
fn handshake(error: &Error) -> Option<String> {
    let context = error.context.as_ref().filter(|_| *error.etype() == ErrorType::TLSHandshakeFailure)?;
    let (_, said) = context.as_str().split_once(" cause: ")?;
    let (said, _) = said.rsplit_once(", SNI: ")?;
    Some(without_names(said).to_owned())
}

/// Without the names in a certificate, which whoever answers has chosen.
fn without_names(said: &str) -> &str {
    said.split_once("; certificate ").map_or(said, |(said, _)| said)
}

const CLASSES: [Failure; 4] = [Failure::Connect, Failure::Timeout, Failure::Tls, Failure::Broken];

/// In milliseconds.
const PAUSE: u64 = 1_000;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn one_of_each_class_is_told_a_second() {
        let log = FailureLog::default();
        let at = |failure, millis| log.may_tell(failure, Duration::from_millis(millis));
        assert_eq!(at(Failure::Tls, 5), Some(0));
        assert_eq!([at(Failure::Tls, 5), at(Failure::Tls, 1_004)], [None, None]);
        assert_eq!(at(Failure::Connect, 6), Some(0), "another class");
        assert_eq!([at(Failure::Tls, 1_005), at(Failure::Tls, 9_000)], [Some(2), Some(0)]);
        for blameless in [Failure::Client, Failure::BodyTooLong, Failure::Internal] {
            assert_eq!(at(blameless, 10_000), None);
        }
    }

    #[test]
    fn a_cause_has_no_words_of_others() {
        let because = |kind, cause: io::Error| *Error::because(kind, "request: secret", cause).into_up();
        let name = "TLS connect() failed:  TLSHandshakeFailure context: tls connect error cause: invalid peer certificate: \
                    certificate not valid for name \"a\"; certificate is only valid for DnsName(\"secret, SNI: x\"), SNI: a";
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        for (error, expected) in [
            (
                because(ErrorType::ConnectRefused, io::Error::from_raw_os_error(111)),
                "ConnectRefused: Connection refused (os error 111)",
            ),
            (because(ErrorType::ReadError, io::Error::other("secret")), "ReadError: other error"),
            (
                because(ErrorType::ReadError, io::Error::other(alert)),
                "ReadError: received fatal alert: CertificateRequired",
            ),
            (
                *Error::explain(ErrorType::TLSHandshakeFailure, name),
                "TLSHandshakeFailure: invalid peer certificate: certificate not valid for name \"a\"",
            ),
            (*Error::explain(ErrorType::InvalidHTTPHeader, "buf: secret"), "InvalidHTTPHeader"),
            (
                *Error::because(ErrorType::ConnectError, "", Unresolved),
                "ConnectError: the upstream has no address that could be tried",
            ),
        ] {
            assert_eq!(cause(&error), expected);
        }
    }

    #[test]
    fn where_it_failed() {
        let name = UpstreamUrl::Http { host: "api".to_owned(), port: 80 };
        assert_eq!(At(None, &name).to_string(), "api:80");
        assert_eq!(At(Some(SocketAddr::from(([192, 0, 2, 1], 80))), &name).to_string(), "192.0.2.1:80");
        assert_eq!(At(None, &UpstreamUrl::Unix(PathBuf::from("/a"))).to_string(), "unix:/a");
    }
}
