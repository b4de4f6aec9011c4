//! What is remembered of a verified token, and how long.

use super::*;

#[test]
fn a_token_is_remembered_with_the_keys_it_was_verified_with() {
    let world = World::new();
    let token = of("a1", &json!({}));
    assert_eq!(world.cached(&token), CacheResult::Miss);
    assert_eq!(world.cached(&token), CacheResult::Hit);

    // The same keys, fetched again.
    assert!(!world.a.replace(set(&["a1", "a2"])));
    assert_eq!(world.cached(&token), CacheResult::Hit);
    // Another issuer's.
    assert!(world.b.replace(set(&["b2"])));
    assert_eq!(world.cached(&token), CacheResult::Hit);

    // A key is published: it is verified anew, once.
    assert!(world.a.replace(set(&["a1", "a2", "nobody"])));
    assert_eq!(world.cached(&token), CacheResult::Miss);
    assert_eq!(world.cached(&token), CacheResult::Hit);
    // attacks.md K07: its own is withdrawn.
    assert!(world.a.replace(set(&["a2"])));
    assert_eq!(world.refused(&token), Some(VerifyError::UnknownKey));
    assert!(world.a.replace(set(&["a1"])));
    assert_eq!(world.refused(&token), None);
    // Nobody knows them any more.
    assert!(world.a.replace(KeySet::unavailable()));
    assert_eq!(world.refused(&token), Some(VerifyError::KeysUnavailable));
}

/// attacks.md K07: an issuer gives a new key the name of the old one.
#[test]
fn another_key_of_the_same_name_is_another_key() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der = pair.to_pkcs8().unwrap();
    let text = ::pem::encode(&::pem::Pem::new("PRIVATE KEY", der.as_ref()));
    let signing = SigningKey::from_pem(text.as_bytes(), Some(Algorithm::EdDsa)).unwrap();
    let jwk = |x: &str| published(&json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x }));
    let world = World::new();
    world.a.replace(jwk(&base64url::encode(pair.public_key().as_ref())));
    let token = token(&signing, &json!({ "kid": "k" }), &json!({}));
    assert_eq!((world.refused(&token), world.cached(&token)), (None, CacheResult::Hit));
    world.a.replace(jwk("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
    assert_eq!(world.refused(&token), Some(VerifyError::BadSignature));
}

#[test]
fn it_is_forgotten_in_time_and_dead_at_its_end() {
    use CacheResult::{Hit, Miss};
    let world = World::new();
    let token = of("a1", &json!({ "exp": NOW.seconds() + 400 }));
    for (seconds, refused, cached) in [
        (0, None, Miss),
        (299, None, Hit),
        (300, None, Miss),
        (429, None, Hit),
        (430, Some(VerifyError::Expired), Hit),
        // A clock that was set back: nobody knows how long ago it was verified.
        (200, None, Miss),
        (201, None, Hit),
    ] {
        let now = Timestamp::from_seconds(NOW.seconds() + seconds);
        let (verified, found) = world.verifier.verify(&token, now);
        assert_eq!((verified.err().map(|rejected| rejected.error), found), (refused, cached), "{seconds}");
    }
}

#[test]
fn nothing_is_remembered_of_what_was_refused() {
    let world = World::new();
    for token in [
        of("a1", &json!({ "exp": NOW.seconds() - 31 })),
        of("a1", &json!({ "aud": "other" })),
        of("a1", &json!({ "nbf": NOW.seconds() + 60 })),
        of("nobody", &json!({})),
        token(key("nobody"), &json!({ "kid": key("a1").kid() }), &json!({})),
    ] {
        for _ in 0..2 {
            assert!(world.refused(&token).is_some());
            assert_eq!(world.cached(&token), CacheResult::Miss);
        }
    }
    // Too early is good later.
    let early = of("a1", &json!({ "nbf": NOW.seconds() + 60 }));
    assert_eq!(world.refused(&early), Some(VerifyError::NotYetValid));
    assert!(world.verifier.verify(&early, Timestamp::from_seconds(NOW.seconds() + 60)).0.is_ok());
}

/// attacks.md J23: while a token is remembered, every other spelling of it is judged on its own.
#[test]
fn no_other_spelling_is_taken_for_it() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let world = World::new();
    let token = of("a1", &json!({}));
    assert_eq!((world.refused(&token), world.cached(&token)), (None, CacheResult::Hit));
    let (rest, last) = token.split_at(token.len() - 1);
    let mut malformed = 0;
    for letter in ALPHABET.chars() {
        let variant = format!("{rest}{letter}");
        let (verified, cached) = world.verifier.verify(&variant, NOW);
        if letter.to_string() == last {
            assert!(verified.is_ok() && cached == CacheResult::Hit, "itself");
            continue;
        }
        assert_eq!(cached, CacheResult::Miss, "{letter}");
        match verified.unwrap_err().error {
            // Bits that no byte has.
            VerifyError::Malformed => malformed += 1,
            error => assert_eq!(error, VerifyError::BadSignature, "{letter}"),
        }
    }
    assert_eq!(malformed, 60, "of the last letter's six bits two are the signature's");
    let parts: Vec<&str> = token.split('.').collect();
    for variant in [
        format!("{token}="),
        format!("{token}=="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}==.{}", parts[0], parts[1], parts[2]),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}."),
    ] {
        let (verified, cached) = world.verifier.verify(&variant, NOW);
        assert_eq!((verified.unwrap_err().error, cached), (VerifyError::Malformed, CacheResult::Miss), "{variant:?}");
    }
    assert_eq!(world.refused(&format!("{token}A")), Some(VerifyError::BadSignature), "a byte more");
    assert_eq!(world.cached(&token), CacheResult::Hit, "it is remembered still");
}

/// attacks.md J29: the respelled signature verifies, so what a mark names must be the same.
#[test]
fn a_respelled_signature_is_verified_anew_and_names_the_same_token() {
    let world = World::new();
    for claims in [json!({}), json!({ "jti": "absent" }), json!({ "jti": "" })] {
        let token = of("a1", &claims);
        let verified = world.verifier.verify(&token, NOW).0.unwrap();
        let other = respelled(&token);
        assert_ne!(other, token);
        let (respelled, cached) = world.verifier.verify(&other, NOW);
        assert_eq!(cached, CacheResult::Miss);
        assert_eq!(respelled.unwrap().identifier(), verified.identifier(), "{claims}");
    }
    // Without a `jti`, two tokens are two by what is signed.
    let identifier = |claims: &Value| world.verifier.verify(&of("a1", claims), NOW).0.unwrap().identifier().to_owned();
    let (alice, bob) = (json!({ "jti": "absent" }), json!({ "jti": "absent", "sub": "bob" }));
    assert_ne!(identifier(&alice), identifier(&bob));
}

#[test]
fn a_verified_token_is_trusted_until_its_key_is_withdrawn() {
    let world = World::new();
    let verified = world.verifier.verify(&of("a1", &json!({})), NOW).0.unwrap();
    let trusts = |now: Timestamp| world.verifier.still_trusts(&verified, now).map(drop);
    let late = Timestamp::from_seconds(NOW.seconds() + 630);
    assert_eq!(trusts(NOW), Ok(()));
    // An outage of the issuer: what is known of the token is known still, and its end is its end.
    world.a.replace(KeySet::unavailable());
    assert_eq!((trusts(NOW), trusts(late)), (Ok(()), Err(VerifyError::Expired)));
    world.a.replace(set(&["a2", "a1"]));
    assert_eq!(trusts(NOW), Ok(()));
    world.a.replace(set(&["a2"]));
    assert_eq!(trusts(NOW), Err(VerifyError::UnknownKey));
    let others = Verifier::new([(foreign(B), Arc::new(LiveKeys::new(set(&["a1"]))))]);
    assert_eq!(others.still_trusts(&verified, NOW).map(drop), Err(VerifyError::WrongIssuer));
}
