use std::cell::Cell;

use super::*;
use crate::base::Secret;
use crate::keys::{Algorithm, KeyRing, pem};
use crate::tokens::{
    AccessToken, ClaimPath, Held, Issuer, IssuerRules, RawToken, ScopeSet, TokenType, Verifier, VerifyError,
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const TTL: Duration = Duration::from_secs(60);
const OURS: &str = "https://door.example";

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_secret(&Secret::new(b"q7Zp0Xw3sV9aB2nM5kL8jH1gF4dS6tRe")).unwrap())
}

fn mint_with(key: Arc<SigningKey>, audience: Option<&str>, scopes_as_array: bool) -> Mint {
    let claims = ["email", "roles", "exp", "aud"].map(str::to_owned);
    let terms = MintTerms { issuer: OURS, scopes_as_array, claims: &claims };
    Mint::new(&terms, MintSettings { key, audience: audience.map(str::to_owned), ttl: TTL })
}

fn mint() -> Mint {
    mint_with(key(), None, false)
}

/// A verified token of an issuer called `name`, that lives so long.
fn token(name: &str, life: Duration, rules: impl FnOnce(&mut IssuerRules)) -> Arc<Verified> {
    let attributes = json!({ "email": "j@example.com", "org_id": "acme", "department": "x", "roles": null });
    token_with(attributes, name, life, rules)
}

#[expect(clippy::needless_pass_by_value, reason = "written where it is used")]
fn token_with(attributes: Value, name: &str, life: Duration, rules: impl FnOnce(&mut IssuerRules)) -> Arc<Verified> {
    let ring =
        KeyRing::of(Arc::new(SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None).unwrap()));
    let mut own = IssuerRules { max_lifetime: Duration::from_hours(24), ..IssuerRules::own(name.to_owned()) };
    rules(&mut own);
    let token = Issuer::new(name.to_owned(), vec!["edge".to_owned()], "JWT", false, ring.clone()).write(&AccessToken {
        subject: "johndoe",
        client: "web",
        scopes: &ScopeSet::parse("me items").unwrap(),
        session: Some("session"),
        issued_at: NOW,
        expires_at: NOW.plus(life),
        attributes: attributes.as_object().unwrap(),
        random: [7; 16],
    });
    Verifier::of(own, &ring).verify(&token.unwrap().token, NOW).0.unwrap()
}

fn claims(authorization: &str) -> Value {
    let token = authorization.strip_prefix("Bearer ").unwrap();
    Value::Object(RawToken::parse(token).unwrap().into_claims())
}

/// What it gives at so many seconds from the start, and how many signatures that took.
fn at(mint: &Mint, token: &Verified, seconds: i64, signatures: &Cell<usize>) -> Value {
    let now = Timestamp::from_seconds(NOW.seconds() + seconds);
    let random = || {
        signatures.set(signatures.get() + 1);
        [u8::try_from(signatures.get()).unwrap(); 16]
    };
    claims(&mint.authorization(token, now, random).unwrap())
}

#[test]
fn one_signature_serves_until_half_of_the_life_is_over() {
    let (mint, token, signatures) = (mint(), token(OURS, Duration::from_secs(1000), |_| {}), Cell::new(0));
    for (seconds, expected, expires_in) in [
        (0, 1, 60),
        (1, 1, 60),
        (29, 1, 60),
        (30, 2, 90),
        (31, 2, 90),
        (59, 2, 90),
        (60, 3, 120),
        // Longer than a life has gone by, nobody asked.
        (500, 4, 560),
        // The clock is set back: what was made then is not valid yet.
        (400, 5, 460),
        // Never longer than the client's own.
        (970, 6, 1000),
        (999, 6, 1000),
        (1010, 6, 1000),
    ] {
        let said = at(&mint, &token, seconds, &signatures);
        assert_eq!(signatures.get(), expected, "at {seconds}");
        assert_eq!(said["exp"], NOW.seconds() + expires_in, "at {seconds}");
    }
}

/// The application beside us goes by the same clock as this machine, which may be wrong; own tokens go by the store's.
#[test]
fn it_is_dated_by_this_machines_clock_and_lives_no_longer_than_what_is_left() {
    let foreign = |life| {
        token("https://idp.example", Duration::from_secs(life), |rules| {
            rules.own = false;
            rules.audience = vec!["edge".to_owned()];
        })
    };
    let own = |life| token(OURS, Duration::from_secs(life), |_| {});
    // The token was issued when the clock that dates it showed NOW; so many seconds later it is asked for.
    for (what, token, later, local_ahead_millis, left) in [
        ("clocks that agree", own(1000), 0, 0, 60),
        ("behind by five minutes", own(1000), 0, -300_000, 60),
        ("ahead by five minutes", own(1000), 0, 300_000, 60),
        ("behind, of a token that lives for less than that", own(100), 0, -300_000, 60),
        ("ahead, of a token that lives for less than that", own(100), 0, 300_000, 60),
        ("behind, little left", own(100), 90, -300_000, 10),
        ("ahead, little left", own(100), 90, 300_000, 10),
        ("ahead by less than a second", own(100), 90, 400, 10),
        ("behind by less than a second", own(100), 90, -400, 10),
        ("past its end, within the leeway, ahead", own(100), 130, 300_000, -30),
        ("past its end, within the leeway, behind", own(100), 130, -300_000, -30),
        ("another's, whom the store's clock does not concern, ahead", foreign(1000), 0, 300_000, 60),
        ("another's, little left, ahead", foreign(100), 90, 300_000, 10),
        ("another's, little left, behind", foreign(100), 90, -300_000, 10),
    ] {
        let dated = Timestamp::from_seconds(NOW.seconds() + later);
        let apart = |millis: i64| Timestamp::from_millis(dated.millis() + millis);
        let now = if token.rules().own {
            Times { local: apart(local_ahead_millis), ..Times::from(dated) }
        } else {
            Times { local: dated, ..Times::from(apart(-local_ahead_millis)) }
        };
        let said = claims(&mint().authorization(&token, now, || [1; 16]).unwrap());
        let (iat, exp) = (said["iat"].as_i64().unwrap(), said["exp"].as_i64().unwrap());
        assert_eq!(iat, now.local.seconds(), "{what}");
        assert_eq!(exp - iat, left, "{what}");
        let end = token.claims().expires_at.millis() + if token.rules().own { local_ahead_millis } else { 0 };
        assert!(exp * 1000 <= end, "{what}: rounded down");
    }
}

/// Until then the application refuses what it was sent, or would take it for longer than the client's.
#[test]
fn a_clock_that_is_set_right_makes_another_one() {
    let (mint, token) = (mint(), token(OURS, Duration::from_secs(1000), |_| {}));
    let signatures = Cell::new(0_u8);
    for (what, store, local, expected) in [
        ("five minutes behind", 960, 660, 1),
        ("measured a little otherwise", 961, 662, 1),
        ("set right: what was made is over", 962, 962, 2),
        ("and good to its end", 999, 999, 2),
        ("set back", 999, 699, 3),
    ] {
        let time = |seconds: i64| Timestamp::from_seconds(NOW.seconds() + seconds);
        let random = || {
            signatures.set(signatures.get() + 1);
            [signatures.get(); 16]
        };
        let now = Times { local: time(local), ..Times::from(time(store)) };
        let said = claims(&mint.authorization(&token, now, random).unwrap());
        assert_eq!(signatures.get(), expected, "{what}");
        let left = said["exp"].as_i64().unwrap() - now.local.seconds();
        assert!(left > 0 && left <= 1000 - store + 1, "{what}: {left}");
    }
}

/// What was made before the user lost something, or for somebody else's view of the token, must not be given out afterwards.
#[test]
fn a_user_who_lost_something_gets_another_one_at_once() {
    let (mint, signatures) = (mint(), Cell::new(0));
    let whole = token_with(json!({ "roles": ["staff", "admin"] }), OURS, Duration::from_secs(1000), |_| {});
    let cut = |scopes: &str, roles: &[&str]| {
        let (scopes, roles) = (ScopeSet::parse(scopes).unwrap(), roles.iter().map(|&role| role.to_owned()).collect());
        whole.cut_to(Held { scopes: &scopes, roles: &Vec::<String>::clone(&roles) })
    };
    assert!(cut("me items more", &["staff", "admin", "more"]).is_none());
    let demoted = cut("me", &["staff", "admin"]).unwrap();
    let expelled = cut("me items", &["staff"]).unwrap();
    for (name, token, scope, roles, expected) in [
        ("as issued", &*whole, "me items", json!(["staff", "admin"]), 1),
        ("demoted", &demoted, "me", json!(["staff", "admin"]), 2),
        ("demoted again", &cut("me", &["staff", "admin"]).unwrap(), "me", json!(["staff", "admin"]), 2),
        ("without a role", &expelled, "me items", json!(["staff"]), 3),
        ("promoted", &*whole, "me items", json!(["staff", "admin"]), 3),
    ] {
        let said = at(&mint, token, 1, &signatures);
        assert_eq!((&said["scope"], &said["roles"]), (&json!(scope), &roles), "{name}");
        assert_eq!(signatures.get(), expected, "{name}");
    }
}

#[test]
fn a_thousand_requests_at_once_wait_for_one_signature() {
    let (mint, token) = (mint(), token(OURS, Duration::from_secs(1000), |_| {}));
    let signatures = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..125 {
                    let random = || {
                        signatures.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        [1; 16]
                    };
                    mint.authorization(&token, NOW, random).unwrap();
                }
            });
        }
    });
    assert_eq!(signatures.into_inner(), 1);
}

#[test]
fn two_tokens_of_one_user_have_one_each() {
    let (mint, signatures) = (mint(), Cell::new(0));
    let [short, long] = [10, 1000].map(|seconds| token(OURS, Duration::from_secs(seconds), |_| {}));
    assert_eq!(at(&mint, &short, 0, &signatures)["exp"], NOW.seconds() + 10);
    assert_eq!(at(&mint, &long, 0, &signatures)["exp"], NOW.seconds() + 60);
    assert_eq!(signatures.get(), 2);
}

#[test]
fn it_says_who_asks_and_nothing_that_was_not_asked_for() {
    let jti = base64url::encode([1; 16]);
    let own = json!({
        "email": "j@example.com", "iss": OURS, "sub": "johndoe", "exp": NOW.seconds() + 60, "iat": NOW.seconds(), "jti": jti,
        "client_id": "web", "scope": "me items", "token_use": "upstream",
    });
    let token_of_ours = token(OURS, Duration::from_secs(1000), |_| {});
    assert_eq!(at(&mint(), &token_of_ours, 0, &Cell::new(0)), own);

    let array = at(&mint_with(key(), Some("app"), true), &token_of_ours, 0, &Cell::new(0));
    assert_eq!(
        (&array["scopes"], &array["aud"], &array["scope"]),
        (&json!(["me", "items"]), &json!("app"), &Value::Null)
    );

    let foreign = token("https://idp.example", Duration::from_secs(1000), |rules| {
        rules.own = false;
        rules.audience = vec!["edge".to_owned()];
        rules.token_types = vec![TokenType::Jwt];
        rules.scopes = Some(ScopeSet::parse("me").unwrap());
        rules.subject_prefix = "idp:".to_owned();
        rules.claims = vec![("tenant".to_owned(), ClaimPath::new("org_id"))];
    });
    let expected = json!({
        "email": "j@example.com", "tenant": "acme", "iss": OURS, "sub": "idp:johndoe", "exp": NOW.seconds() + 60,
        "iat": NOW.seconds(), "jti": jti, "client_id": "web", "scope": "me", "original_iss": "https://idp.example",
        "token_use": "upstream",
    });
    assert_eq!(at(&mint(), &foreign, 0, &Cell::new(0)), expected);
}

/// Even where the application's key has become one that verifies here: of an old configuration, or by mistake.
#[test]
fn what_is_made_for_the_upstream_never_passes_here() {
    for (key, reason) in [(key(), VerifyError::WrongType), (key_of(Algorithm::Es256), VerifyError::WrongType)] {
        let made = mint_with(Arc::clone(&key), None, false);
        let token = token(OURS, Duration::from_secs(1000), |_| {});
        let authorization = made.authorization(&token, NOW, || [1; 16]).unwrap();
        let text = authorization.strip_prefix("Bearer ").unwrap();
        let same_key = Verifier::of(IssuerRules::own(OURS.to_owned()), &KeyRing::of(key));
        assert_eq!(same_key.verify(text, NOW).0.unwrap_err().error, reason);
        let other_key = Verifier::of(IssuerRules::own(OURS.to_owned()), &KeyRing::of(key_of(Algorithm::Es256)));
        assert_eq!(other_key.verify(text, NOW).0.unwrap_err().error, VerifyError::UnknownKey);
    }
}

fn key_of(algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pem(pem::generate(algorithm).unwrap().expose(), None).unwrap())
}

#[test]
fn every_algorithm_signs_what_its_public_half_verifies() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Rs256] {
        let key = key_of(algorithm);
        let token = token(OURS, Duration::from_secs(1000), |_| {});
        let authorization = mint_with(Arc::clone(&key), None, false).authorization(&token, NOW, || [1; 16]).unwrap();
        let raw = RawToken::parse(authorization.strip_prefix("Bearer ").unwrap()).unwrap();
        assert_eq!(raw.header().get("alg").unwrap(), algorithm.name());
        assert!(key.verifying().verifies(raw.signed().as_bytes(), raw.signature()));
    }
}

#[test]
fn nothing_that_was_made_is_shown() {
    let (mint, token) = (mint(), token(OURS, Duration::from_secs(1000), |_| {}));
    let made = mint.authorization(&token, NOW, || [1; 16]).unwrap();
    let signature = made.rsplit('.').next().unwrap();
    assert!(!format!("{mint:?}").contains(signature));
}
