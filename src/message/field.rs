//! Header fields, letter by letter (RFC 9110 §5).

/// A field line without its end: the name and where its value stands, blanks around it taken off. `None` if it is none:
/// a blank before the colon, a line that goes on the one before (RFC 9112 §5), a control byte.
#[must_use]
pub fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    (is_token(name) && is_value(value)).then(|| (name, trim(value)))
}

/// A field name, a method or a connection option (RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && all(text, |byte| TOKEN.get(usize::from(byte)).copied().unwrap_or_default())
}

/// Whether a value has no control bytes: some servers end it at a NUL, others a line at a bare CR. Bytes above ASCII may be
/// in values that nobody decides on.
#[must_use]
pub fn is_value(value: &[u8]) -> bool {
    all(value, |byte| (byte >= b' ' || byte == b'\t') && byte != 127)
}

/// Looks at each byte, however early the answer is known: without an exit the compiler takes sixteen at a time.
#[inline]
pub fn all(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let mut all = true;
    for byte in bytes {
        all &= is(*byte);
    }
    all
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "in a constant, below 256")]
        {
            table[byte] = matches!(byte as u8, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9'
                | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~');
        }
        byte += 1;
    }
    table
};

/// Whether a name means a field that ends the message, to servers that take `_` or `.` for `-` (WSGI and CGI do), and not
/// to the others.
#[must_use]
pub fn is_framing_respelled(name: &[u8]) -> bool {
    FRAMING.iter().any(|field| {
        let alike = |(own, theirs): (&u8, &u8)| {
            own.eq_ignore_ascii_case(theirs) || (*theirs == b'-' && !own.is_ascii_alphanumeric())
        };
        name.len() == field.len() && name.iter().zip(*field).all(alike) && !name.eq_ignore_ascii_case(field)
    })
}

/// Without optional white space around (RFC 9110 §5.6.3), and no other: `trim_ascii` would take form feeds, too.
#[must_use]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// How many cookies a `Cookie` field has (RFC 6265 §4.2.1), or other things between its semicolons.
#[must_use]
pub fn cookies(value: &[u8]) -> usize {
    value.split(|byte| *byte == b';').filter(|cookie| !trim(cookie).is_empty()).count()
}

/// Cookies of one request, in all of its fields. Applications make an object of each.
pub const MAX_COOKIES: usize = 64;

const FRAMING: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_value() {
        for (line, parts) in [
            ("A: b", Some(("A", "b"))),
            ("a:b", Some(("a", "b"))),
            ("A:", Some(("A", ""))),
            ("A: \t b c \t", Some(("A", "b c"))),
            ("!#$%&'*+-.^_`|~0aZ: é", Some(("!#$%&'*+-.^_`|~0aZ", "é"))),
            ("A : b", None),
            (" A: b", None),
            ("\tA: b", None),
            (": b", None),
            ("A", None),
            ("", None),
            ("A(: b", None),
            ("A\"B: c", None),
            ("é: b", None),
            ("A: b\0c", None),
            ("A: b\rc", None),
            ("A: \x0bb", None),
            ("A: b\x7f", None),
        ] {
            let parts = parts.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert_eq!(split(line.as_bytes()), parts, "{line:?}");
        }
    }

    #[test]
    fn other_spellings_of_framing_fields() {
        for (name, respelled) in [
            ("Content_Length", true),
            ("content.length", true),
            ("TRANSFER_ENCODING", true),
            ("Transfer~Encoding", true),
            ("Content-Length", false),
            ("transfer-encoding", false),
            ("ContentXLength", false),
            ("Content-Lengths", false),
            ("Transfer-Encodin_", false),
        ] {
            assert_eq!(is_framing_respelled(name.as_bytes()), respelled, "{name}");
        }
    }
}
