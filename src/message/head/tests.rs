use super::HeadError::{FieldsTooLarge, Malformed, MethodNotAllowed, TargetTooLong};
use super::*;

const LIMITS: HeadLimits = HeadLimits { header_bytes: 400, header_count: 10, uri_bytes: 40 };

fn read(head: &str) -> Result<Head, HeadError> {
    Head::read(Bytes::copy_from_slice(head.as_bytes()), &LIMITS)
}

/// Why it is refused: for the same reason at once, and byte by byte.
fn error(head: &str) -> Option<HeadError> {
    let whole = read(head);
    let mut reader = HeadReader::default();
    let mut found = Ok(None);
    for end in 0..=head.len() {
        found = reader.read(&head.as_bytes()[..end], &LIMITS);
        if !matches!(found, Ok(None)) {
            break;
        }
    }
    match &whole {
        Ok(head) => assert_eq!(found, Ok(Some(head.len))),
        Err(error) => assert!(found == Err(*error) || found == Ok(None), "{found:?}, {error:?}"),
    }
    whole.err()
}

#[test]
fn what_it_says() {
    let text = "\r\nPOST http://A.example/x?y HTTP/1.1\r\nX: 1\r\nhost:\ta.example \r\nContent-Length: 5\r\n\r\nhello";
    let head = read(text).unwrap();
    assert_eq!(head.method(), "POST");
    assert_eq!(head.raw_target(), b"http://A.example/x?y");
    assert_eq!(head.origin_form(), b"/x?y");
    assert_eq!(head.target(), Target { path: b"/x", query: Some(b"y"), was_absolute: true });
    assert_eq!(head.path(), b"/x");
    assert_eq!(head.host(), b"a.example");
    assert_eq!(head.body(), BodyLength::Fixed(5));
    assert_eq!(head.header_len(), text.len() - 5);
    assert!(!head.expects_upgrade() && !head.is_asterisk());
    let rewritten = "\r\nPOST /x?y HTTP/1.1\r\nX: 1\r\nhost:\ta.example \r\nContent-Length: 5\r\n\r\n";
    assert_eq!(head.rewritten().unwrap(), rewritten);

    let head = read("GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
    assert!(head.expects_upgrade() && head.rewritten().is_none());
    assert_eq!((head.target().query, head.body()), (None, BodyLength::None));
}

#[test]
fn request_lines() {
    let long = format!("GET /{} HTTP/1.1", "x".repeat(40));
    let longest = format!("GET /{} HTTP/1.1", "x".repeat(39));
    let long_method = format!("{} / HTTP/1.1", "A".repeat(33));
    for (line, expected) in [
        ("GET / HTTP/1.1", None),
        ("GET / HTTP/1.0", None),
        ("M-SEARCH /x HTTP/1.1", None),
        ("PROPFIND /x HTTP/1.1", None),
        ("OPTIONS * HTTP/1.1", None),
        ("\r\n\r\nGET / HTTP/1.1", None),
        ("GET http://a/x HTTP/1.1", None),
        ("GET https://A./x HTTP/1.1", None),
        (&longest, None),
        ("\r\n\r\n\r\nGET / HTTP/1.1", Some(Malformed)),
        ("\nGET / HTTP/1.1", Some(Malformed)),
        // attacks.md P01
        ("GET admin HTTP/1.1", Some(Malformed)),
        ("GET \\admin HTTP/1.1", Some(Malformed)),
        ("GET \"/admin\" HTTP/1.1", Some(Malformed)),
        ("GET  /admin  HTTP/1.1", Some(Malformed)),
        ("GET /a b HTTP/1.1", Some(Malformed)),
        ("GET\t/ HTTP/1.1", Some(Malformed)),
        (" GET / HTTP/1.1", Some(Malformed)),
        ("GET / HTTP/1.1 ", Some(Malformed)),
        // P02
        ("GET foo://a/x HTTP/1.1", Some(Malformed)),
        ("GET http://evil/x HTTP/1.1", Some(Malformed)),
        ("GET http://u:p@a/ HTTP/1.1", Some(Malformed)),
        // P10, P12, P16
        ("GET /admin\0 HTTP/1.1", Some(Malformed)),
        ("GET /a\x01b HTTP/1.1", Some(Malformed)),
        ("GET /a\x7fb HTTP/1.1", Some(Malformed)),
        ("GET /é HTTP/1.1", Some(Malformed)),
        ("GET #/admin HTTP/1.1", Some(Malformed)),
        ("GET /public#/../admin HTTP/1.1", Some(Malformed)),
        // P19
        ("GEt / HTTP/1.1", Some(Malformed)),
        ("post / HTTP/1.1", Some(Malformed)),
        ("FOO! / HTTP/1.1", Some(Malformed)),
        (" / HTTP/1.1", Some(Malformed)),
        (&long_method, Some(Malformed)),
        // P20, P21
        ("GET * HTTP/1.1", Some(Malformed)),
        ("TRACE / HTTP/1.1", Some(MethodNotAllowed)),
        ("CONNECT a:443 HTTP/1.1", Some(MethodNotAllowed)),
        // S04
        ("GET /", Some(Malformed)),
        ("GET / HTTP/1.2", Some(Malformed)),
        ("GET / HTTP/2.0", Some(Malformed)),
        ("PRI * HTTP/2.0", Some(Malformed)),
        ("GET / HTTP/1.1\t", Some(Malformed)),
        ("GET / http/1.1", Some(Malformed)),
        ("GET / HTTP/01.1", Some(Malformed)),
        ("GET HTTP/1.1", Some(Malformed)),
        ("GET  HTTP/1.1", Some(Malformed)),
        // S22
        (&long, Some(TargetTooLong)),
    ] {
        assert_eq!(error(&format!("{line}\r\nHost: a\r\n\r\n")), expected, "{line:?}");
    }
}

#[test]
fn fields() {
    let (cookies, most) = (format!("Cookie: {}", "a;".repeat(65)), format!("Cookie: {}", "a;".repeat(64)));
    let (long, many) = (format!("X: {}", "x".repeat(400)), "X:\r\n".repeat(9) + "X:");
    for (line, expected) in [
        ("X: caf\u{e9} \u{85}\u{a0}", None),
        ("X:", None),
        ("Transfer-Encoding: chunked", None),
        ("tRANSFER-eNCODING: Chunked", None),
        ("Content-Length:5", None),
        ("Connection: close, X-Auth-User", None),
        (&most, None),
        // attacks.md S01, S02
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Some(Malformed)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Some(Malformed)),
        ("Transfer-Encoding: ,chunked", Some(Malformed)),
        ("Transfer-Encoding: xchunked, chunked", Some(Malformed)),
        ("Transfer-Encoding: identity", Some(Malformed)),
        ("Transfer-Encoding: chunked, chunked", Some(Malformed)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Some(Malformed)),
        ("Transfer-Encoding: \x0bchunked", Some(Malformed)),
        ("Transfer-Encoding:\tchunked", Some(Malformed)),
        ("Transfer-Encoding: chunked ", Some(Malformed)),
        ("Transfer-Encoding : chunked", Some(Malformed)),
        ("Transfer_Encoding: chunked", Some(Malformed)),
        ("Transfer-Encoding: chunked;q=1", Some(Malformed)),
        ("Transfer-Encoding: \"chunked\"", Some(Malformed)),
        ("Transfer-Encoding:\r\n chunked", Some(Malformed)),
        ("Transfer-Encoding:", Some(Malformed)),
        // S03
        ("Content-Length: 005", Some(Malformed)),
        ("Content-Length: 5\t", Some(Malformed)),
        ("Content-Length:", Some(Malformed)),
        ("Content-Length: 5, 5", Some(Malformed)),
        ("Content-Length: 5\r\nContent-Length: 5", Some(Malformed)),
        ("Content_Length: 5", Some(Malformed)),
        // S07, S08
        ("X: b\nY: c", Some(Malformed)),
        ("X: b\rX-Auth-User: admin", Some(Malformed)),
        ("X: b\r\n c: d", Some(Malformed)),
        ("X: b\0c", Some(Malformed)),
        ("X: \x01", Some(Malformed)),
        ("X: \x7f", Some(Malformed)),
        ("X : b", Some(Malformed)),
        (": b", Some(Malformed)),
        ("X", Some(Malformed)),
        ("\rX: b", Some(Malformed)),
        // P22
        ("Host: a", Some(Malformed)),
        ("host: b", Some(Malformed)),
        // I05
        ("Connection: Host", Some(Malformed)),
        ("Connection: X-Forwarded-For", Some(Malformed)),
        ("Connection: a,b,c,d,e\r\nConnection: f,g,h,i,j", Some(Malformed)),
        // S22
        (&cookies, Some(FieldsTooLarge)),
        (&long, Some(FieldsTooLarge)),
        (&many, Some(FieldsTooLarge)),
    ] {
        assert_eq!(error(&format!("POST /x HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")), expected, "{line:?}");
    }
}

#[test]
fn hosts_versions_and_ends() {
    for (head, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.0\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost: google.com\0.evil\r\n\r\n", Some(Malformed)),
        ("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n", None),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Some(Malformed)),
        ("GET / HTTP/1.1\nHost: a\n\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX", Some(Malformed)),
        ("GET / HTTP/1.1\r\nHost: a\r\n", Some(Malformed)),
    ] {
        assert_eq!(error(head), expected, "{head:?}");
    }
}

#[test]
fn refused_before_its_end_is_there() {
    let (method, target) = ("A".repeat(33), format!("GET /{}", "x".repeat(60)));
    let (field, fields) = (format!("X: {}", "x".repeat(400)), "X: y\r\n".repeat(10));
    let line = "GET / HTTP/1.1\r\n";
    for (begun, expected) in [
        (method, Malformed),
        (target, TargetTooLong),
        ("GET /\0".to_owned(), Malformed),
        ("GET /\r\r".to_owned(), Malformed),
        ("\x16\x03\x01".to_owned(), Malformed),
        ("GET /\r\n".to_owned(), Malformed),
        ("TRACE / HTTP/1.1\r\n".to_owned(), MethodNotAllowed),
        (format!("{line}X: \x01"), Malformed),
        (format!("{line}\n"), Malformed),
        (format!("{line}{field}"), FieldsTooLarge),
        (format!("{line}{fields}X:\r\n"), FieldsTooLarge),
    ] {
        let mut reader = HeadReader::default();
        assert_eq!(reader.read(begun.as_bytes(), &LIMITS), Err(expected), "{begun:?}");
    }
    let mut reader = HeadReader::default();
    assert_eq!(reader.read(format!("{line}Host: a\r\n\r").as_bytes(), &LIMITS), Ok(None));
}

/// A head that is exactly at its limits passes, however it is cut.
#[test]
fn limits_are_what_they_say() {
    let head = |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - 9 - 5));
    assert_eq!(error(&head(400)), None);
    assert_eq!(error(&head(401)), Some(FieldsTooLarge));
}
