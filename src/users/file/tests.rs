use std::collections::BTreeMap;

use super::*;
use crate::base::Secret;
use crate::keys::ServerKeys;
use crate::tokens::ScopeSet;

const ARGON2: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A";
const PBKDF2: &str = "$pbkdf2-sha256$10$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub.b7dWRWJTmaaJObG4nXfKkK6Z0A";
const BCRYPT: &str = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

fn user(number: usize, hash: &str) -> User {
    User::plain(&format!("user{number}"), StoredHash::parse(hash).unwrap(), ScopeSet::default())
}

fn users(hashes: &[&str]) -> FileUsers {
    FileUsers::new(hashes.iter().enumerate().map(|(number, hash)| user(number, hash)).collect())
}

fn functions(users: &FileUsers) -> Vec<String> {
    let keys = ServerKeys::new([&Secret::new([7; 32])]).unwrap();
    let function = |name: usize| format!("{:?}", users.decoy(keys.blind(&format!("nobody{name}"))));
    (0..4000).map(function).collect()
}

#[test]
fn unknown_names_cost_what_known_ones_do_as_often() {
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    // Not in the order of their prices.
    for function in functions(&users(&[BCRYPT, ARGON2, PBKDF2, ARGON2])) {
        *drawn.entry(function).or_default() += 1;
    }
    let shares: Vec<u32> = drawn.values().map(|count| (count + 100) / 200).collect();
    assert_eq!(shares, [10, 5, 5], "{drawn:?}");
}

#[test]
fn a_name_keeps_its_price_when_users_come_and_go() {
    let hashes = [ARGON2, BCRYPT, PBKDF2].repeat(20);
    let before = functions(&users(&hashes));
    assert_eq!(before, functions(&users(&hashes.iter().rev().copied().collect::<Vec<_>>())), "another order");
    for more in [ARGON2, BCRYPT, PBKDF2] {
        let after = functions(&users(&[hashes.as_slice(), &[more]].concat()));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!(moved <= 4000 / 30, "{moved} of 4000");
    }
}

#[tokio::test]
async fn nobody_fits_and_everybody_is_found() {
    let users = users(&[BCRYPT]);
    let unknown = users.candidate("nobody", 1).await.unwrap();
    let known = users.candidate("user0", 1).await.unwrap();
    assert!(unknown.user.is_none() && known.user.is_some());
    assert!(unknown.hash.price() == known.hash.price() && unknown.hash != known.hash);
    assert!(matches!(users.in_memory("user0"), InMemory::User(_)) && users.in_memory("nobody") == InMemory::Gone);
    // An accident says nothing about anybody.
    let missing = FileUsers::missing();
    assert!(missing.find("user0").await.is_err() && missing.in_memory("user0") == InMemory::Unknown);
    let empty = FileUsers::new(Vec::new()).candidate("nobody", u64::MAX).await.unwrap();
    assert!(empty.hash.price() == StoredHash::default_decoy().price());
}

fn reading(usable: &[(&str, &str, bool)], unusable: &[&str], before: Option<&FileUsers>) -> FileUsers {
    let one =
        |&(name, hash, disabled): &(&str, &str, bool)| User { username: name.to_owned(), disabled, ..user(0, hash) };
    let names = unusable.iter().map(|&name| name.to_owned()).collect();
    FileUsers::new(usable.iter().map(one).collect()).with_unusable(names, before)
}

#[test]
fn tokens_end_with_what_their_user_was() {
    let in_file = reading(&[("a", BCRYPT, false)], &[], None);
    let disabled = reading(&[("a", BCRYPT, true)], &[], None);
    let broken = reading(&[], &["a"], Some(&in_file));
    let still_broken = reading(&[], &["a"], Some(&broken));
    let nobody = reading(&[], &[], None);
    for (name, before, now, ends) in [
        ("the same", &in_file, &in_file, false),
        ("new", &nobody, &in_file, false),
        ("gone", &in_file, &nobody, true),
        ("disabled", &in_file, &disabled, true),
        // As it may have been when doorward was not there to see it.
        ("enabled", &disabled, &in_file, true),
        ("another hash", &in_file, &reading(&[("a", ARGON2, false)], &[], None), true),
        ("a slip of the pen", &in_file, &broken, false),
        ("mended", &still_broken, &in_file, false),
        ("mended with another hash", &still_broken, &reading(&[("a", ARGON2, false)], &[], None), true),
        ("mended and disabled", &broken, &disabled, true),
        ("broken, then gone", &still_broken, &nobody, true),
        ("broken from the start", &reading(&[], &["a"], None), &in_file, false),
    ] {
        let ended = now.ended_since(before);
        assert_eq!(ended, if ends { vec!["a".to_owned()] } else { Vec::new() }, "{name}");
    }
}

#[tokio::test]
async fn whoever_is_at_work_with_an_old_reading_goes_by_the_newest() {
    let old = reading(&[("a", BCRYPT, false)], &[], None);
    let found = old.find("a").await.unwrap().unwrap();
    for (next, still, known, unusable) in [
        (reading(&[("a", BCRYPT, false), ("b", BCRYPT, false)], &[], None), true, true, false),
        (reading(&[("a", ARGON2, false)], &[], None), false, true, false),
        (reading(&[("a", BCRYPT, true)], &[], None), false, true, false),
        (reading(&[], &["a"], None), false, false, true),
        (FileUsers::new(Vec::new()), false, false, false),
    ] {
        let (old, middle) = (reading(&[("a", BCRYPT, false)], &[], None), Arc::new(reading(&[], &[], None)));
        assert!(old.still_has(&found));
        old.succeeded_by(Arc::clone(&middle));
        assert!(!old.still_has(&found));
        middle.succeeded_by(Arc::new(next));
        assert_eq!((old.still_has(&found), old.find("a").await.unwrap().is_some()), (still, known));
        assert_eq!((old.in_memory("a") == InMemory::Gone, old.is_unusable("a")), (!known, unusable));
    }
}
