//! The head of an HTTP/2 request, read as strictly as one of HTTP/1 (RFC 9113 §8.2, §8.3).

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE};

use super::head::check_method;
use super::target::Form;
use super::{BodyLength, HeadError, HeadLimits, field, framing, host};

/// What a stream begins with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// `:method`
    pub method: &'a str,
    /// `:path`
    pub target: &'a [u8],
    /// `:authority`
    pub authority: Option<&'a [u8]>,
    /// The fields.
    pub headers: &'a HeaderMap,
}

impl<'a> Start<'a> {
    /// The host, if everything fits together, and whether a length of the body is declared.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn check(&self, limits: &HeadLimits) -> Result<(&'a [u8], BodyLength), HeadError> {
        check_method(self.method.as_bytes())?;
        if self.target.len() > limits.uri_bytes {
            return Err(HeadError::TargetTooLong);
        }
        match Form::read(self.target) {
            Ok(Form::Origin) => {}
            Ok(Form::Asterisk) if self.method == "OPTIONS" => {}
            _ => return Err(HeadError::Malformed),
        }
        self.check_fields(limits)?;
        Ok((self.host()?, self.length()?))
    }

    /// `:authority`, or `host` in its place; where both are there, they say the same.
    fn host(&self) -> Result<&'a [u8], HeadError> {
        let mut hosts = self.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
        let host = match (self.authority, hosts.next(), hosts.next()) {
            (Some(authority), None, None) => authority,
            (Some(authority), Some(host), None) if host::is_same(authority, host) => authority,
            (None, Some(host), None) => host,
            _ => return Err(HeadError::Malformed),
        };
        Some(host).filter(|host| host::is_valid(host)).ok_or(HeadError::Malformed)
    }

    fn length(&self) -> Result<BodyLength, HeadError> {
        let mut lengths = self.headers.get_all(CONTENT_LENGTH).iter();
        let length = lengths.next().map(|length| framing::content_length(length.as_bytes()));
        match (length, lengths.next()) {
            (None, _) => Ok(BodyLength::None),
            (Some(Some(length)), None) => Ok(BodyLength::Fixed(length)),
            _ => Err(HeadError::Malformed),
        }
    }

    fn check_fields(&self, limits: &HeadLimits) -> Result<(), HeadError> {
        // Of the connection, which HTTP/2 has not: for the HTTP/1 upstream they would mean something.
        let of_connection = [CONNECTION, TRANSFER_ENCODING, UPGRADE];
        if of_connection.iter().any(|name| self.headers.contains_key(name)) {
            return Err(HeadError::Malformed);
        }
        let (mut bytes, mut cookies) = (0, 0);
        for (name, value) in self.headers {
            let (name, value) = (name.as_str(), value.as_bytes());
            // `http` lets more stand in a name than a token has. Blanks around a value are none of it (RFC 9113 §8.2.1).
            let is_plain = field::is_token(name.as_bytes()) && field::trim(value).len() == value.len();
            if !is_plain || field::is_framing_respelled(name.as_bytes()) {
                return Err(HeadError::Malformed);
            }
            if name == COOKIE.as_str() {
                cookies += field::cookies(value);
            }
            // As long as on HTTP/1, with colon, blank and the end of the line.
            bytes += name.len() + value.len() + 4;
        }
        let too_large =
            bytes > limits.header_bytes || self.headers.len() > limits.header_count || cookies > field::MAX_COOKIES;
        if too_large { Err(HeadError::FieldsTooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const LIMITS: HeadLimits = HeadLimits { header_bytes: 300, header_count: 8, uri_bytes: 20 };

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap();
        fields.iter().map(|(field, value)| (name(field), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn host_of(
        method: &str,
        target: &str,
        authority: Option<&str>,
        fields: &[(&str, &str)],
    ) -> Result<String, HeadError> {
        let (authority, headers) = (authority.map(str::as_bytes), headers(fields));
        let start = Start { method, target: target.as_bytes(), authority, headers: &headers };
        start.check(&LIMITS).map(|(host, _)| String::from_utf8_lossy(host).into_owned())
    }

    #[test]
    fn method_target_and_host() {
        use HeadError::{Malformed, MethodNotAllowed, TargetTooLong};
        let host = |host: &str| Ok(host.to_owned());
        for (method, target, authority, field, expected) in [
            ("GET", "/x?y", Some("a:80"), None, host("a:80")),
            ("GET", "/x", Some("a"), Some("A."), host("a")),
            ("GET", "/x", None, Some("b"), host("b")),
            ("OPTIONS", "*", Some("a"), None, host("a")),
            // conformance.md 180, attacks.md P22
            ("GET", "/x", Some("a"), Some("b"), Err(Malformed)),
            ("GET", "/x", None, None, Err(Malformed)),
            ("GET", "/x", Some("u@a"), None, Err(Malformed)),
            ("GET", "/x", Some(""), None, Err(Malformed)),
            // S16
            ("GET", "admin", Some("a"), None, Err(Malformed)),
            ("GET", "\\admin", Some("a"), None, Err(Malformed)),
            ("GET", "http://a/x", Some("a"), None, Err(Malformed)),
            ("GET", "", Some("a"), None, Err(Malformed)),
            ("GET", "/x#y", Some("a"), None, Err(Malformed)),
            ("GET", "/x HTTP/1.1\r\nX: y", Some("a"), None, Err(Malformed)),
            ("GET", "*", Some("a"), None, Err(Malformed)),
            ("GEt", "/x", Some("a"), None, Err(Malformed)),
            ("GET", "/01234567890123456789", Some("a"), None, Err(TargetTooLong)),
            // P21
            ("TRACE", "/x", Some("a"), None, Err(MethodNotAllowed)),
            ("CONNECT", "/x", Some("a"), None, Err(MethodNotAllowed)),
        ] {
            let fields: Vec<_> = field.into_iter().map(|host| ("host", host)).collect();
            assert_eq!(
                host_of(method, target, authority, &fields),
                expected,
                "{method} {target} {authority:?} {field:?}"
            );
        }
        assert_eq!(host_of("GET", "/x", None, &[("host", "a"), ("host", "a")]), Err(Malformed));
    }

    #[test]
    fn fields_that_frame_and_their_limits() {
        use HeadError::{FieldsTooLarge, Malformed};
        let (cookies, most) = ("a;".repeat(65), "a;".repeat(64));
        let long = "x".repeat(300);
        for (fields, expected) in [
            (&[("content-length", "5")][..], Ok(BodyLength::Fixed(5))),
            (&[("te", "trailers")], Ok(BodyLength::None)),
            (&[("cookie", &most)], Ok(BodyLength::None)),
            // S17
            (&[("content-length", "5"), ("content-length", "5")], Err(Malformed)),
            (&[("content-length", "005")], Err(Malformed)),
            (&[("content_length", "5")], Err(Malformed)),
            (&[("transfer-encoding", "chunked")], Err(Malformed)),
            (&[("transfer_encoding", "chunked")], Err(Malformed)),
            (&[("connection", "close")], Err(Malformed)),
            (&[("upgrade", "websocket")], Err(Malformed)),
            // I08
            (&[("x-a", " \tadmin ")], Err(Malformed)),
            // S22
            (&[("cookie", &cookies)], Err(FieldsTooLarge)),
            (&[("x", &long)], Err(FieldsTooLarge)),
            (&[("x", ""); 9], Err(FieldsTooLarge)),
        ] {
            let headers = headers(fields);
            let start = Start { method: "POST", target: b"/x", authority: Some(b"a"), headers: &headers };
            let found = start.check(&LIMITS).map(|(_, length)| length);
            assert_eq!(found, expected, "{fields:?}");
        }
    }
}
