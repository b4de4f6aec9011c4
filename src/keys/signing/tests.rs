use super::*;
use crate::base::base64url;
use crate::keys::KeyKind;

const SECRET: &[u8] = b"p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja";

fn every_key() -> Vec<SigningKey> {
    let key = |algorithm: Algorithm| {
        let text = pem::generate(algorithm).unwrap();
        let key = match algorithm.kind() {
            KeyKind::Secret => SigningKey::hmac(&Secret::new(text.expose().trim_ascii_end()), algorithm),
            _ => SigningKey::from_pem(text.expose(), Some(algorithm)),
        };
        let key = key.unwrap();
        assert_eq!(key.algorithm(), algorithm);
        key
    };
    Algorithm::ALL.map(key).into()
}

#[test]
fn a_key_verifies_what_it_signed_and_nothing_else() {
    for key in every_key() {
        let signature = base64url::encode(key.sign(b"message").unwrap());
        assert!(key.verifying().verifies(b"message", &signature), "{key:?}");
        assert!(!key.verifying().verifies(b"massage", &signature), "{key:?}");
        assert!(!key.verifying().verifies(b"message", ""), "{key:?}");
        for other in every_key() {
            assert!(!other.verifying().verifies(b"message", &signature), "{key:?} {other:?}");
        }
    }
}

/// J07: the same bytes of a key, bound to another algorithm, are another key.
#[test]
fn one_rsa_key_verifies_only_its_own_algorithm() {
    let text = pem::generate(Algorithm::Rs256).unwrap();
    let rsa = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.kind() == KeyKind::Rsa);
    let keys: Vec<_> = rsa.map(|algorithm| SigningKey::from_pem(text.expose(), Some(algorithm)).unwrap()).collect();
    for key in &keys {
        let signature = base64url::encode(key.sign(b"message").unwrap());
        for other in &keys {
            let same = key.algorithm() == other.algorithm();
            assert_eq!(other.verifying().verifies(b"message", &signature), same, "{key:?} {other:?}");
            // C02: the configuration tells one key in two places by its name.
            assert_eq!(other.kid(), key.kid());
        }
    }
}

#[test]
fn a_key_without_a_named_algorithm_gets_its_kinds_first() {
    for (made_for, gets) in [
        (Algorithm::Ps512, Algorithm::Rs256),
        (Algorithm::Es256, Algorithm::Es256),
        (Algorithm::Es384, Algorithm::Es384),
        (Algorithm::EdDsa, Algorithm::EdDsa),
    ] {
        let text = pem::generate(made_for).unwrap();
        assert_eq!(SigningKey::from_pem(text.expose(), None).unwrap().algorithm(), gets);
    }
}

#[test]
fn what_is_no_key_is_refused_with_its_cause() {
    let p256 = pem::generate(Algorithm::Es256).unwrap();
    let p384 = pem::generate(Algorithm::Es384).unwrap();
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let public = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (text, algorithm, error) in [
        (p256.expose(), Some(Algorithm::Rs256), KeyError::WrongAlgorithm(Algorithm::Rs256)),
        (p256.expose(), Some(Algorithm::Hs256), KeyError::WrongAlgorithm(Algorithm::Hs256)),
        (p256.expose(), Some(Algorithm::Es384), KeyError::WrongCurve),
        (p384.expose(), Some(Algorithm::Es256), KeyError::WrongCurve),
        (p384.expose(), Some(Algorithm::EdDsa), KeyError::WrongAlgorithm(Algorithm::EdDsa)),
        (include_bytes!("tests/p521.pem"), None, KeyError::WrongCurve),
        (include_bytes!("tests/p521_sec1.pem"), Some(Algorithm::Es384), KeyError::WrongCurve),
        (include_bytes!("tests/secp256k1.pem"), Some(Algorithm::Es256), KeyError::WrongCurve),
        (include_bytes!("tests/ed448.pem"), Some(Algorithm::EdDsa), KeyError::Unreadable),
        (include_bytes!("tests/x25519.pem"), Some(Algorithm::EdDsa), KeyError::Unreadable),
        (include_bytes!("tests/rsa1024.pem"), None, KeyError::WeakRsa),
        (include_bytes!("tests/rsa1024_pkcs1.pem"), Some(Algorithm::Ps256), KeyError::WeakRsa),
        (encrypted.as_slice(), None, KeyError::Encrypted),
        (old_encrypted.as_slice(), None, KeyError::Encrypted),
        (public.as_slice(), None, KeyError::NotPrivate),
        (certificate.as_slice(), None, KeyError::NotPrivate),
        (garbage.as_slice(), None, KeyError::Unreadable),
        (b"hello".as_slice(), None, KeyError::NotPem),
        (b"".as_slice(), None, KeyError::NotPem),
    ] {
        let found = SigningKey::from_pem(text, algorithm).unwrap_err();
        assert_eq!(found, error, "{}", String::from_utf8_lossy(text));
    }
}

/// C01, RFC 7518 §3.2.
#[test]
fn a_secret_is_as_long_as_the_hash() {
    let secret = base64url::encode(crate::base::entropy::random::<48>());
    for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        for (length, enough) in [(16, false), (31, false), (least - 1, false), (least, true)] {
            let made = SigningKey::hmac(&Secret::new(&secret[..length]), algorithm);
            assert_eq!(made.is_ok(), enough, "{algorithm:?} with {length} bytes");
        }
    }
    let refused = SigningKey::hmac(&Secret::new(SECRET), Algorithm::Es256).unwrap_err();
    assert_eq!(refused, KeyError::WrongAlgorithm(Algorithm::Es256));
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
