use serde_json::json;

use crate::base::Secret;
use crate::keys::{Algorithm, JwkSet, KeyKind, SigningKey, VerifyingKey, pem};

fn key(algorithm: Algorithm) -> SigningKey {
    let text = pem::generate(algorithm).unwrap();
    match algorithm.kind() {
        KeyKind::Secret => SigningKey::hmac(&Secret::new(text.expose().trim_ascii_end()), algorithm).unwrap(),
        _ => SigningKey::from_pem(text.expose(), Some(algorithm)).unwrap(),
    }
}

/// K10: exactly these members, so never a private one; and who reads them has the same key.
#[test]
fn a_published_key_is_the_public_half_and_nothing_more() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let of_kind: &[&str] = match algorithm.kind() {
            KeyKind::Secret => {
                assert_eq!(key.verifying().jwk(), None, "{algorithm:?}");
                continue;
            }
            KeyKind::Rsa => &["e", "n"],
            KeyKind::P256 | KeyKind::P384 => &["crv", "x", "y"],
            KeyKind::Ed25519 => &["crv", "x"],
        };
        let jwk = key.verifying().jwk().unwrap();
        let names: Vec<&str> = jwk.keys().map(String::as_str).collect();
        assert_eq!(names, [&["kty", "use", "alg", "kid"], of_kind].concat(), "{algorithm:?}");
        assert_eq!([&jwk["use"], &jwk["alg"], &jwk["kid"]], ["sig", algorithm.name(), key.kid()]);

        let set = json!({ "keys": [jwk] }).to_string();
        let read = JwkSet::parse(set.as_bytes(), &Algorithm::ALL).unwrap();
        assert_eq!(read.keys.iter().collect::<Vec<_>>(), [key.verifying()], "{algorithm:?}");
        assert!(read.left_out.is_empty());
        let signature = crate::base::base64url::encode(key.sign(b"message").unwrap());
        assert!(read.keys.iter().all(|read| read.verifies(b"message", &signature)), "{algorithm:?}");
    }
}

/// A name that is given does not hide another key behind an old one.
#[test]
fn keys_are_equal_by_what_they_are_and_what_they_are_called() {
    let (one, other) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let named = |key: &SigningKey, name| VerifyingKey::named(key.verifying().clone(), name);
    assert_eq!(named(&one, "a"), named(&one, "a"));
    assert_ne!(named(&one, "a"), named(&one, "b"));
    assert_ne!(named(&one, "a"), named(&other, "a"));
}
