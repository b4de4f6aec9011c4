//! A token in the query, for clients that can set no header, such as a browser's `EventSource` (RFC 6750 §2.3). URLs end up in
//! logs and histories, so it is looked at for routes of `insecure.query_token` only.

use std::borrow::Cow;

use url::form_urlencoded;

use super::credential::{self, Credential};

/// Reads `access_token` of a query; tokens longer than `limit` bytes are not looked at.
///
/// There is one, in plain spelling: of two, or of a name in disguise, the application could take another than was checked. A token
/// needs no escapes.
#[must_use]
pub fn credential(query: &[u8], limit: usize) -> Credential<'_> {
    let mut tokens = parameters(query).filter(is_token);
    match (tokens.next(), tokens.next()) {
        (None, _) => Credential::None,
        (Some(parameter), None) => read(parameter, limit),
        (Some(_), Some(_)) => Credential::Multiple,
    }
}

/// What of such a query is left without the token, every byte of it as it was; empty if nothing is.
#[must_use]
pub fn without_token(query: &[u8]) -> Vec<u8> {
    let mut left = Vec::with_capacity(query.len());
    for (at, parameter) in query.split_inclusive(is_separator).enumerate() {
        let (own, _) = parameter.split_at(parameter.iter().position(is_separator).unwrap_or(parameter.len()));
        if !is_token(&own) {
            left.extend_from_slice(parameter);
        } else if at > 0 && own.len() == parameter.len() {
            // The last one goes with what was in front of it.
            left.pop();
        }
    }
    left
}

fn read(parameter: &[u8], limit: usize) -> Credential<'_> {
    match parameter.strip_prefix(b"access_token=") {
        Some(token) if token.len() > limit => Credential::TooLarge,
        Some(token) => match std::str::from_utf8(token) {
            Ok(token) if credential::is_b64token(token) => Credential::Bearer(token),
            _ => Credential::Malformed,
        },
        None => Credential::Malformed,
    }
}

fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(is_separator)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what splitting a slice asks for")]
fn is_separator(byte: &u8) -> bool {
    // Some servers take `;` for `&`.
    matches!(byte, b'&' | b';')
}

fn is_token(parameter: &&[u8]) -> bool {
    // Most have nothing in common with it, not even escaped.
    let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
    name == NAME || (name.contains(&b'%') && decoded(name) == NAME)
}

fn decoded(name: &[u8]) -> Cow<'_, [u8]> {
    match form_urlencoded::parse(name).next() {
        Some((name, _)) => Cow::Owned(name.into_owned().into_bytes()),
        None => Cow::Borrowed(name),
    }
}

const NAME: &[u8] = b"access_token";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_in_plain_spelling() {
        for (query, expected, left) in [
            ("", Credential::None, ""),
            ("a=b&token=x", Credential::None, "a=b&token=x"),
            ("ACCESS_TOKEN=x", Credential::None, "ACCESS_TOKEN=x"),
            ("access_token=a.b-c_d", Credential::Bearer("a.b-c_d"), ""),
            ("a=b&access_token=t&c", Credential::Bearer("t"), "a=b&c"),
            ("a=b;access_token=t", Credential::Bearer("t"), "a=b"),
            ("access_token=t&a=b;c", Credential::Bearer("t"), "a=b;c"),
            ("a;access_token=t;c&", Credential::Bearer("t"), "a;c&"),
            ("access_token=", Credential::Malformed, ""),
            ("access_token", Credential::Malformed, ""),
            ("access_token=a%2Eb", Credential::Malformed, ""),
            ("access%5Ftoken=t&x=1", Credential::Malformed, "x=1"),
            ("access_token=t&access_token=t", Credential::Multiple, ""),
            ("access_token=t&%61ccess_token=u", Credential::Multiple, ""),
            ("access_token=more-than-twenty-bytes", Credential::TooLarge, ""),
        ] {
            assert_eq!(credential(query.as_bytes(), 20), expected, "{query}");
            assert_eq!(without_token(query.as_bytes()), left.as_bytes(), "{query}");
        }
    }
}
