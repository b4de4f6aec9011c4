use std::time::Duration;

use super::*;
use crate::revocation::{HistoryPrint, StreamId};

const HISTORY: HistoryPrint = HistoryPrint::from_bytes([7; 16]);
const WANTED: Place = Place { history: HISTORY, id: StreamId::new(1000, 1) };
/// Between two announcements, and as short as silence is.
const FRESH: u64 = 999;
const JUST_NOT: u64 = 4999;
const SILENT: u64 = 5000;

fn id(number: u8) -> ReplicaId {
    ReplicaId([number; 16])
}

/// One that told `at` so many milliseconds ago.
fn listed(number: u8, name: &str, at: Option<(HistoryPrint, u64, u64)>, silent: u64) -> Listed {
    let place = at.map(|(history, millis, sequence)| Place { history, id: StreamId::new(millis, sequence) });
    Listed { id: id(number), name: Some(name.to_owned()), silent_for: Duration::from_millis(silent), place }
}

fn roll(replicas: &[Listed]) -> Roll {
    Roll { kept_for: SILENT_AFTER, replicas: replicas.to_vec() }
}

fn tally() -> Tally {
    Tally::new((id(0), "own".to_owned()), WANTED)
}

fn told(tally: &Tally) -> (Vec<String>, Vec<String>) {
    let Confirmation { confirmed_by, missing } = tally.outcome().unwrap();
    (confirmed_by, missing)
}

#[test]
fn who_has_it_and_who_is_waited_for() {
    let same = |millis, sequence| Some((HISTORY, millis, sequence));
    let other = |millis| Some((HistoryPrint::from_bytes([8; 16]), millis, 0));
    for (what, at, silent, has_it, over) in [
        ("exactly there", same(1000, 1), FRESH, true, true),
        ("beyond it", same(1001, 0), FRESH, true, true),
        ("just before it", same(1000, 0), FRESH, false, false),
        ("long before it", same(1, 9), FRESH, false, false),
        ("not a word of how far", None, FRESH, false, false),
        ("of another history, however far", other(9_000_000), FRESH, false, false),
        ("before it, and almost silent", same(999, 0), JUST_NOT, false, false),
        ("before it, and silent", same(999, 0), SILENT, false, true),
        ("of another history, and silent", other(9_000_000), SILENT, false, true),
        ("not a word, and silent", None, SILENT, false, true),
        ("silent for an hour", same(999, 0), 3_600_000, false, true),
        ("silent, but it had it before", same(1000, 1), SILENT, true, true),
    ] {
        let mut tally = tally();
        assert_eq!(tally.hear(roll(&[listed(0, "own", None, FRESH), listed(1, "b", at, silent)])), over, "{what}");
        let (own, b) = (vec!["own".to_owned()], vec!["b".to_owned()]);
        let expected = if has_it { ([own, b].concat(), Vec::new()) } else { (own, b) };
        assert_eq!(told(&tally), expected, "{what}");
    }
}

#[test]
fn this_instance_has_made_the_mark_and_so_has_it() {
    let own = |silent| listed(0, "own", None, silent);
    for (what, replicas) in
        [("alone", vec![own(FRESH)]), ("not heard of itself", vec![own(SILENT)]), ("not listed yet", Vec::new())]
    {
        let mut tally = tally();
        assert!(tally.hear(roll(&replicas)), "{what}");
        assert_eq!(told(&tally), (vec!["own".to_owned()], Vec::new()), "{what}");
    }
}

#[test]
fn a_list_that_was_begun_a_moment_ago_says_nothing() {
    for (kept_for, complete) in [(0, false), (JUST_NOT, false), (SILENT, true)] {
        let mut tally = tally();
        let kept_for = Duration::from_millis(kept_for);
        assert_eq!(tally.hear(Roll { kept_for, replicas: vec![listed(0, "own", None, FRESH)] }), complete);
        assert_eq!(tally.outcome().is_some(), complete, "{kept_for:?}");
    }
    assert_eq!(tally().outcome(), None, "nothing was heard");
}

#[test]
fn what_was_confirmed_once_stays_so() {
    let mut tally = tally();
    let at = |millis| Some((HISTORY, millis, 1));
    assert!(!tally.hear(roll(&[listed(1, "b", at(1000), FRESH), listed(2, "c", at(1), FRESH)])));
    // After a failover the ids of before mean nothing. But the view has kept what it had.
    let after = Some((HistoryPrint::from_bytes([8; 16]), 1, 1));
    assert!(!tally.hear(roll(&[
        listed(1, "b", after, FRESH),
        listed(2, "c", after, FRESH),
        listed(3, "d", after, FRESH)
    ])));
    assert_eq!(told(&tally), (vec!["own".to_owned(), "b".to_owned()], vec!["c".to_owned(), "d".to_owned()]));
    // Those that have left serve nobody.
    assert!(tally.hear(roll(&[listed(1, "b", after, FRESH)])));
    assert_eq!(told(&tally), (vec!["own".to_owned(), "b".to_owned()], Vec::new()));
}

#[test]
fn those_of_one_name_are_told_apart() {
    let at = Some((HISTORY, 1000, 1));
    let mut tally = tally();
    let nameless = Listed { name: None, ..listed(5, "", None, SILENT) };
    let over = tally.hear(roll(&[
        listed(2, "pod", at, FRESH),
        listed(1, "pod", None, FRESH),
        listed(3, "alone", at, FRESH),
        listed(4, "own", None, FRESH),
        nameless,
    ]));
    assert!(!over);
    let (confirmed_by, missing) = told(&tally);
    assert_eq!(confirmed_by, ["own#00000000", "alone", "pod#02020202"]);
    assert_eq!(missing, ["own#04040404", "pod#01010101", "unnamed"]);
}

#[test]
fn who_is_back_under_its_name_is_not_missing_as_it_was() {
    let at = |millis| Some((HISTORY, millis, 1));
    let nameless = |number, silent| Listed { name: None, ..listed(number, "", None, silent) };
    for (what, replicas, over, has_it, missing) in [
        ("killed", vec![listed(1, "b", None, SILENT)], true, &[][..], &["b"][..]),
        ("killed and back", vec![listed(1, "b", None, SILENT), listed(2, "b", at(1000), FRESH)], true, &["b"], &[]),
        (
            "back, and not there yet",
            vec![listed(1, "b", None, SILENT), listed(2, "b", at(1), FRESH)],
            false,
            &[],
            &["b"],
        ),
        (
            "had it, killed and back",
            vec![listed(1, "b", at(1000), SILENT), listed(2, "b", at(1), JUST_NOT)],
            false,
            &[],
            &["b"],
        ),
        (
            "not silent yet",
            vec![listed(1, "b", None, JUST_NOT), listed(2, "b", at(1000), FRESH)],
            false,
            &["b#02020202"],
            &["b#01010101"],
        ),
        (
            "killed twice",
            vec![listed(1, "b", None, SILENT), listed(2, "b", None, SILENT)],
            true,
            &[],
            &["b#01010101", "b#02020202"],
        ),
        ("this one's own, of before", vec![listed(1, "own", None, SILENT)], true, &[], &[]),
        ("of another name", vec![listed(1, "b", None, SILENT), listed(2, "c", at(1000), FRESH)], true, &["c"], &["b"]),
        (
            "without names",
            vec![nameless(1, SILENT), nameless(2, FRESH)],
            false,
            &[],
            &["unnamed#01010101", "unnamed#02020202"],
        ),
    ] {
        let mut tally = tally();
        assert_eq!(tally.hear(roll(&replicas)), over, "{what}");
        let (confirmed_by, left) = told(&tally);
        assert_eq!(
            (&confirmed_by[0], &confirmed_by[1..], &left[..]),
            (&"own".to_owned(), &owned(has_it)[..], &owned(missing)[..]),
            "{what}"
        );
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
