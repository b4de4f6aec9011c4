//! The client's cookies as they go upstream: one field, without doorward's own.

use http::HeaderValue;
use http::header::COOKIE;
use pingora::http::RequestHeader;

/// Joins what came in pieces and takes out what is doorward's: whoever has it has the session.
///
/// HTTP/2 sends cookies in pieces, of which an HTTP/1 application takes the first, the last or a list (RFC 9113 §8.2.3).
///
/// # Errors
/// None: what is left of valid values is valid.
pub fn filter(request: &mut RequestHeader) -> pingora::Result<()> {
    let mut fields = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let Some(first) = fields.next() else { return Ok(()) };
    let second = fields.next();
    if second.is_none() && memchr::memmem::find(first, NAME).is_none() {
        return Ok(());
    }
    let pieces = [first].into_iter().chain(second).chain(fields);
    let others: Vec<&[u8]> =
        pieces.flat_map(|piece| piece.split(|byte| *byte == b';')).filter(|pair| !is_ours(pair)).collect();
    let joined = others
        .iter()
        .map(|pair| pair.trim_ascii())
        .filter(|pair| !pair.is_empty())
        .collect::<Vec<_>>()
        .join(b"; ".as_slice());
    request.remove_header(&COOKIE);
    if joined.is_empty() { Ok(()) } else { request.insert_header("Cookie", joined) }
}

fn is_ours(pair: &[u8]) -> bool {
    let name = pair.trim_ascii_start();
    name.starts_with(HOST_NAME) || name.strip_prefix(NAME).is_some_and(|rest| rest.first() == Some(&b'_'))
}

/// What the names of doorward's cookies begin with (RFC 6265bis §4.1.3.2).
pub(super) const HOST_NAME: &[u8] = b"__Host-doorward";

/// On loopback without TLS they have to do without the prefix.
const NAME: &[u8] = b"doorward";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_and_without_our_own() {
        for (fields, upstream) in [
            (&[][..], None),
            (&["a=1; b=2"], Some("a=1; b=2")),
            (&["a=1;b=2"], Some("a=1;b=2")),
            (&["a=1", "b=2; c=3", "d=4"], Some("a=1; b=2; c=3; d=4")),
            (&["a=1; __Host-doorward_session=x; b=2"], Some("a=1; b=2")),
            (&["__Host-doorward_tx_0a1b2c3d=x"], None),
            (&["doorward_session=x;a=1"], Some("a=1")),
            (&["__Host-doorward=x; doorwards=1"], Some("doorwards=1")),
            (&["a=doorward_session; mydoorward_=1"], Some("a=doorward_session; mydoorward_=1")),
            (&["a=1;", " doorward_session=\"x; y\""], Some("a=1; y\"")),
            (&["a=1\u{e9}; doorward_x=1"], Some("a=1\u{e9}")),
        ] {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            for field in fields {
                request.append_header("Cookie", HeaderValue::from_bytes(field.as_bytes()).unwrap()).unwrap();
            }
            filter(&mut request).unwrap();
            let found: Vec<_> = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
            assert_eq!(found, upstream.map(str::as_bytes).into_iter().collect::<Vec<_>>(), "{fields:?}");
        }
    }
}
