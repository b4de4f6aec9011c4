//! `application/x-www-form-urlencoded`, strictly.
//!
//! The usual decoders replace what they cannot read; a password that arrives changed is a wrong password, and a name that
//! arrives changed is somebody else's.

/// The text has a bad escape, is no UTF-8, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not form-urlencoded UTF-8 text without control characters")]
pub struct NotUrlencoded;

/// Reads pairs in their order.
///
/// # Errors
/// [`NotUrlencoded`] if one of them cannot be read.
pub fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, NotUrlencoded> {
    text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

fn pair(pair: &[u8]) -> Result<(String, String), NotUrlencoded> {
    let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = pair.split_at(equals);
    let (name, value) = (decode(name)?, decode(value.get(1..).unwrap_or_default())?);
    if has_controls(&name, &value) { Err(NotUrlencoded) } else { Ok((name, value)) }
}

pub(super) fn decode(text: &[u8]) -> Result<String, NotUrlencoded> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next())? << 4 | hex(bytes.next())?,
            other => *other,
        });
    }
    String::from_utf8(decoded).map_err(|_| NotUrlencoded)
}

fn hex(digit: Option<&u8>) -> Result<u8, NotUrlencoded> {
    let digit = char::from(*digit.ok_or(NotUrlencoded)?).to_digit(16).ok_or(NotUrlencoded)?;
    u8::try_from(digit).map_err(|_| NotUrlencoded)
}

/// C0 controls: none belongs in a parameter, and NUL ends a string for some readers. In a scope they are for its own grammar to
/// refuse, with an error of its own (RFC 6749 §5.2).
pub(super) fn has_controls(name: &str, value: &str) -> bool {
    let any = |text: &str| text.bytes().any(|byte| byte < 0x20);
    any(name) || (any(value) && name != "scope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_or_refused() {
        for (text, read) in [
            (b"".as_slice(), Some(vec![])),
            (b"a=b&c=d", Some(vec![("a", "b"), ("c", "d")])),
            (b"password=se+cret%26%2B%C3%A9", Some(vec![("password", "se cret&+é")])),
            (b"password=se%20cret", Some(vec![("password", "se cret")])),
            (b"a&b=", Some(vec![("a", ""), ("b", "")])),
            (b"a=b=c", Some(vec![("a", "b=c")])),
            (b"&&a=b&", Some(vec![("a", "b")])),
            (b"username=a;password=b", Some(vec![("username", "a;password=b")])),
            (b"a=%zz", None),
            (b"a=%", None),
            (b"a=%4", None),
            (b"a=%+1", None),
            (b"a=%00", None),
            (b"%00=a", None),
            (b"scope=a%09b", Some(vec![("scope", "a\tb")])),
            (b"a=%0a", None),
            (b"a=\x01", None),
            (b"a=%ff", None),
            (b"a=\xff", None),
        ] {
            let expected = read.map(|pairs| pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect());
            assert_eq!(pairs(text).ok(), expected, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
