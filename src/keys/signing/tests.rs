use super::*;
use crate::base::base64url;

const SECRET: &[u8] = b"p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja";

fn every_key() -> Vec<SigningKey> {
    let mut keys = vec![SigningKey::from_secret(&Secret::new(SECRET)).unwrap()];
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
        let text = pem::generate(algorithm).unwrap();
        let key = SigningKey::from_pem(text.expose(), Some(algorithm)).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        keys.push(key);
    }
    keys
}

#[test]
fn a_key_verifies_what_it_signed_and_nothing_else() {
    for key in every_key() {
        let signature = base64url::encode(key.sign(b"message").unwrap());
        assert!(key.verifying().verifies(b"message", &signature), "{key:?}");
        assert!(!key.verifying().verifies(b"massage", &signature), "{key:?}");
        assert!(!key.verifying().verifies(b"message", ""), "{key:?}");
        for other in every_key().iter().filter(|other| other.kid() != key.kid()) {
            assert!(!other.verifying().verifies(b"message", &signature), "{key:?} {other:?}");
        }
    }
}

#[test]
fn an_rsa_key_without_a_named_algorithm_signs_rs256() {
    let text = pem::generate(Algorithm::Ps256).unwrap();
    let key = SigningKey::from_pem(text.expose(), None).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Rs256);
}

#[test]
fn what_is_no_key_is_refused_with_its_cause() {
    let p256 = pem::generate(Algorithm::Es256).unwrap();
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let public = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (text, algorithm, error) in [
        (p256.expose(), Some(Algorithm::Rs256), KeyError::WrongAlgorithm(Algorithm::Rs256)),
        (p256.expose(), Some(Algorithm::Hs256), KeyError::WrongAlgorithm(Algorithm::Hs256)),
        (encrypted.as_slice(), None, KeyError::Encrypted),
        (public.as_slice(), None, KeyError::NotPrivate),
        (garbage.as_slice(), None, KeyError::Unreadable),
        (b"hello".as_slice(), None, KeyError::NotPem),
        (b"".as_slice(), None, KeyError::NotPem),
    ] {
        assert_eq!(SigningKey::from_pem(text, algorithm).unwrap_err(), error);
    }
}

#[test]
fn weak_secrets_are_refused() {
    for secret in ["", "0123456789abcdefghijklmnopqrstu", "your-secret-key-your-secret-key!"] {
        let refused = SigningKey::from_secret(&Secret::new(secret)).unwrap_err();
        assert!(matches!(refused, KeyError::WeakSecret(_)), "{secret}");
    }
    assert!(SigningKey::from_secret(&Secret::new(SECRET)).is_ok());
}

#[test]
fn debug_shows_no_key() {
    let key = SigningKey::from_secret(&Secret::new(SECRET)).unwrap();
    assert!(!format!("{key:?} {:?}", key.verifying()).contains("p7Qm2xVf9L"));
}
