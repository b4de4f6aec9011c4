//! Wycheproof's signatures: valid and forged ones at the edges of each algorithm, by the people who collect what libraries
//! got wrong. Where we refuse more than they do, `deviation` says which, and a comment why. One signature of theirs is refused under
//! parameters that are not ours, and good under ours.

use doorward::base::{Secret, base64url};
use doorward::keys::{Algorithm, SigningKey, VerifyingKey};
use serde::Deserialize;
use serde_json::{Value, json};
use wycheproof::ecdsa::TestName as Ecdsa;
use wycheproof::eddsa::TestName as EdDsa;
use wycheproof::mac::TestName as Mac;
use wycheproof::rsa_pkcs1_verify::TestName as Pkcs1;
use wycheproof::rsa_pss_verify::TestName as Pss;

use crate::{published, verifies};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    public_key: Value,
    /// Bits of an HMAC's tag.
    #[serde(default)]
    tag_size: usize,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    mgf: String,
    #[serde(default)]
    mgf_sha: String,
    /// Bytes of the salt of PSS.
    #[serde(default)]
    s_len: usize,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    tc_id: usize,
    /// Of an HMAC.
    #[serde(default)]
    key: String,
    msg: String,
    #[serde(alias = "tag")]
    sig: String,
    result: String,
    comment: String,
}

/// What became of a set: how many signatures were accepted, were refused, and were refused although they are valid.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    accepted: usize,
    refused: usize,
    deviations: usize,
}

fn judge(
    json: &str,
    key: impl Fn(&Group, &Test) -> Result<VerifyingKey, String>,
    deviation: impl Fn(&Group, &Test) -> bool,
) -> Tally {
    let set: Set = serde_json::from_str(json).unwrap();
    let mut tally = Tally::default();
    for group in &set.test_groups {
        for test in &group.tests {
            let accepted = key(group, test).is_ok_and(|key| verifies(&key, &bytes(&test.msg), &bytes(&test.sig)));
            // Said of the parameters of its set, and it is right that it is good under ours.
            let is_ours = group.mgf_sha == "SHA-256" && group.s_len == 0 && test.comment == "s_len changed to 32";
            let expected = is_ours || test.result == "valid" && !deviation(group, test);
            assert_eq!(accepted, expected, "{} {}", test.tc_id, test.comment);
            match (accepted, test.result.as_str()) {
                (true, _) => tally.accepted += 1,
                (false, "invalid") => tally.refused += 1,
                (false, _) => tally.deviations += 1,
            }
        }
    }
    tally
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.bytes().map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The big-endian number in `hex`, in `length` bytes, or in as many as it needs.
fn number(hex: &Value, length: Option<usize>) -> String {
    let bytes = bytes(hex.as_str().unwrap());
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let zeros = length.unwrap_or(0).saturating_sub(digits.len());
    base64url::encode([vec![0; zeros], digits].concat())
}

fn ecdsa(json: &str, algorithm: Algorithm, deviation: impl Fn(&Group, &Test) -> bool) -> Tally {
    let (curve, length) = if algorithm == Algorithm::Es256 { ("P-256", 32) } else { ("P-384", 48) };
    let key = |group: &Group, _: &Test| {
        let (x, y) = (number(&group.public_key["wx"], Some(length)), number(&group.public_key["wy"], Some(length)));
        published(&json!({ "kty": "EC", "crv": curve, "x": x, "y": y }), algorithm)
    };
    judge(json, key, deviation)
}

fn rsa(json: &str, algorithm: Algorithm, deviation: impl Fn(&Group, &Test) -> bool) -> Tally {
    let key = |group: &Group, _: &Test| {
        let (n, e) = (number(&group.public_key["modulus"], None), number(&group.public_key["publicExponent"], None));
        published(&json!({ "kty": "RSA", "n": n, "e": e }), algorithm)
    };
    judge(json, key, deviation)
}

#[test]
fn ecdsa_as_r_and_s() {
    for (name, algorithm, accepted, refused) in [
        (Ecdsa::EcdsaSecp256r1Sha256P1363, Algorithm::Es256, 173, 89),
        (Ecdsa::EcdsaSecp384r1Sha384P1363, Algorithm::Es384, 193, 87),
    ] {
        let found = ecdsa(name.json_data(), algorithm, |_, _| false);
        assert_eq!(found, Tally { accepted, refused, deviations: 0 }, "{algorithm:?}");
    }
}

/// The key takes one hash with its curve (RFC 7518 §3.4), and r ‖ s and no DER.
#[test]
fn ecdsa_of_another_hash_or_form_is_refused() {
    for (name, algorithm) in [
        (Ecdsa::EcdsaSecp256r1Sha512P1363, Algorithm::Es256),
        (Ecdsa::EcdsaSecp256r1Sha256, Algorithm::Es256),
        (Ecdsa::EcdsaSecp384r1Sha512P1363, Algorithm::Es384),
        (Ecdsa::EcdsaSecp384r1Sha384, Algorithm::Es384),
    ] {
        let found = ecdsa(name.json_data(), algorithm, |_, _| true);
        assert!(found.accepted == 0 && found.deviations > 100, "{found:?}");
    }
}

#[test]
fn ed25519() {
    let key = |group: &Group, _: &Test| {
        let x = base64url::encode(bytes(group.public_key["pk"].as_str().unwrap()));
        published(&json!({ "kty": "OKP", "crv": "Ed25519", "x": x }), Algorithm::EdDsa)
    };
    let found = judge(EdDsa::Ed25519.json_data(), key, |_, _| false);
    assert_eq!(found, Tally { accepted: 88, refused: 63, deviations: 0 });
}

#[test]
fn hmac() {
    for (name, algorithm, size) in [
        (Mac::HmacSha256, Algorithm::Hs256, 32),
        (Mac::HmacSha384, Algorithm::Hs384, 48),
        (Mac::HmacSha512, Algorithm::Hs512, 64),
    ] {
        let key = |_: &Group, test: &Test| {
            let key = SigningKey::hmac(&Secret::new(bytes(&test.key)), algorithm).map_err(|error| error.to_string())?;
            Ok(key.verifying().clone())
        };
        // RFC 7518 §3.2: the tag is whole, and the secret as long as the hash.
        let deviation = |group: &Group, test: &Test| group.tag_size < size * 8 || bytes(&test.key).len() < size;
        let found = judge(name.json_data(), key, deviation);
        assert_eq!(found, Tally { accepted: 30, refused: 108, deviations: 36 }, "{algorithm:?}");
    }
}

#[test]
fn rsa_pkcs1() {
    // Encodings without the NULL, which RFC 8017 §8.2.2 leaves to the verifier and nobody writes, are `acceptable` and refused.
    for (name, algorithm) in [
        (Pkcs1::Rsa2048Sha256, Algorithm::Rs256),
        (Pkcs1::Rsa2048Sha384, Algorithm::Rs384),
        (Pkcs1::Rsa2048Sha512, Algorithm::Rs512),
        (Pkcs1::Rsa3072Sha256, Algorithm::Rs256),
        (Pkcs1::Rsa3072Sha384, Algorithm::Rs384),
        (Pkcs1::Rsa3072Sha512, Algorithm::Rs512),
        (Pkcs1::Rsa4096Sha256, Algorithm::Rs256),
        (Pkcs1::Rsa4096Sha384, Algorithm::Rs384),
        (Pkcs1::Rsa4096Sha512, Algorithm::Rs512),
        (Pkcs1::Rsa8192Sha256, Algorithm::Rs256),
    ] {
        let found = rsa(name.json_data(), algorithm, |_, _| false);
        assert!(found.accepted > 5 && found.refused > 200 && found.deviations <= 1, "{algorithm:?}: {found:?}");
    }
}

#[test]
fn rsa_pss() {
    for (name, algorithm) in [
        (Pss::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Pss::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Pss::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Pss::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Pss::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Pss::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ] {
        let found = rsa(name.json_data(), algorithm, |_, _| false);
        assert!(found.accepted > 50 && found.refused > 40 && found.deviations == 0, "{algorithm:?}: {found:?}");
    }
}

/// RFC 7518 §3.5: the same hash in MGF1, and a salt as long as it.
#[test]
fn rsa_pss_of_other_parameters_is_refused() {
    for (name, algorithm) in [
        (Pss::RsaPss2048Sha256Mgf1SaltLen0, Algorithm::Ps256),
        (Pss::RsaPss2048Sha256Mgf1Sha1_20, Algorithm::Ps256),
        (Pss::RsaPss4096Sha512Mgf1SaltLen32, Algorithm::Ps512),
        (Pss::RsaPssmisc, Algorithm::Ps256),
    ] {
        let other = |group: &Group, _: &Test| {
            let as_ours =
                group.sha == "SHA-256" && group.mgf == "MGF1" && group.mgf_sha == "SHA-256" && group.s_len == 32;
            algorithm != Algorithm::Ps256 || !as_ours
        };
        let found = rsa(name.json_data(), algorithm, other);
        assert!(found.deviations > 40, "{found:?}");
    }
}
