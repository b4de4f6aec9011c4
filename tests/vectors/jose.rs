//! `tests/cases/vectors/jose.yaml`.

use doorward::base::{Secret, base64url};
use doorward::keys::{Algorithm, KeyKind, SigningKey, VerifyingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::published;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    jws: Vec<Example>,
    thumbprints: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    from: String,
    alg: String,
    key: Value,
    seed: Option<String>,
    jws: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    from: String,
    key: Value,
    thumbprint: String,
}

fn octets(text: &str) -> Vec<u8> {
    base64url::decode(text).unwrap()
}

fn examples() -> Examples {
    serde_yaml::from_str(include_str!("../cases/vectors/jose.yaml")).unwrap()
}

impl Example {
    fn message_and_signature(&self) -> (&[u8], &str) {
        let (message, signature) = self.jws.rsplit_once('.').unwrap();
        (message.as_bytes(), signature)
    }

    /// The private half, where it is printed or the same as the public one.
    fn signing(&self, algorithm: Algorithm) -> Option<SigningKey> {
        match (&self.key["k"], &self.seed) {
            (Value::String(secret), _) => SigningKey::hmac(&Secret::new(octets(secret)), algorithm).ok(),
            (_, Some(seed)) => {
                // PKCS#8 around the seed (RFC 8410 §7).
                let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
                let der = [head.as_slice(), &octets(seed)].concat();
                let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der));
                SigningKey::from_pem(text.as_bytes(), Some(algorithm)).ok()
            }
            _ => None,
        }
    }

    fn verifying(&self, algorithm: Algorithm) -> VerifyingKey {
        match algorithm.kind() {
            KeyKind::Secret => self.signing(algorithm).unwrap().verifying().clone(),
            _ => published(&self.key, algorithm).unwrap(),
        }
    }
}

#[test]
fn examples_verify_under_their_own_key_and_no_other() {
    let examples = examples().jws;
    let ours = || {
        let bound = |example: &Example| Some((Algorithm::from_name(&example.alg)?, example.from.clone()));
        examples.iter().filter_map(move |example| bound(example).map(|(algorithm, from)| (example, algorithm, from)))
    };
    assert_eq!(ours().count(), 7);
    for (example, algorithm, from) in ours() {
        let (message, signature) = example.message_and_signature();
        assert!(example.verifying(algorithm).verifies(message, signature), "{from}");
        let mut other = message.to_vec();
        other[0] ^= 1;
        assert!(!example.verifying(algorithm).verifies(&other, signature), "{from}: another message");
        for (stranger, algorithm, its) in ours().filter(|(_, _, its)| *its != from) {
            assert!(!stranger.verifying(algorithm).verifies(message, signature), "{from} under the key of {its}");
        }
    }
}

/// HMAC and Ed25519 give the same bytes each time.
#[test]
fn examples_are_signed_to_the_byte() {
    let mut signed = Vec::new();
    for example in examples().jws {
        let Some(algorithm) = Algorithm::from_name(&example.alg) else { continue };
        let Some(key) = example.signing(algorithm) else { continue };
        let (message, signature) = example.message_and_signature();
        assert_eq!(base64url::encode(key.sign(message).unwrap()), signature, "{}", example.from);
        if algorithm == Algorithm::EdDsa {
            assert_eq!(key.verifying(), &example.verifying(algorithm));
        }
        signed.push(example.from);
    }
    assert_eq!(signed, ["RFC 7515 A.1", "RFC 7520 4.4", "RFC 8037 A.4"]);
}

/// ES512 is none of our algorithms, and no other takes its keys and signatures.
#[test]
fn examples_of_other_algorithms_are_refused() {
    let examples = examples().jws;
    let refused: Vec<_> = examples.iter().filter_map(|example| Some((example, example.refused.as_ref()?))).collect();
    assert_eq!(refused.len(), 2);
    for (example, why) in refused {
        assert_eq!(Algorithm::from_name(&example.alg), None);
        for algorithm in Algorithm::ALL {
            assert_eq!(published(&example.key, algorithm).unwrap_err(), *why, "{}", example.from);
        }
        let (message, signature) = example.message_and_signature();
        for other in examples.iter().filter(|other| other.refused.is_none()) {
            let key = other.verifying(Algorithm::from_name(&other.alg).unwrap());
            assert!(!key.verifies(message, signature), "{} under the key of {}", example.from, other.from);
        }
    }
}

#[test]
fn keys_without_a_name_are_named_by_their_thumbprint() {
    let examples = examples().thumbprints;
    assert!(examples.len() >= 3);
    for Named { from, key, thumbprint } in examples {
        let found = Algorithm::ALL.into_iter().find_map(|algorithm| published(&key, algorithm).ok());
        assert_eq!(found.expect("a key").kid(), thumbprint, "{from}");
    }
}
