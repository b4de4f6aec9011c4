use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::base::{Secret, base64url};
use crate::keys::{KeyRing, KeySet, LiveKeys, SigningKey};
use crate::tokens::{IssuerRules, Verifier, digest_of};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

struct World {
    key: Arc<SigningKey>,
    live: Arc<LiveKeys>,
    verifier: Verifier,
}

impl World {
    fn new() -> Self {
        let key = Arc::new(SigningKey::from_secret(&Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja")).unwrap());
        let live = Arc::new(LiveKeys::new((&KeyRing::of(Arc::clone(&key))).into()));
        let verifier = Verifier::new([(IssuerRules::own("i"), Arc::clone(&live))]);
        Self { key, live, verifier }
    }

    fn token(&self, number: usize, extra: &Value) -> (Digest, Seen) {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": self.key.kid() }).to_string();
        let claims =
            json!({ "iss": "i", "sub": format!("user-{number}"), "exp": 1_700_000_600, "x": extra }).to_string();
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
        let token = format!("{signed}.{}", base64url::encode(self.key.sign(signed.as_bytes()).unwrap()));
        let digest = digest_of(&token);
        let known = self.verifier.know(&token, &digest, NOW.into()).0.unwrap();
        (digest, Seen { token: known, answered: Answered::default() })
    }

    fn tokens(&self, count: usize) -> Vec<(Digest, Seen)> {
        (0..count).map(|number| self.token(number, &Value::Null)).collect()
    }
}

fn subject(seen: Option<Seen>) -> Option<String> {
    seen.map(|seen| seen.token.claims().subject.to_string())
}

#[test]
fn what_was_put_in_is_found_by_its_digest_and_no_other() {
    let (world, front) = (World::new(), Front::default());
    let tokens = world.tokens(2_000);
    assert_eq!(subject(front.find(&tokens[0].0, NOW)), None, "of an empty one");
    for (digest, seen) in &tokens {
        front.put(digest, seen, NOW);
    }
    let found = tokens.iter().enumerate().filter(|(number, (digest, _))| {
        let found = subject(front.find(digest, NOW));
        assert!(found.is_none() || found == Some(format!("user-{number}")), "{found:?} is not {number}");
        found.is_some()
    });
    assert!(found.count() > 1_990, "hardly one lost its place to another");
    let mut other = tokens[7].0;
    for byte in 0..32 {
        other[byte] ^= 1;
        assert_eq!(subject(front.find(&other, NOW)), None, "byte {byte}");
        other[byte] ^= 1;
    }
}

#[test]
fn what_does_not_count_any_more_is_not_found() {
    let age = Duration::from_mins(5);
    for (what, at, found) in [
        ("at once", NOW, true),
        ("just before", NOW.plus(Duration::from_millis(299_999)), true),
        ("after five minutes", NOW.plus(age), false),
        ("before it was verified", NOW.minus(Duration::from_millis(1)), false),
    ] {
        let (world, front) = (World::new(), Front::default());
        let (digest, seen) = world.token(0, &Value::Null);
        front.put(&digest, &seen, NOW);
        assert_eq!(front.find(&digest, at).is_some(), found, "{what}");
    }
    let (world, front) = (World::new(), Front::default());
    let (digest, seen) = world.token(0, &Value::Null);
    front.put(&digest, &seen, NOW);
    world.live.replace(KeySet::new([]));
    assert!(front.find(&digest, NOW).is_none(), "its key was withdrawn");
}

#[test]
fn each_thread_has_its_own() {
    let (world, front) = (World::new(), Front::default());
    let (digest, seen) = world.token(0, &Value::Null);
    front.put(&digest, &seen, NOW);
    thread::scope(|scope| {
        let elsewhere = scope.spawn(|| front.find(&digest, NOW).is_some());
        assert!(!elsewhere.join().unwrap());
    });
    assert!(front.find(&digest, NOW).is_some());
}

#[test]
fn it_is_bounded_in_slots_and_in_bytes() {
    let world = World::new();
    let small = |table: &Table| table.slots.len() <= MAX_SLOTS && table.bytes <= MAX_BYTES;
    let counted = |table: &Table| {
        let all = table.slots.iter().flatten();
        (all.clone().count(), all.map(|slot| weight(&slot.seen)).sum::<usize>())
    };
    let mut table = Table::default();
    let (_, seen) = world.token(0, &Value::Null);
    // As digests are spread.
    let digests: Vec<_> = (0..30_000_u32).map(|number| digest_of(number.to_le_bytes())).collect();
    for digest in &digests {
        table.put(digest, &seen, NOW);
    }
    assert!(small(&table), "{} slots, {} bytes", table.slots.len(), table.bytes);
    assert_eq!(counted(&table), (table.used, table.bytes));
    // One after the other, again and again: most are found again, though not all have room.
    let found = |table: &mut Table| {
        digests
            .iter()
            .filter(|digest| {
                let found = table.find(digest, NOW).is_some();
                if !found {
                    table.put(digest, &seen, NOW);
                }
                found
            })
            .count()
    };
    assert!((20_000..30_000).contains(&found(&mut table)));
    assert!((20_000..30_000).contains(&found(&mut table)));
    assert!(small(&table), "{} slots, {} bytes", table.slots.len(), table.bytes);
    assert_eq!(counted(&table), (table.used, table.bytes));

    let mut table = Table::default();
    let (_, large) = world.token(1, &json!("x".repeat(500_000)));
    assert!(large.token.weight() * 100 > MAX_BYTES, "{}", large.token.weight());
    for number in 0..200_u32 {
        table.put(&digest_of(number.to_le_bytes()), &large, NOW);
        assert!(small(&table), "{} bytes after {number}", table.bytes);
    }
    assert!(table.used > 10, "some are kept");
    assert_eq!(counted(&table), (table.used, table.bytes));
    let (digest, huge) = world.token(2, &json!("x".repeat(3_000_000)));
    table.put(&digest, &huge, NOW);
    assert!(table.find(&digest, NOW).is_none(), "one that would drive out all others");
}

#[test]
fn what_nobody_asks_for_any_more_is_given_back() {
    let world = World::new();
    let mut table = Table::default();
    for (digest, seen) in world.tokens(500) {
        table.put(&digest, &seen, NOW);
    }
    let (used, late) = (table.used, NOW.plus(Duration::from_mins(6)));
    assert!(used > 490);
    for _ in 0..table.slots.len() * usize::from(FINDS) {
        assert!(table.find(&[0; 32], late).is_none());
    }
    assert_eq!((table.used, table.bytes), (0, 0));
}

#[test]
fn what_is_made_of_a_token_is_made_once_for_all_who_have_it_and_an_error_is_not_kept() {
    let (_, seen) = World::new().token(0, &Value::Null);
    assert_eq!(seen.token.made::<String, _>(|| Err("not now")), Err("not now"));
    let made = seen.token.made(|| Ok::<_, ()>("first".to_owned())).unwrap();
    let other = seen.token.clone();
    assert!(Arc::ptr_eq(&made, &other.made(|| Ok::<_, ()>("second".to_owned())).unwrap()));
}
