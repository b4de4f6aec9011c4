//! The one credential of a request (RFC 6750 §2.1, RFC 9110 §11.6.2).

use crate::policy::Reason;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

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
    /// Reads all `Authorization` fields of a request.
    pub fn read(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut fields = fields.into_iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::None,
            (Some(field), None) => Self::read_one(field),
            (Some(_), Some(_)) => Self::Multiple,
        }
    }

    fn read_one(field: &'a [u8]) -> Self {
        let field = trim(field);
        let scheme_end = field.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(field.len());
        let (scheme, rest) = field.split_at(scheme_end);
        if !scheme.eq_ignore_ascii_case(b"Bearer") {
            return Self::None;
        }
        let token = trim(rest);
        if token.len() > MAX_TOKEN_BYTES {
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
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

/// Optional white space (RFC 9110 §5.6.3), and no other: `trim_ascii` would also take form feeds.
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bearer_token_in_any_case_of_the_scheme() {
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
            assert_eq!(Credential::read([field.as_bytes()]), credential, "{field:?}");
        }
        assert_eq!(Credential::read([b"Bearer \xff".as_slice()]), Credential::Malformed);
        assert_eq!(Credential::read([b"Bearer a".as_slice(), b"Bearer a"]), Credential::Multiple);
        assert_eq!(Credential::read([b"Bearer a".as_slice(), b"Basic x"]), Credential::Multiple);
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        assert_eq!(Credential::read([long.as_bytes()]), Credential::TooLarge);
    }
}
