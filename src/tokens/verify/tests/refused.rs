//! What is no token of the issuer it names.

use super::*;

#[test]
fn a_good_token_of_each_issuer_is_one() {
    let world = World::new();
    for (key, issuer) in [("a1", A), ("a2", A), ("b1", B), ("b2", B)] {
        let token = of(key, &json!({ "iss": issuer }));
        assert_eq!(world.refused(&token), None, "{key}");
    }
}

/// attacks.md J16, J37, J43: an issuer's key verifies its own tokens, and no other key does.
#[test]
fn no_issuer_speaks_for_another() {
    let world = World::new();
    let kid = |of: &'static str| json!({ "kid": key(of).kid() });
    for (what, signer, header, issuer, error) in [
        ("B's key, B's name for it", "b1", kid("b1"), json!(A), VerifyError::UnknownKey),
        ("B's key under A's name", "b1", kid("a1"), json!(A), VerifyError::BadSignature),
        ("B's key without a name", "b1", json!({ "kid": "absent" }), json!(A), VerifyError::UnknownKey),
        ("A's key for B", "a1", kid("a1"), json!(B), VerifyError::UnknownKey),
        ("A's other key", "a2", kid("a1"), json!(A), VerifyError::BadSignature),
        ("nobody's key", "nobody", kid("nobody"), json!(A), VerifyError::UnknownKey),
        ("no issuer", "a1", kid("a1"), json!("absent"), VerifyError::WrongIssuer),
        ("no text", "a1", kid("a1"), json!([A]), VerifyError::WrongIssuer),
        ("null", "a1", kid("a1"), json!(null), VerifyError::WrongIssuer),
        ("empty", "a1", kid("a1"), json!(""), VerifyError::WrongIssuer),
        ("a slash more", "a1", kid("a1"), json!("https://a.example/"), VerifyError::WrongIssuer),
        ("a slash less", "b1", kid("b1"), json!("https://b.example"), VerifyError::WrongIssuer),
        ("another case", "a1", kid("a1"), json!("HTTPS://A.EXAMPLE"), VerifyError::WrongIssuer),
        ("a beginning", "a1", kid("a1"), json!("https://a.example.evil.com"), VerifyError::WrongIssuer),
        ("a part", "a1", kid("a1"), json!("a"), VerifyError::WrongIssuer),
        ("http", "a1", kid("a1"), json!("http://a.example"), VerifyError::WrongIssuer),
        ("NUL", "a1", kid("a1"), json!("https://a.example\0"), VerifyError::WrongIssuer),
        ("dots", "a1", kid("a1"), json!("https://a.example/../x"), VerifyError::WrongIssuer),
        ("userinfo", "a1", kid("a1"), json!("https://a.example@evil"), VerifyError::WrongIssuer),
    ] {
        let claims = json!({ "iss": issuer });
        assert_eq!(world.refused(&token(key(signer), &header, &claims)), Some(error), "{what}");
    }
}

/// attacks.md J38.
#[test]
fn the_audience_is_ours_to_the_letter() {
    let world = World::new();
    let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let wrong = Some(VerifyError::WrongAudience);
    let malformed = Some(VerifyError::Malformed);
    for (audience, refused) in [
        (json!("api"), None),
        (json!(["api"]), None),
        (json!(["x", "api"]), None),
        (json!("api2"), wrong),
        (json!("ap"), wrong),
        (json!("API"), wrong),
        (json!("x api"), wrong),
        (json!(["apix"]), wrong),
        (json!([]), wrong),
        (json!(""), wrong),
        (json!("absent"), wrong),
        (json!(many), wrong),
        (json!([["api"]]), malformed),
        (json!(["api", 5]), malformed),
        (json!({ "api": 1 }), malformed),
        (json!([1]), malformed),
        (json!(null), malformed),
    ] {
        let text = audience.to_string();
        let short = text.get(..40).unwrap_or(&text);
        assert_eq!(world.refused(&of("a1", &json!({ "aud": audience }))), refused, "{short}");
    }
}

#[test]
fn other_kinds_of_tokens_are_refused() {
    let at = IssuerRules { token_types: vec![TokenType::AccessToken], ..foreign(A) };
    let world = World::with(at, foreign(B));
    for (header, claims, refused) in [
        (json!({ "typ": "at+jwt" }), json!({}), false),
        (json!({ "typ": "application/AT+JWT" }), json!({}), false),
        (json!({}), json!({}), true),
        (json!({ "typ": "absent" }), json!({}), true),
        (json!({ "typ": "JWT" }), json!({}), true),
        (json!({ "typ": "at+jwt" }), json!({ "at_hash": "x" }), true),
        (json!({ "typ": "at+jwt" }), json!({ "nonce": "x" }), true),
        (json!({ "typ": "at+jwt" }), json!({ "nonce": "x", "azp": "spa" }), false),
        (json!({ "typ": "at+jwt" }), json!({ "cnf": { "jkt": "x" } }), true),
        (json!({ "typ": "at+jwt" }), json!({ "typ": "ID" }), true),
        (json!({ "typ": "at+jwt" }), json!({ "token_use": "id" }), true),
    ] {
        let error = world.refused(&token(key("a1"), &header, &claims));
        assert_eq!(error, refused.then_some(VerifyError::WrongType), "{header} {claims}");
    }
}

/// attacks.md J33: an issuer that says ten years must not make marks live for ten years.
#[test]
fn another_issuers_token_lives_as_long_as_it_may() {
    let world = World::new();
    let day = 24 * 3600;
    for (ahead, refused) in [
        (day, None),
        (day + 30, None),
        (day + 31, Some(VerifyError::Malformed)),
        (10 * 365 * day, Some(VerifyError::Malformed)),
        (-29, None),
        (-30, Some(VerifyError::Expired)),
    ] {
        let token = of("a1", &json!({ "exp": NOW.seconds() + ahead }));
        assert_eq!(world.refused(&token), refused, "{ahead}");
    }
}

/// attacks.md J05, J08, J09: what a set publishes is a key for one algorithm, or none.
#[test]
fn a_published_key_is_no_secret_and_for_one_purpose() {
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let with = |more: Value| {
        let mut jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k" });
        jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        jwk
    };
    for (jwk, algorithm, error) in [
        (with(json!({})), "ES256", VerifyError::BadSignature),
        (with(json!({})), "HS256", VerifyError::WrongAlgorithm),
        (with(json!({ "alg": "ES256" })), "HS256", VerifyError::WrongAlgorithm),
        (with(json!({ "crv": "P-384" })), "ES256", VerifyError::UnknownKey),
        (with(json!({ "alg": "ES512" })), "ES256", VerifyError::UnknownKey),
        (with(json!({ "use": "enc" })), "ES256", VerifyError::UnknownKey),
        (with(json!({ "key_ops": ["encrypt"] })), "ES256", VerifyError::UnknownKey),
        (with(json!({ "use": "sig", "key_ops": ["sign"] })), "ES256", VerifyError::UnknownKey),
        (json!({ "kty": "oct", "k": x, "kid": "k" }), "HS256", VerifyError::UnknownKey),
        (
            json!({ "kty": "OKP", "crv": "X25519", "x": x, "alg": "EdDSA", "kid": "k" }),
            "EdDSA",
            VerifyError::UnknownKey,
        ),
    ] {
        let world = World::new();
        world.a.replace(published(&jwk));
        let secret = SigningKey::from_secret(&crate::base::Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja")).unwrap();
        let token = token(&secret, &json!({ "kid": "k", "alg": algorithm }), &json!({}));
        assert_eq!(world.refused(&token), Some(error), "{algorithm} with {jwk}");
    }
}

/// No key could save such a token: none is fetched for it, and it is not our fault that none is there.
#[test]
fn an_algorithm_that_the_issuer_may_not_use_is_refused_before_a_key_is_looked_for() {
    let allowed = IssuerRules { algorithms: Some(vec![Algorithm::Es256]), ..foreign(A) };
    let world = World::with(allowed, foreign(B));
    for keys in [set(&["a1"]), KeySet::unavailable()] {
        let known = keys.is_available();
        world.a.replace(keys);
        for algorithm in [json!("none"), json!("HS256"), json!("EdDSA"), json!("RS256"), json!("es256"), json!(null)] {
            for kid in ["new", key("a1").kid()] {
                let token = token(key("a1"), &json!({ "kid": kid, "alg": algorithm }), &json!({}));
                let rejected = world.verifier.verify(&token, NOW).0.unwrap_err();
                assert_eq!((rejected.error, rejected.kid), (VerifyError::WrongAlgorithm, None), "{algorithm} {kid}");
            }
        }
        let expected = if known { VerifyError::UnknownKey } else { VerifyError::KeysUnavailable };
        assert_eq!(world.refused(&token(key("a1"), &json!({ "kid": "new" }), &json!({}))), Some(expected));
    }
}

#[test]
fn what_is_wanted_is_named_where_no_key_has_it() {
    let world = World::new();
    let rejected = |token: &str| world.verifier.verify(token, NOW).0.unwrap_err();
    let unknown = rejected(&token(key("a1"), &json!({ "kid": "new" }), &json!({})));
    assert_eq!((unknown.error, unknown.kid.as_deref()), (VerifyError::UnknownKey, Some("new")));
    assert_eq!(unknown.issuer.unwrap().issuer, A);
    let forged = rejected(&token(key("nobody"), &json!({ "kid": key("a1").kid() }), &json!({})));
    assert_eq!((forged.error, forged.kid), (VerifyError::BadSignature, None));
    world.a.replace(KeySet::unavailable());
    let unavailable = rejected(&of("a1", &json!({})));
    assert_eq!((unavailable.error, unavailable.kid.as_deref()), (VerifyError::KeysUnavailable, Some(key("a1").kid())));
    let nobody = rejected(&of("a1", &json!({ "iss": "https://c" })));
    assert_eq!((nobody.error, nobody.kid, nobody.issuer.is_none()), (VerifyError::WrongIssuer, None, true));
}
