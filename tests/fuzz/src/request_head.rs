//! What is accepted as the head of a request, every server reads alike.

use bytes::Bytes;
use doorward::message::http2::Start;
use doorward::message::{BodyLength, Head, HeadLimits};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Target;

/// The head, and what may stand behind it.
pub const TARGET: Target = Target {
    name: "request_head",
    check: |data| property(data, read),
    planted: &[|data| property(data, planted), |data| property(data, asks_about_the_target)],
};

/// What a decision is made on.
struct Seen {
    method: Vec<u8>,
    target: Vec<u8>,
    host: Vec<u8>,
    body: BodyLength,
    length: usize,
    /// What goes upstream, and the path that the policy is asked about.
    origin_form: Vec<u8>,
    path: Vec<u8>,
}

fn property(data: &[u8], read: fn(&[u8]) -> Option<Seen>) {
    let Some(seen) = read(data) else { return };
    let head = &data[..seen.length];
    for (at, byte) in head.iter().enumerate() {
        assert!(*byte != b'\n' || (at > 0 && head[at - 1] == b'\r'), "a line that ends without CR");
        assert!(*byte != b'\r' || head.get(at + 1) == Some(&b'\n'), "a CR within a line");
    }
    assert!(head.ends_with(b"\r\n\r\n"), "no end");
    let text = head.strip_prefix(b"\r\n").unwrap_or(head);
    let text = text.strip_prefix(b"\r\n").unwrap_or(text);
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().expect("a line");
    assert!(
        [b" HTTP/1.1".as_slice(), b" HTTP/1.0"]
            .iter()
            .any(|version| [&seen.method[..], b" ", &seen.target, version].concat() == first),
        "another first line"
    );
    assert!(seen.target.iter().all(|byte| (0x21..0x7F).contains(byte) && *byte != b'#'), "a target nobody writes");
    let fields: Vec<(Vec<u8>, &[u8])> = lines.take_while(|line| !line.is_empty()).map(field).collect();
    let all = |name: &str| {
        fields.iter().filter(|(own, _)| own == name.as_bytes()).map(|(_, value)| *value).collect::<Vec<_>>()
    };
    assert_eq!(all("host"), [&seen.host[..]], "not one Host");
    for name in ["content-length", "transfer-encoding"] {
        let folded = fields.iter().filter(|(own, _)| {
            own.iter().map(|byte| if byte.is_ascii_alphanumeric() { *byte } else { b'-' }).eq(name.bytes())
        });
        assert_eq!(folded.count(), all(name).len(), "a spelling of {name} that some take for it");
    }
    let body = match (all("content-length").as_slice(), all("transfer-encoding").as_slice()) {
        ([], []) => BodyLength::None,
        ([length], []) => {
            let text = str::from_utf8(length).expect("digits");
            let number: u64 = text.parse().expect("a number");
            assert_eq!(number.to_string(), text, "not written as numbers are");
            BodyLength::Fixed(number)
        }
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case(b"chunked"), "a coding that is not undone");
            assert!(first.ends_with(b"1.1"), "chunks in HTTP/1.0");
            BodyLength::Chunked
        }
        _ => panic!("two ends of one body"),
    };
    let empty = |body| if body == BodyLength::Fixed(0) { BodyLength::None } else { body };
    assert_eq!(empty(body), empty(seen.body), "another end of the body");
    check_facts(&seen, &fields);
    // And the parser that gets it next agrees.
    let mut known = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut known);
    assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())), "the next parser refuses it");
    assert_eq!(request.method.map(str::as_bytes), Some(&seen.method[..]));
    assert_eq!(request.path.map(str::as_bytes), Some(&seen.target[..]));
    assert_eq!(request.headers.len(), fields.len(), "the next parser sees other fields");
}

/// The policy is asked about the path of exactly what goes upstream, and over HTTP/2 the same request is the same.
fn check_facts(seen: &Seen, fields: &[(Vec<u8>, &[u8])]) {
    let path = seen.origin_form.split(|byte| *byte == b'?').next().unwrap_or_default();
    assert_eq!(seen.path, path, "the policy is asked about another path");
    if seen.origin_form == b"*" {
        assert_eq!((&seen.method[..], &seen.target[..]), (&b"OPTIONS"[..], &b"*"[..]), "an asterisk of our own");
        return;
    }
    assert!(
        seen.origin_form.starts_with(b"/") && seen.target.ends_with(&seen.origin_form),
        "another target goes upstream"
    );
    if seen.target != seen.origin_form {
        let front = &seen.target[..seen.target.len() - seen.origin_form.len()];
        let authority = front.splitn(2, |byte| *byte == b':').nth(1).and_then(|rest| rest.strip_prefix(b"//"));
        assert!(authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&seen.host)), "of another host");
        return;
    }
    let of_connection = ["connection", "upgrade", "transfer-encoding"];
    if fields.iter().any(|(name, _)| of_connection.iter().any(|other| name == other.as_bytes())) {
        return;
    }
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(name, _)| name != b"host") {
        let name = HeaderName::from_bytes(name).expect("a name");
        headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    let method = str::from_utf8(&seen.method).expect("letters");
    let start = Start { method, target: &seen.target, authority: Some(&seen.host), headers: &headers };
    assert_eq!(start.check(&LIMITS), Ok((&seen.host[..], seen.body)), "HTTP/2 makes another request of it");
}

fn field(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':').expect("a field");
    let name = &line[..colon];
    assert!(
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)),
        "no name"
    );
    let mut value = &line[colon + 1..];
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    assert!(value.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7F)), "a control character");
    (name.to_ascii_lowercase(), value)
}

fn read(data: &[u8]) -> Option<Seen> {
    let head = Head::read(Bytes::copy_from_slice(data), &LIMITS).ok()?;
    Some(Seen {
        method: head.method().as_bytes().to_vec(),
        target: head.raw_target().to_vec(),
        host: head.host().to_vec(),
        body: head.body(),
        length: head.header_len(),
        origin_form: head.origin_form().to_vec(),
        path: head.path().to_vec(),
    })
}

/// Takes what a lenient parser takes, the first `Host`, and a length before a coding.
fn planted(data: &[u8]) -> Option<Seen> {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = request.parse(data) else { return None };
    let value = |name: &str| {
        request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let body = match (value("content-length"), value("transfer-encoding")) {
        (Some(length), _) => BodyLength::Fixed(str::from_utf8(length).ok()?.parse().ok()?),
        (None, Some(_)) => BodyLength::Chunked,
        (None, None) => BodyLength::None,
    };
    let (method, target) = (request.method?.as_bytes().to_vec(), request.path?.as_bytes().to_vec());
    let path = target.split(|byte| *byte == b'?').next()?.to_vec();
    Some(Seen { method, origin_form: target.clone(), path, target, host: value("host")?.to_vec(), body, length })
}

/// Asks the policy about the target as it came, whatever its form.
fn asks_about_the_target(data: &[u8]) -> Option<Seen> {
    let seen = read(data)?;
    let path = seen.target.split(|byte| *byte == b'?').next()?.to_vec();
    Some(Seen { path, ..seen })
}

const LIMITS: HeadLimits = HeadLimits { header_bytes: 8192, header_count: 100, uri_bytes: 4096 };
