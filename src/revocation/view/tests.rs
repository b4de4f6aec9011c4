//! The view: who is dead, until when, and what it costs.

use super::*;
use crate::revocation::Mark;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn mark(kind: MarkKind, value: &str, expires: i64, cutoff: Option<i64>) -> StoredMark {
    let mark = Mark {
        kind,
        issuer: "https://a".to_owned(),
        value: value.to_owned(),
        expires_at: at(expires),
        issued_before: cutoff.map(Timestamp::from_millis),
    };
    mark.into()
}

fn token(issuer: &'static str) -> Identifiers<'static> {
    Identifiers {
        issuer,
        jti: Some("j1"),
        sid: Some("s1"),
        subject: "alice",
        client: Some("web"),
        issued_at: Some(at(50)),
    }
}

#[test]
fn a_mark_kills_what_it_names_until_it_is_over() {
    let dead = |kind| Standing::Revoked(kind);
    for (story, mark, now, expected) in [
        ("its jti", mark(MarkKind::Jti, "j1", 100, None), at(60), dead(MarkKind::Jti)),
        ("its session", mark(MarkKind::Sid, "s1", 100, None), at(60), dead(MarkKind::Sid)),
        ("its subject, all of it", mark(MarkKind::Sub, "alice", 100, None), at(60), dead(MarkKind::Sub)),
        ("its client, all of it", mark(MarkKind::Client, "web", 100, None), at(60), dead(MarkKind::Client)),
        ("another client", mark(MarkKind::Client, "spa", 100, None), at(60), Standing::Good),
        ("another jti", mark(MarkKind::Jti, "j2", 100, None), at(60), Standing::Good),
        ("a jti that is called as its session", mark(MarkKind::Jti, "s1", 100, None), at(60), Standing::Good),
        ("the last moment", mark(MarkKind::Jti, "j1", 100, None), Timestamp::from_millis(99_999), dead(MarkKind::Jti)),
        ("over", mark(MarkKind::Jti, "j1", 100, None), at(100), Standing::Good),
        ("cut off before it", mark(MarkKind::Sub, "alice", 100, Some(49_999)), at(60), Standing::Good),
        ("cut off in its second", mark(MarkKind::Sub, "alice", 100, Some(50_000)), at(60), dead(MarkKind::Sub)),
        ("cut off later in its second", mark(MarkKind::Sub, "alice", 100, Some(50_999)), at(60), dead(MarkKind::Sub)),
        ("cut off after it", mark(MarkKind::Sub, "alice", 100, Some(51_000)), at(60), dead(MarkKind::Sub)),
    ] {
        let view = View::new();
        view.insert(&mark);
        assert_eq!(view.standing(&token("https://a"), now), expected, "{story}");
        assert_eq!(view.standing(&token("https://b"), now), Standing::Good, "{story}, of another issuer");
    }
}

#[test]
fn a_token_without_a_date_is_older_than_any_cutoff() {
    let view = View::new();
    view.insert(&mark(MarkKind::Sub, "alice", 100, Some(1)));
    let undated = Identifiers { issued_at: None, ..token("https://a") };
    assert_eq!(view.standing(&undated, at(60)), Standing::Revoked(MarkKind::Sub));
}

#[test]
fn marks_of_one_key_add_up() {
    let view = View::new();
    view.insert(&mark(MarkKind::Sub, "alice", 100, Some(40_000)));
    view.insert(&mark(MarkKind::Sub, "alice", 90, Some(50_000)));
    let key = MarkKey::of(MarkKind::Sub, "https://a", "alice");
    assert_eq!((view.len(), view.cutoff(&key, at(99)), view.cutoff(&key, at(100))), (1, Some(at(50)), None));
    view.insert(&mark(MarkKind::Sub, "alice", 10, None));
    assert_eq!(view.cutoff(&key, at(0)), None, "nothing is spared any more");
    let later = Identifiers { issued_at: Some(at(80)), ..token("https://a") };
    assert_eq!(view.standing(&later, at(99)), Standing::Revoked(MarkKind::Sub));
}

#[test]
fn a_mark_changes_the_version_of_what_it_matches() {
    let view = View::new();
    let keys = token("https://a").keys();
    for mark in [
        mark(MarkKind::Jti, "j1", 100, None),
        mark(MarkKind::Sid, "s1", 100, None),
        mark(MarkKind::Sub, "alice", 100, Some(1)),
        mark(MarkKind::Sub, "alice", 100, Some(2)),
        mark(MarkKind::Client, "web", 100, None),
    ] {
        let before = view.version_for(&keys);
        view.insert(&mark);
        assert_ne!(view.version_for(&keys), before, "{mark:?}");
    }
}

#[test]
fn a_mark_takes_150_bytes_at_most_and_gives_them_back() {
    let view = View::new();
    // Just past a power of two, where tables are emptiest.
    for many in [100_000_u32, 131_072, 470_000] {
        for number in 0..many {
            view.insert(&mark(MarkKind::Jti, &number.to_string(), i64::from(number % 10), None));
        }
        assert_eq!(view.len(), many as usize);
        assert!(view.bytes() / view.len() <= 150, "{} bytes for {} marks", view.bytes(), view.len());
    }
    assert_eq!(view.sweep(at(8)), 423_000, "those that end at 0 to 8 seconds");
    assert!(view.bytes() / view.len() <= 150, "{} bytes for {} marks", view.bytes(), view.len());
    view.sweep(at(9));
    assert!(view.is_empty() && view.bytes() < 64 << 10, "{}", view.bytes());
}

#[test]
fn the_marks_of_a_bucket_are_those_that_were_put_in_less_their_names() {
    let view = View::new();
    let marks: Vec<StoredMark> = (0..1000_u16)
        .map(|number| {
            let cutoff = (number % 3 == 0).then_some(i64::from(number));
            StoredMark { name: None, ..mark(MarkKind::Sub, &number.to_string(), i64::from(number), cutoff) }
        })
        .collect();
    for mark in &marks {
        view.insert(mark);
    }
    let mut found: Vec<StoredMark> = Bucket::all().flat_map(|bucket| view.marks_in(bucket, |_| true)).collect();
    let mut expected = marks;
    found.sort_by_key(|mark| mark.key);
    expected.sort_by_key(|mark| mark.key);
    assert_eq!(found, expected);
    let bucket = Bucket::of(&found[7].key);
    let one = view.marks_in(bucket, |mark| mark.key == found[7].key);
    assert_eq!(one, found[7..8]);
}
