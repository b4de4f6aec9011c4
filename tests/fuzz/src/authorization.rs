//! A token that is taken from `Authorization` is the only thing in it (RFC 6750 §2.1).

use doorward::gate::credential::Credential;

use super::Target;

/// The field's value.
pub const TARGET: Target = Target {
    name: "authorization",
    check: |data| property(data, read),
    planted: &[|data| property(data, merged), |data| property(data, picky)],
};

const LIMIT: usize = 8 * 1024;

fn property(field: &[u8], read: fn(&[u8]) -> Option<String>) {
    if let Some(token) = read(field) {
        let rest = trimmed(field);
        let (scheme, rest) = rest.split_at(6);
        assert!(scheme.eq_ignore_ascii_case(b"bearer"), "another scheme");
        let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
        assert!(blanks > 0, "no blank behind the scheme");
        assert_eq!(&rest[blanks..], token.as_bytes(), "something else stands in the field");
        assert!(is_b64token(token.as_bytes()), "not a b64token");
        assert!(token.len() <= LIMIT, "too long");
    }
    // What is a token is taken, however it is spelled around.
    let token: String =
        field.iter().take(LIMIT - 1).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
    if !token.is_empty() {
        for spelled in [format!("Bearer {token}"), format!("bEARER   {token}= \t")] {
            assert!(
                read(spelled.as_bytes()).is_some_and(|read| read.trim_end_matches('=') == token),
                "a token is refused"
            );
        }
    }
}

fn read(field: &[u8]) -> Option<String> {
    match Credential::read([field], LIMIT) {
        Credential::Bearer(token) => Some(token.to_owned()),
        _ => None,
    }
}

/// Takes the first of a list, as hops that merge fields with commas make one.
fn merged(field: &[u8]) -> Option<String> {
    read(field.split(|byte| *byte == b',').next().unwrap_or_default())
}

/// Knows the scheme in one spelling only, as many do.
fn picky(field: &[u8]) -> Option<String> {
    read(field).filter(|_| trimmed(field).starts_with(b"Bearer "))
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn is_b64token(token: &[u8]) -> bool {
    let end = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    end > 0 && token[..end].iter().all(|byte| ALPHABET.contains(byte))
}

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/";
