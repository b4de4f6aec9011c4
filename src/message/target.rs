//! The request target as it stood on the wire (RFC 9112 §3.2).
//!
//! Pingora's `uri.path()` is what its parser made of the target; what goes upstream is the target itself. The policy must see
//! the bytes that are forwarded, so both come from here.

use std::ops::Range;

/// A request target in origin-form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path, not decoded.
    pub path: &'a [u8],
    /// What stands behind the first `?`.
    pub query: Option<&'a [u8]>,
    /// Whether it came in absolute-form and must be rewritten before it is forwarded.
    pub was_absolute: bool,
}

/// The target is of another form, or names another host than `Host` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request target in origin-form")]
pub struct NotATarget;

/// Where the target stands in the head of an HTTP/1 request: between the first and the last blank of its first line.
#[must_use]
pub fn in_head(head: &[u8]) -> Option<Range<usize>> {
    // Empty lines before the request line are skipped (RFC 9112 §2.2), as Pingora's parser does.
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = head.get(start..)?;
    let line = line.get(..line.iter().position(|byte| *byte == b'\n')?)?;
    let first = line.iter().position(|byte| *byte == b' ')?;
    let last = line.iter().rposition(|byte| *byte == b' ')?;
    (first < last).then_some(start + first + 1..start + last)
}

impl<'a> Target<'a> {
    /// Reads a target. In absolute-form the scheme must be http or https and the authority that of `host`.
    ///
    /// # Errors
    /// [`NotATarget`].
    pub fn read(raw: &'a [u8], host: &[u8]) -> Result<Self, NotATarget> {
        // Blanks, controls and what is not ASCII would be rewritten on the way, a fragment cut off, in the query too: then the
        // upstream would not see what was decided on.
        if raw.iter().any(|byte| !matches!(byte, 0x21..=0x7E) || *byte == b'#') {
            return Err(NotATarget);
        }
        let (origin_form, was_absolute) = match raw {
            [b'/', ..] => (raw, false),
            _ => (after_authority(raw, host).ok_or(NotATarget)?, true),
        };
        let (path, query) = match origin_form.iter().position(|byte| *byte == b'?') {
            Some(mark) => (origin_form.get(..mark), origin_form.get(mark + 1..)),
            None => (Some(origin_form), None),
        };
        Ok(Self { path: path.ok_or(NotATarget)?, query, was_absolute })
    }

    /// The target in origin-form.
    #[must_use]
    pub fn origin_form(&self) -> Vec<u8> {
        let mut whole = self.path.to_vec();
        if let Some(query) = self.query {
            whole.push(b'?');
            whole.extend_from_slice(query);
        }
        whole
    }
}

fn after_authority<'a>(raw: &'a [u8], host: &[u8]) -> Option<&'a [u8]> {
    let scheme = [b"http://".as_slice(), b"https://"].into_iter().find(|scheme| starts_with(raw, scheme))?;
    let rest = raw.get(scheme.len()..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    // Without a path there is nothing that both sides would spell alike.
    (authority.eq_ignore_ascii_case(host) && rest.first() == Some(&b'/')).then_some(rest)
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_stands_between_the_blanks() {
        for (head, target) in [
            ("GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n", Some("/x?y")),
            ("\r\nGET /x HTTP/1.1\r\n\r\n", Some("/x")),
            ("GET  /x  HTTP/1.1\r\n\r\n", Some(" /x ")),
            ("GET /x#/../y HTTP/1.1\r\n\r\n", Some("/x#/../y")),
            ("GET\r\n", None),
        ] {
            assert_eq!(in_head(head.as_bytes()).map(|range| &head[range]), target, "{head}");
        }
    }

    #[test]
    fn origin_form_or_absolute_form_of_the_same_host() {
        let read = |raw: &'static str| {
            let target = Target::read(raw.as_bytes(), b"a.example").ok()?;
            Some(String::from_utf8(target.origin_form()).unwrap())
        };
        for (raw, origin_form) in [
            ("/x?y?z", Some("/x?y?z")),
            ("/", Some("/")),
            ("/x?", Some("/x?")),
            ("http://a.example/x", Some("/x")),
            ("HTTPS://A.EXAMPLE/x?y", Some("/x?y")),
            ("http://a.example", None),
            ("http://a.example?x", None),
            ("http://evil/x", None),
            ("http://u:p@a.example/x", None),
            ("foo://a.example/x", None),
            ("admin", None),
            ("*", None),
            ("", None),
            (" /x ", None),
            ("/x ", None),
            ("/x?a b", None),
            ("/x?a#/../y", None),
            ("/x?\u{1}", None),
            ("/x?é", None),
        ] {
            assert_eq!(read(raw).as_deref(), origin_form, "{raw:?}");
        }
    }
}
