//! The request target as it stood on the wire (RFC 9112 §3.2).
//!
//! Pingora's `uri.path()` is what its parser made of the target; what goes upstream is the target itself. The policy must see
//! the bytes that are forwarded, so both come from here.

use super::host;

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

/// The forms a target may have here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// `/path?query`
    Origin,
    /// `http://authority/path?query`
    Absolute {
        /// What `Host` must say as well.
        authority: &'a [u8],
        /// The rest, in origin-form.
        origin: &'a [u8],
    },
    /// `*`: the server as such, for `OPTIONS` alone.
    Asterisk,
}

/// The target is of another form, or names another host than `Host` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request target in origin-form")]
pub struct NotATarget;

impl<'a> Form<'a> {
    /// Reads a target, whatever `Host` says.
    ///
    /// # Errors
    /// [`NotATarget`].
    pub fn read(raw: &'a [u8]) -> Result<Self, NotATarget> {
        // Blanks, controls and what is not ASCII would be rewritten on the way, a fragment cut off, in the query too: then the
        // upstream would not see what was decided on.
        if !are_plain(raw) {
            return Err(NotATarget);
        }
        match raw {
            [b'/', ..] => Ok(Self::Origin),
            b"*" => Ok(Self::Asterisk),
            _ => absolute(raw).ok_or(NotATarget),
        }
    }
}

impl<'a> Target<'a> {
    /// Reads a target. In absolute-form the scheme must be http or https and the authority that of `host`.
    ///
    /// # Errors
    /// [`NotATarget`].
    pub fn read(raw: &'a [u8], host: &[u8]) -> Result<Self, NotATarget> {
        match Form::read(raw)? {
            Form::Origin => Ok(Self::split(raw, false)),
            Form::Absolute { authority, origin } if host::is_same(authority, host) => Ok(Self::split(origin, true)),
            _ => Err(NotATarget),
        }
    }

    /// Parts a target that is in origin-form.
    #[must_use]
    pub fn split(origin: &'a [u8], was_absolute: bool) -> Self {
        let mark = memchr::memchr(b'?', origin).unwrap_or(origin.len());
        let (path, query) = origin.split_at_checked(mark).unwrap_or((origin, &[]));
        Self { path, query: query.get(1..), was_absolute }
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

/// Of what no URI has (RFC 3986 §2), clients send `|`, `{` and others as they are, and these pass. Not so what Pingora cannot keep
/// in a path or in a query: it would answer without a word in our log.
fn are_plain(raw: &[u8]) -> bool {
    let mut in_query = false;
    raw.iter().all(|byte| match byte {
        b'?' => {
            in_query = true;
            true
        }
        b'#' | b'<' | b'>' => false,
        b'"' => !in_query,
        b'`' => in_query,
        0x21..=0x7E => true,
        _ => false,
    })
}

fn absolute(raw: &[u8]) -> Option<Form<'_>> {
    let scheme = [b"http://".as_slice(), b"https://"].into_iter().find(|scheme| starts_with(raw, scheme))?;
    let rest = raw.get(scheme.len()..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at_checked(end)?;
    // Without a path there is nothing that both sides would spell alike.
    (host::is_valid(authority) && origin.first() == Some(&b'/')).then_some(Form::Absolute { authority, origin })
}

fn starts_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("/{x}|^\"\\?`{|}^\\", Some("/{x}|^\"\\?`{|}^\\")),
            ("/<x", None),
            ("/x>", None),
            ("/x`", None),
            ("/x?\"", None),
            // attacks.md P02
            ("http://a.example/x", Some("/x")),
            ("HTTPS://A.EXAMPLE/x?y", Some("/x?y")),
            ("http://a.example./x", Some("/x")),
            ("http://a.example", None),
            ("http://a.example?x", None),
            ("http://a.example:80/x", None),
            ("http://evil/x", None),
            ("http://u:p@a.example/x", None),
            ("http:///x", None),
            ("http:/\\a.example/x", None),
            ("foo://a.example/x", None),
            // P01
            ("admin", None),
            ("\\admin", None),
            ("../admin", None),
            (";/admin", None),
            ("%2fadmin", None),
            ("@evil/admin", None),
            ("\"/admin\"", None),
            ("?/admin", None),
            ("*", None),
            ("", None),
            (" /x ", None),
            ("/x ", None),
            ("/x?a b", None),
            // P12
            ("#/admin", None),
            ("/public#/../admin", None),
            ("/x?a#/../y", None),
            // P10, P16
            ("/admin\0", None),
            ("/x?\u{1}", None),
            ("/a\x7fb", None),
            ("/x?é", None),
            ("/\u{212a}ey", None),
        ] {
            assert_eq!(read(raw).as_deref(), origin_form, "{raw:?}");
        }
        assert_eq!(Form::read(b"*"), Ok(Form::Asterisk));
    }
}
