//! Only what may verify becomes a key.

use doorward::keys::{Algorithm, JwkSet, KeyKind};
use serde_json::{Map, Value};

use super::Target;

/// The text of the set.
pub const TARGET: Target =
    Target { name: "jwk_set", check: |data| property(data, read), check_planted: |data| property(data, planted) };

/// `kid` and algorithm of every key, in order.
type Keys = Vec<(String, Algorithm)>;

fn property(text: &[u8], read: fn(&[u8]) -> Option<Keys>) {
    let Some(keys) = read(text) else { return };
    let set: Value = serde_json::from_slice(text).expect("JSON");
    let members: Vec<&Map<String, Value>> =
        set["keys"].as_array().expect("a list").iter().filter_map(Value::as_object).collect();
    assert!(members.len() <= 100, "too many keys");
    for (place, (kid, algorithm)) in keys.iter().enumerate() {
        assert_ne!(algorithm.kind(), KeyKind::Secret, "a published secret");
        assert!(!keys[..place].contains(&(kid.clone(), *algorithm)), "two keys of one name and algorithm");
        let may = |jwk: &&&Map<String, Value>| {
            let named = jwk.get("kid").is_none_or(|own| own == kid.as_str());
            let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|member| jwk.contains_key(*member));
            let verifies = jwk
                .get("key_ops")
                .is_none_or(|list| list.as_array().is_some_and(|list| list.contains(&"verify".into())));
            named
                && !private
                && verifies
                && jwk.get("use").is_none_or(|purpose| purpose == "sig")
                && jwk.get("alg").is_none_or(|named| named == algorithm.name())
                && jwk.get("kty").and_then(Value::as_str) == Some(kind(*algorithm))
        };
        assert!(members.iter().any(|jwk| may(&jwk)), "no key of the set allows {kid} with {}", algorithm.name());
    }
}

fn kind(algorithm: Algorithm) -> &'static str {
    match algorithm.kind() {
        KeyKind::Secret => "oct",
        KeyKind::P256 | KeyKind::P384 => "EC",
        KeyKind::Rsa => "RSA",
        KeyKind::Ed25519 => "OKP",
    }
}

fn read(text: &[u8]) -> Option<Keys> {
    let set = JwkSet::parse(text, &Algorithm::ALL).ok()?;
    Some(set.keys.iter().map(|key| (key.kid().to_owned(), key.algorithm())).collect())
}

/// Does not look at what a key is for.
fn planted(text: &[u8]) -> Option<Keys> {
    let mut set: Value = serde_json::from_slice(text).ok()?;
    for jwk in set.get_mut("keys")?.as_array_mut()? {
        if let Value::Object(jwk) = jwk {
            jwk.retain(|name, _| name != "use" && name != "key_ops");
        }
    }
    read(set.to_string().as_bytes())
}
