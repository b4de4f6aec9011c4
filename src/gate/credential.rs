//! The one credential of a request (RFC 6750 §2.1, RFC 9110 §11.6.2).

use crate::message::field::{self, trim};
use crate::policy::Reason;

/// What the `Authorization` fields of a request say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'a> {
    /// No field, or another scheme's: nothing that is ours to judge.
    None,
    /// A Bearer token in the form RFC 6750 §2.1 gives it.
    Bearer(&'a str),
    /// A Bearer field that holds no token.
    Malformed,
    /// A Bearer token over the limit; nothing of it was looked at.
    TooLarge,
    /// More than one field. Two hops could each pick another one.
    Multiple,
}

impl<'a> Credential<'a> {
    /// Reads all `Authorization` fields of a request. The longest token that is looked at has `token_bytes`.
    pub fn read(fields: impl IntoIterator<Item = &'a [u8]>, token_bytes: usize) -> Self {
        let mut fields = fields.into_iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::None,
            (Some(field), None) => Self::read_one(field, token_bytes),
            (Some(_), Some(_)) => Self::Multiple,
        }
    }

    fn read_one(field: &'a [u8], token_bytes: usize) -> Self {
        let field = trim(field);
        let scheme_end = field.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(field.len());
        let (scheme, rest) = field.split_at(scheme_end);
        if !scheme.eq_ignore_ascii_case(b"Bearer") {
            return Self::None;
        }
        let token = trim(rest);
        if token.len() > token_bytes {
            return Self::TooLarge;
        }
        // `1*SP`: a tab between is another message to some parsers.
        let separated_by_blanks = rest.get(..rest.len() - token.len()).is_some_and(|gap| !gap.contains(&b'\t'));
        match std::str::from_utf8(token) {
            Ok(token) if separated_by_blanks && is_b64token(token) => Self::Bearer(token),
            _ => Self::Malformed,
        }
    }

    /// The reason to refuse it unseen; `None` for no credential and for a token that can be verified.
    #[must_use]
    pub fn refusal(self) -> Option<Reason> {
        match self {
            Self::None | Self::Bearer(_) => None,
            Self::Malformed => Some(Reason::MalformedToken),
            Self::TooLarge => Some(Reason::TooLarge),
            Self::Multiple => Some(Reason::MultipleCredentials),
        }
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
pub(super) fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed =
        |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && field::all(body.as_bytes(), allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_in_any_case_of_the_scheme() {
        let read = |fields: &[&'static [u8]]| Credential::read(fields.iter().copied(), 20);
        for (field, credential) in [
            ("Bearer a.b.c", Credential::Bearer("a.b.c")),
            ("bearer a.b.c", Credential::Bearer("a.b.c")),
            ("bEaReR   a.b.c  ", Credential::Bearer("a.b.c")),
            ("Bearer a+/~_-.9==", Credential::Bearer("a+/~_-.9==")),
            ("", Credential::None),
            ("Basic abc", Credential::None),
            ("Bearer: a", Credential::None),
            ("BearerT", Credential::None),
            ("Bearer=a", Credential::None),
            ("JWT a", Credential::None),
            ("Bearer", Credential::Malformed),
            ("Bearer ", Credential::Malformed),
            ("Bearer a b", Credential::Malformed),
            ("Bearer a,b", Credential::Malformed),
            ("Bearer a, Bearer b", Credential::Malformed),
            ("Bearer\ta", Credential::Malformed),
            ("Bearer =", Credential::Malformed),
            ("Bearer a=b", Credential::Malformed),
            ("Bearer é", Credential::Malformed),
            ("Bearer a\x7f", Credential::Malformed),
        ] {
            assert_eq!(read(&[field.as_bytes()]), credential, "{field:?}");
        }
        assert_eq!(read(&[b"Bearer \xff"]), Credential::Malformed);
        assert_eq!(read(&[b"Bearer a", b"Bearer a"]), Credential::Multiple);
        assert_eq!(read(&[b"Bearer a", b"Basic x"]), Credential::Multiple);
        assert_eq!(read(&[b"Bearer 20-letters-and-no-m"]), Credential::Bearer("20-letters-and-no-m"));
        assert_eq!(read(&[b"Bearer 21-letters-which-is-1"]), Credential::TooLarge);
    }
}
