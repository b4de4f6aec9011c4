//! Whether a secret can be guessed.
//!
//! HMAC keys are tried offline from lists, with a token as the test, so a secret that anybody could have written is as
//! good as none.

use std::collections::BTreeSet;

use super::Algorithm;

/// What is wrong with `secret` as a key of an HMAC `algorithm`: it must be as long as the hash (RFC 7518 §3.2).
#[must_use]
pub fn weakness_for(secret: &[u8], algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Hs384 if secret.len() < 48 => Some("has fewer than 48 bytes, which HS384 needs"),
        Algorithm::Hs512 if secret.len() < 64 => Some("has fewer than 64 bytes, which HS512 needs"),
        _ => weakness(secret),
    }
}

/// What is wrong with `secret` as a key; `None` if nothing is.
#[must_use]
pub fn weakness(secret: &[u8]) -> Option<&'static str> {
    if secret.len() < LEAST_BYTES {
        return Some("has fewer than 32 bytes");
    }
    if is_key_material(secret) {
        return Some("holds a PEM or JWK, and a key for signatures is no secret for HMAC");
    }
    let distinct: BTreeSet<u8> = secret.iter().copied().collect();
    if distinct.len() < LEAST_DISTINCT || period(secret) <= LONGEST_PERIOD || is_sequence(secret) {
        return Some("is too regular to be random");
    }
    is_known(secret).then_some("is a placeholder, or known from a tutorial")
}

/// A public key given as HMAC secret is known to everybody (RFC 8725 §2.1).
fn is_key_material(secret: &[u8]) -> bool {
    let text = secret.trim_ascii_start();
    text.starts_with(b"-----BEGIN") || (text.starts_with(b"{") && contains(text, b"\"kty\""))
}

/// The length of the block that `secret` repeats; its whole length if it repeats none.
fn period(secret: &[u8]) -> usize {
    (1..secret.len())
        .find(|period| secret.iter().zip(secret.iter().skip(*period)).all(|(one, other)| one == other))
        .unwrap_or(secret.len())
}

/// Mostly neighbours, as in `abcdefgh`, `01234567`, `aaaabbbb`. Of random letters one pair in twenty is.
fn is_sequence(secret: &[u8]) -> bool {
    let neighbours = secret.iter().zip(secret.iter().skip(1)).filter(|(one, other)| one.abs_diff(**other) <= 1).count();
    neighbours * 2 > secret.len()
}

fn is_known(secret: &[u8]) -> bool {
    let folded: Vec<u8> =
        secret.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    KNOWN.iter().any(|known| contains(&folded, known.as_bytes()))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// RFC 7518 §3.2: no shorter than the hash.
const LEAST_BYTES: usize = 32;

/// 32 random hexadecimal digits have fewer than this many different ones three times in a million.
const LEAST_DISTINCT: usize = 9;

/// A repeated block up to this long is one that somebody wrote.
const LONGEST_PERIOD: usize = 16;

/// Letters and digits of what tutorials, templates and word lists have; no random secret holds one by chance.
const KNOWN: &[&str] = &[
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "changeme",
    "changethis",
    "changeit",
    "replaceme",
    "replacethis",
    "replacewith",
    "secretkey",
    "secrethere",
    "keyhere",
    "yoursecret",
    "yourjwt",
    "yourkey",
    "yourown",
    "mysecret",
    "supersecret",
    "topsecret",
    "verysecret",
    "notasecret",
    "notsosecret",
    "jwtsecret",
    "hs256secret",
    "defaultsecret",
    "examplesecret",
    "secretsecret",
    "mustbeatleast",
    "atleast32",
    "32characters",
    "32bytes",
    "256bit",
    "placeholder",
    "donotuse",
    "insecure",
    "password",
    "qwertyuiop",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_could_have_written_is_weak() {
        for (secret, weak) in [
            ("", true),
            ("secret", true),
            ("q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tR", true), // 31 bytes
            ("q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRe", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("                                        ", true),
            ("abcdefghijklmnopqrstuvwxyz0123456789", true),
            ("q7Zp0Xw3sV9aq7Zp0Xw3sV9aq7Zp0Xw3sV9a", true),
            ("your-secret-key-for-this-application", true),
            ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", true),
            ("{\"kty\":\"oct\",\"k\":\"q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRe\"}", true),
            ("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", true),
            ("4f1c9a7be2d05836", true),
            ("4f1c9a7be2d058364f1c9a7be2d05836", true),
            ("4f1c9a7be2d0583617a3c5e98b042d6f", false),
            ("correct horse battery staple and nine more", false),
        ] {
            assert_eq!(weakness(secret.as_bytes()).is_some(), weak, "{secret:?}");
        }
    }

    #[test]
    fn random_secrets_are_strong() {
        for _ in 0..2000 {
            assert_eq!(weakness(&crate::base::entropy::random::<32>()), None);
        }
    }
}
