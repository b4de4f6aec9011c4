//! The rules of refresh tokens, as cases.

use super::*;

const OLD_KEY: KeyNumber = KeyNumber(*b"old ");
const KEY: KeyNumber = KeyNumber(*b"key ");
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.9";

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A session in its fifth generation, rotated at 100 s from home. It idles out at 1000 s, ends at 5000 s, and its last
/// access token expires at 400 s.
fn family() -> Family {
    Family {
        generation: 5,
        key_number: OLD_KEY,
        rotated_at: at(100_000),
        presenter: address(HOME),
        strangers: Strangers::default(),
        subject: "alice".to_owned(),
        password: None,
        client: Some("web".to_owned()),
        scope: ScopeSet::parse("me items").unwrap(),
        issued_at: at(0),
        expires_at: at(5_000_000),
        idle_expires_at: at(1_000_000),
        latest_access_exp: at(400_000),
        revoked: false,
    }
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn terms() -> Terms {
    Terms { grace: Duration::from_secs(10), idle: Duration::from_secs(900), key_number: KEY }
}

fn presented(generation: u32, millis: i64) -> Presented {
    Presented { generation, key_number: OLD_KEY, from: address(HOME), at: at(millis) }
}

/// The outcome without the record in it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Rotate(u32),
    Repeat,
    Reuse(ReuseCause),
    Ahead(u32),
    Refused(Refused),
}

fn outcome(step: &Step) -> Outcome {
    match step {
        Step::Rotate(next) => Outcome::Rotate(next.generation),
        Step::Repeat { .. } => Outcome::Repeat,
        Step::Reuse { cause, .. } => Outcome::Reuse(*cause),
        Step::Ahead(next) => Outcome::Ahead(next.generation),
        Step::Refused(refused) => Outcome::Refused(*refused),
    }
}

#[test]
fn what_a_generation_leads_to_and_when() {
    use Outcome::{Ahead, Refused as No, Repeat, Reuse, Rotate};
    use Refused::Expired;
    use ReuseCause::{AfterGrace, Superseded};
    let last = u32::MAX;
    for (rule, generation, millis, expected) in [
        ("the current one rotates", 5, 100_000, Rotate(6)),
        ("the current one rotates, at the last moment before it idles out", 5, 999_999, Rotate(6)),
        ("idle", 5, 1_000_000, No(Expired)),
        ("the predecessor at once", 4, 100_000, Repeat),
        ("the predecessor at the last moment of the grace", 4, 109_999, Repeat),
        ("the predecessor when the grace is over", 4, 110_000, Reuse(AfterGrace)),
        ("the predecessor by a clock that was set back", 4, 90_000, Repeat),
        ("the predecessor much later", 4, 399_999, Reuse(AfterGrace)),
        ("two generations old, within the grace", 3, 100_001, Reuse(Superseded)),
        ("two generations old, by a clock that was set back", 3, 0, Reuse(Superseded)),
        ("the first one", 0, 100_001, Reuse(Superseded)),
        ("one ahead of the store", 6, 100_001, Ahead(7)),
        ("far ahead of the store", 900, 100_001, Ahead(901)),
        ("ahead, but idle by what the store knows", 6, 1_000_000, No(Expired)),
        ("ahead of everything", last, 100_001, No(Expired)),
        ("reuse after the idle time, when no access token is left", 3, 1_000_000, No(Expired)),
    ] {
        let step = family().present(&presented(generation, millis), &terms());
        assert_eq!(outcome(&step), expected, "{rule}");
    }
}

#[test]
fn grace_zero_means_none() {
    let terms = Terms { grace: Duration::ZERO, ..terms() };
    for millis in [90_000, 100_000, 100_001] {
        let step = family().present(&presented(4, millis), &terms);
        assert_eq!(outcome(&step), Outcome::Reuse(ReuseCause::AfterGrace), "{millis}");
    }
}

#[test]
fn the_absolute_end_holds_however_busy_the_session_is() {
    let busy = Family { idle_expires_at: at(9_000_000), ..family() };
    for (generation, millis, expected) in [
        (5, 4_999_999, Outcome::Rotate(6)),
        (5, 5_000_000, Outcome::Refused(Refused::Expired)),
        (6, 5_000_000, Outcome::Refused(Refused::Expired)),
        (4, 5_000_000, Outcome::Refused(Refused::Expired)),
    ] {
        assert_eq!(outcome(&busy.present(&presented(generation, millis), &terms())), expected, "{generation} {millis}");
    }
}

#[test]
fn an_expired_session_with_a_live_access_token_still_notices_reuse() {
    let family = Family { latest_access_exp: at(1_000_500), ..family() };
    for (generation, millis, expected) in [
        (5, 1_000_000, Outcome::Refused(Refused::Expired)),
        (6, 1_000_000, Outcome::Refused(Refused::Expired)),
        (4, 1_000_000, Outcome::Reuse(ReuseCause::AfterGrace)),
        (3, 1_000_499, Outcome::Reuse(ReuseCause::Superseded)),
        (3, 1_000_500, Outcome::Refused(Refused::Expired)),
    ] {
        let step = family.present(&presented(generation, millis), &terms());
        assert_eq!(outcome(&step), expected, "{generation} {millis}");
    }
    let rotated_late = Family { rotated_at: at(999_999), ..family };
    let step = rotated_late.present(&presented(4, 1_000_000), &terms());
    assert_eq!(step, Step::Refused(Refused::Expired), "the grace does not outlive the session");
}

#[test]
fn a_revoked_session_answers_nothing_and_stays_revoked() {
    let revoked = family().revoke();
    for generation in [0, 3, 4, 5, 6, u32::MAX] {
        for millis in [0, 100_000, 9_000_000] {
            let step = revoked.present(&presented(generation, millis), &terms());
            assert_eq!(step, Step::Refused(Refused::Revoked), "{generation} {millis}");
        }
    }
    assert!(revoked.issued(at(1)).revoked);
}

#[test]
fn a_rotation_changes_what_it_must_and_nothing_else() {
    let new_home = Presented { from: address(ELSEWHERE), ..presented(5, 200_000) };
    let expected = Family {
        generation: 6,
        key_number: KEY,
        rotated_at: at(200_000),
        presenter: address(ELSEWHERE),
        idle_expires_at: at(1_100_000),
        ..family()
    };
    assert_eq!(family().present(&new_home, &terms()), Step::Rotate(expected));
}

#[test]
fn idling_never_extends_the_absolute_end() {
    let busy = Family { idle_expires_at: at(9_000_000), ..family() };
    let Step::Rotate(next) = busy.present(&presented(5, 4_900_000), &terms()) else { panic!("rotates") };
    assert_eq!(next.idle_expires_at, at(5_000_000));
    assert_eq!(next.expires_at, at(5_000_000));
}

#[test]
fn reuse_revokes_and_leaves_the_rest_for_the_record() {
    let Step::Reuse { next, .. } = family().present(&presented(3, 100_001), &terms()) else { panic!("is reuse") };
    assert_eq!(next, family().revoke());
}

#[test]
fn a_repeat_names_the_first_presenter_and_writes_nothing_for_the_same_address() {
    for from in [address(HOME), address("::ffff:192.0.2.1"), None] {
        let step = family().present(&Presented { from, ..presented(4, 100_001) }, &terms());
        assert_eq!(step, Step::Repeat { next: family(), first: address(HOME) }, "{from:?}");
    }
}

#[test]
fn the_current_generation_under_another_key_is_forged() {
    let forged = Presented { key_number: KEY, ..presented(5, 100_001) };
    assert_eq!(outcome(&family().present(&forged, &terms())), Outcome::Reuse(ReuseCause::WrongKey));
    let predecessor = Presented { key_number: KEY, ..presented(4, 100_001) };
    assert_eq!(outcome(&family().present(&predecessor, &terms())), Outcome::Repeat);
}

#[test]
fn ahead_becomes_current_and_its_own_repeat_is_graceful() {
    let Step::Ahead(next) = family().present(&presented(7, 200_000), &terms()) else { panic!("is ahead") };
    assert_eq!(next.generation, 8);
    assert_eq!(outcome(&next.present(&presented(7, 200_001), &terms())), Outcome::Repeat);
    assert_eq!(outcome(&next.present(&presented(5, 200_001), &terms())), Outcome::Reuse(ReuseCause::Superseded));
}

/// Who presents each generation first, and who repeats it: the last repeat is the one that is judged.
#[test]
fn a_thief_who_keeps_in_step() {
    let (home, away) = (HOME, ELSEWHERE);
    for (story, generations, caught) in [
        ("one repeat from elsewhere may be a phone that changed networks", vec![(home, vec![away])], false),
        ("any number of them for one generation", vec![(home, vec![away, away, home, away])], false),
        ("two generations in a row are not", vec![(home, vec![away]), (home, vec![away])], true),
        ("whoever is first", vec![(home, vec![away]), (away, vec![home])], true),
        ("one generation in peace in between", vec![(home, vec![away]), (home, vec![]), (home, vec![away])], false),
        ("repeats from the same address are peace", vec![(home, vec![home]), (home, vec![away])], false),
        ("a repeat from home while suspected", vec![(home, vec![away]), (home, vec![home])], false),
    ] {
        let mut family = family();
        let mut now = 200_000;
        let mut last = Outcome::Repeat;
        for (first, repeats) in generations {
            let presented = |from| Presented {
                from: address(from),
                key_number: family.key_number,
                ..presented(family.generation, now)
            };
            let predecessor = presented(first);
            let Step::Rotate(next) = family.present(&predecessor, &terms()) else { panic!("{story}: rotates") };
            family = next;
            for repeat in repeats {
                now += 1;
                let step = family.present(&Presented { from: address(repeat), at: at(now), ..predecessor }, &terms());
                last = outcome(&step);
                if let Step::Repeat { next, .. } = step {
                    family = next;
                }
            }
            now += 50_000;
        }
        let expected = if caught { Outcome::Reuse(ReuseCause::InStep) } else { Outcome::Repeat };
        assert_eq!(last, expected, "{story}");
    }
}

#[test]
fn unknown_addresses_accuse_nobody() {
    let unknown = Family { presenter: None, strangers: Strangers { here: false, before: true }, ..family() };
    let step = unknown.present(&Presented { from: address(ELSEWHERE), ..presented(4, 100_001) }, &terms());
    assert_eq!(outcome(&step), Outcome::Repeat);
}

#[test]
fn a_session_is_remembered_as_long_as_its_last_access_token() {
    let leeway = 300_000;
    for (family, kept_until) in [
        (family(), 1_000_000),
        (Family { idle_expires_at: at(9_000_000), ..family() }, 5_000_000),
        (family().issued(at(6_000_000)), 6_000_000 + leeway),
        (family().issued(at(6_000_000)).issued(at(10)), 6_000_000 + leeway),
    ] {
        assert_eq!(family.kept_until(), at(kept_until));
    }
}

#[test]
fn a_login_begins_at_generation_zero() {
    let life = SessionLife { now: at(7), absolute: Duration::from_secs(100), idle: Duration::from_secs(1000) };
    let family = Family::begin("alice", None, ScopeSet::default(), KEY, life);
    assert_eq!(
        (family.generation, family.key_number, family.expires_at, family.idle_expires_at, family.revoked),
        (0, KEY, at(100_007), at(100_007), false)
    );
    let step = family.present(&Presented { key_number: KEY, ..presented(0, 8) }, &terms());
    assert_eq!(outcome(&step), Outcome::Rotate(1));
}

#[test]
fn every_cause_has_a_word_of_its_own() {
    let words: std::collections::HashSet<_> = ReuseCause::ALL.map(ReuseCause::as_str).into();
    assert_eq!(words.len(), ReuseCause::ALL.len());
}
