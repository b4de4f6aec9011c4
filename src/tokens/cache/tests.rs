use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::base::{Secret, base64url};
use crate::keys::{KeyRing, SigningKey};
use crate::tokens::{IssuerRules, Verified, Verifier};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn verified(verifier: &Verifier, key: &SigningKey, claims: &Value) -> (Digest, Arc<Verified>) {
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": key.kid() }).to_string();
    let signed = format!("{}.{}", base64url::encode(header), base64url::encode(claims.to_string()));
    let token = format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes()).unwrap()));
    (digest_of(&token), Arc::new(verifier.verify_uncached(&token).unwrap()))
}

fn world() -> (Verifier, Arc<SigningKey>) {
    let key = Arc::new(SigningKey::from_secret(&Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja")).unwrap());
    (Verifier::of(IssuerRules::own("i"), &KeyRing::of(Arc::clone(&key))), key)
}

#[test]
fn more_tokens_than_there_is_room_for_are_not_kept() {
    const ROOM: u64 = 100_000;
    let (verifier, key) = world();
    let cache = VerifiedCache::of(ROOM);
    let mut heaviest = 0;
    for number in 0..200 {
        let claims = json!({ "iss": "i", "sub": format!("user-{number}"), "exp": 2_000_000_000, "scope": "me items" });
        let (digest, verified) = verified(&verifier, &key, &claims);
        cache.insert(digest, Remembered { verified, at: NOW });
        cache.0.run_pending_tasks();
        assert!(cache.0.weighted_size() <= ROOM, "{} after {number}", cache.0.weighted_size());
        heaviest = heaviest.max(cache.0.weighted_size());
    }
    assert!(heaviest > ROOM * 9 / 10, "so there was pressure: {heaviest}");
    assert!((20..100).contains(&cache.0.entry_count()), "{}", cache.0.entry_count());
}

/// A token of 8 KiB, the default of the limit, can be ten of itself in memory, though it names its claims as text; a cache that
/// believed its length could be made to take gigabytes.
#[test]
fn a_token_weighs_what_it_takes_and_not_its_length() {
    let (verifier, key) = world();
    let weights: HashMap<&str, usize> = [
        ("plain", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000 })),
        ("numbers", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000, "x": vec![0; 2_500] })),
        ("lists", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000, "x": vec![json!([0]); 1_200] })),
        ("objects", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000, "x": vec![json!({ "a": 0 }); 600] })),
        ("text", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000, "x": "a".repeat(5_000) })),
        ("scopes", json!({ "iss": "i", "sub": "johndoe", "exp": 2_000_000_000, "scope": (0..1_000).map(|n| format!("{n} ")).collect::<String>() })),
    ]
    .into_iter()
    .map(|(name, claims)| (name, verified(&verifier, &key, &claims).1.weight()))
    .collect();
    // What must be there at the least, counted in another way: by the letters, and the number of scopes.
    let plain = r#"{"iss":"i","sub":"johndoe","exp":2000000000}"#.len() + size_of::<Verified>();
    for (name, least) in [
        ("plain", plain),
        ("numbers", plain + 2_500 * "0,".len()),
        ("lists", plain + 1_200 * "[0],".len()),
        ("objects", plain + 600 * r#"{"a":0},"#.len()),
        ("text", plain + 5_000),
        ("scopes", plain + 1_000 * (2 * size_of::<Box<str>>() + 2 * "000 ".len())),
    ] {
        assert!((least..least * 2).contains(&weights[name]), "{name}: {} and not some {least}", weights[name]);
    }
}
