use serde_json::json;

use super::*;
use crate::keys::Algorithm::{EdDsa, Es256, Es384, Hs256, Ps256, Rs256};

/// RFC 7517 Appendix A.1: an EC key and an RSA key.
const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
/// The base point of P-384 (FIPS 186-4 D.1.2.4).
const X384: &str = "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3";
const Y384: &str = "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f";
/// RFC 8037 Appendix A.2.
const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn read(keys: &Value, allowed: &[Algorithm]) -> JwkSet {
    JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes(), allowed).unwrap()
}

#[test]
fn keys_of_every_kind_are_bound_to_their_algorithms() {
    let set = read(
        &json!([
            { "kty": "EC", "crv": "P-256", "x": X, "y": Y, "use": "sig", "kid": "ec" },
            { "kty": "RSA", "n": N, "e": "AQAB", "kid": "rsa" },
            { "kty": "RSA", "n": N, "e": "AQAB", "alg": "PS256", "kid": "pss", "key_ops": ["verify"] },
            { "kty": "RSA", "n": N, "e": "AQAB", "alg": "RS256" },
            { "kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "ed" },
            { "kty": "EC", "crv": "P-384", "x": X384, "y": Y384, "alg": "ES384", "kid": "ec384" },
        ]),
        &[Rs256, Ps256, Es256, Es384, EdDsa, Hs256],
    );
    let keys: Vec<_> = set.keys.iter().map(|key| (key.kid(), key.algorithm())).collect();
    let thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(
        keys,
        [
            ("ec", Es256),
            ("rsa", Rs256),
            ("rsa", Ps256),
            ("pss", Ps256),
            (thumbprint, Rs256),
            ("ed", EdDsa),
            ("ec384", Es384)
        ]
    );
    assert!(set.left_out.is_empty());
}

/// J05, J08, J09, K10 and their like: left out, and the key beside them is used.
#[test]
fn what_cannot_be_used_is_left_out_alone() {
    let rsa = |more: Value| {
        let mut jwk = json!({ "kty": "RSA", "n": N, "e": "AQAB", "kid": "a" });
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    };
    let off_curve = base64_of(&[7; 32]);
    let small = base64_of(&[0xFF; 128]);
    let large = base64_of(&[0xFF; 1025]);
    let even = base64_of(&[&[0xFF; 255][..], &[0xFE]].concat());
    for (jwk, why) in [
        (json!({ "kty": "oct", "k": N }), Unusable::Symmetric),
        (json!({ "kty": "oct", "k": "", "alg": "HS256" }), Unusable::Symmetric),
        (rsa(json!({ "d": "AQAB" })), Unusable::Private),
        (rsa(json!({ "k": "AQAB" })), Unusable::Private),
        (rsa(json!({ "use": "enc" })), Unusable::NotForSignatures),
        (rsa(json!({ "use": "sig", "key_ops": ["sign"] })), Unusable::NotForSignatures),
        (rsa(json!({ "key_ops": ["encrypt"] })), Unusable::NotForSignatures),
        (rsa(json!({ "key_ops": [] })), Unusable::NotForSignatures),
        (rsa(json!({ "key_ops": "verify" })), Unusable::Malformed),
        (rsa(json!({ "use": 1 })), Unusable::Malformed),
        (rsa(json!({ "kid": 1 })), Unusable::Malformed),
        (rsa(json!({ "alg": null })), Unusable::Malformed),
        (rsa(json!({ "alg": "HS256" })), Unusable::WrongAlgorithm),
        (rsa(json!({ "alg": "none" })), Unusable::WrongAlgorithm),
        (rsa(json!({ "alg": "rs256" })), Unusable::WrongAlgorithm),
        (rsa(json!({ "alg": "ES256" })), Unusable::WrongAlgorithm),
        (rsa(json!({ "alg": "RS512" })), Unusable::WrongAlgorithm),
        (rsa(json!({ "n": small })), Unusable::WrongSize),
        (rsa(json!({ "n": large })), Unusable::WrongSize),
        (rsa(json!({ "n": even })), Unusable::Malformed),
        (rsa(json!({ "e": "AQ" })), Unusable::Malformed),
        (rsa(json!({ "e": "Ag" })), Unusable::Malformed),
        (rsa(json!({ "e": "" })), Unusable::Malformed),
        (rsa(json!({ "e": "AQAB=" })), Unusable::Malformed),
        (rsa(json!({ "crv": "P-256" })), Unusable::UnknownKind),
        (json!({ "kty": "EC", "crv": "P-384", "x": X384, "y": Y384, "alg": "ES256" }), Unusable::WrongAlgorithm),
        (json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y, "alg": "ES384" }), Unusable::WrongAlgorithm),
        (json!({ "kty": "EC", "crv": "P-384", "x": X, "y": Y }), Unusable::Malformed),
        (json!({ "kty": "EC", "crv": "P-256", "x": X384, "y": Y384 }), Unusable::Malformed),
        (json!({ "kty": "EC", "crv": "P-384", "x": Y384, "y": X384 }), Unusable::Malformed),
        (json!({ "kty": "EC", "crv": "P-521", "x": X384, "y": Y384 }), Unusable::UnknownKind),
        (json!({ "kty": "EC", "crv": "secp256k1", "x": X, "y": Y, "alg": "ES256" }), Unusable::UnknownKind),
        (json!({ "kty": "OKP", "crv": "Ed448", "x": ED, "alg": "EdDSA" }), Unusable::UnknownKind),
        (json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y, "alg": "ES512" }), Unusable::WrongAlgorithm),
        (json!({ "kty": "EC", "crv": "P-256", "x": off_curve, "y": off_curve }), Unusable::Malformed),
        (json!({ "kty": "EC", "crv": "P-256", "x": X }), Unusable::Malformed),
        (json!({ "kty": "OKP", "crv": "X25519", "x": ED, "alg": "EdDSA" }), Unusable::UnknownKind),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQAB" }), Unusable::Malformed),
        (json!({ "kty": "rsa", "n": N, "e": "AQAB" }), Unusable::UnknownKind),
        (json!({ "n": N, "e": "AQAB" }), Unusable::Malformed),
        (json!({}), Unusable::Malformed),
        (json!({ "kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "good" }), Unusable::DuplicateKid),
    ] {
        let good = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "good" });
        let set = read(&json!([good, jwk]), &[Rs256, Ps256, Es256, Es384, EdDsa, Hs256]);
        assert_eq!(set.left_out, [(1, why)], "{jwk}");
        assert_eq!(set.keys.iter().map(VerifyingKey::kid).collect::<Vec<_>>(), ["good"], "{jwk}");
    }
}

#[test]
fn only_allowed_algorithms_are_verified() {
    let keys = json!([{ "kty": "RSA", "n": N, "e": "AQAB", "kid": "a" }]);
    for (allowed, used) in [(&[Rs256][..], &[Rs256][..]), (&[Ps256], &[Ps256]), (&[Es256], &[]), (&[Hs256], &[])] {
        let algorithms: Vec<_> = read(&keys, allowed).keys.iter().map(VerifyingKey::algorithm).collect();
        assert_eq!(algorithms, used);
    }
}

#[test]
fn what_is_no_set_is_refused_whole() {
    let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
    for (text, error) in [
        ("", NotASet::Malformed),
        ("[]", NotASet::Malformed),
        ("{}", NotASet::Malformed),
        (r#"{"keys":{}}"#, NotASet::Malformed),
        (r#"{"keys":[1]}"#, NotASet::Malformed),
        (r#"{"keys":[],"keys":[]}"#, NotASet::Malformed),
        (r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#, NotASet::Malformed),
        ("<html>", NotASet::Malformed),
        (&many, NotASet::TooMany),
    ] {
        assert_eq!(JwkSet::parse(text.as_bytes(), &Algorithm::ALL).unwrap_err(), error, "{text}");
    }
    assert!(JwkSet::parse(br#"{"keys":[],"more":1}"#, &Algorithm::ALL).unwrap().keys.is_empty());
}

fn base64_of(bytes: &[u8]) -> String {
    crate::base::base64url::encode(bytes)
}
