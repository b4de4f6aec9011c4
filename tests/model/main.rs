//! A model check: the code that decides about sessions and marks, in a world that does to it whatever a store, a network and their
//! users may do, in an order that follows from a seed. What runs is what doorward runs: [`Family::present`], [`Revocations`], the
//! view and the followers; the world around them is told here, and only in it are the defects of `planted_defects_are_found`.
//!
//! `MODEL_SEEDS` says how many runs there are; `MODEL_SEED` has one of them again.
//!
//! [`Family::present`]: doorward::revocation::Family::present
//! [`Revocations`]: doorward::revocation::Revocations

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::unwrap_in_result,
    reason = "what a test needs is there, or the test fails; and a long run says what it did"
)]

mod instance;
mod ledger;
mod random;
mod run;
mod server;
mod world;

use ledger::Property;
use run::run;
use world::{Conditions, Planted, World};

#[test]
fn no_mark_is_missed_and_no_session_forks_or_outlives_its_end() {
    let (from, to) = seeds();
    let mut counts = [0; 3];
    for seed in from..to {
        match run(seed, None) {
            Ok(more) => counts = std::array::from_fn(|index| counts[index] + more[index]),
            Err((property, what)) => {
                panic!("MODEL_SEED={seed}: {property:?}: {what}\n{:?}", World::new(seed, None).conditions);
            }
        }
    }
    println!("{} runs: {} successors, {} ended sessions, {} marks", to - from, counts[0], counts[1], counts[2]);
    assert!(counts.iter().all(|count| *count as u64 > (to - from) / 4), "too little happened: {counts:?}");
}

#[test]
fn planted_defects_are_found() {
    let any: fn(&Conditions) -> bool = |_| true;
    let trims_only: fn(&Conditions) -> bool = |conditions| !conditions.failovers && !conditions.flushes;
    for (planted, worlds, found_by) in [
        (Planted::NoCompareAndSet, any, vec![Property::OneSuccessor, Property::NoWayBack, Property::EndedIsOver]),
        (Planted::GenerationOffByOne, any, vec![Property::OneSuccessor, Property::NoWayBack]),
        (Planted::GapNotRebuilt, trims_only, vec![Property::NoMissedMark, Property::Age, Property::Position]),
        (Planted::FailoverNotNoticed, any, vec![Property::NoMissedMark, Property::Age, Property::Position]),
        (Planted::NothingRestored, any, vec![Property::NoMissedMark]),
        (Planted::ViewTrusted, any, vec![Property::CutOffIsOver]),
        (Planted::EndedAskedTooSoon, any, vec![Property::EndedIsOver]),
    ] {
        let mut seeds = (0..SHORT).filter(|seed| worlds(&World::new(*seed, None).conditions));
        let found = seeds.find_map(|seed| Some((seed, run(seed, Some(planted)).err()?)));
        let (seed, (property, what)) = found.unwrap_or_else(|| panic!("{planted:?} was not found"));
        println!("{planted:?}: seed {seed}: {property:?}: {what}");
        assert!(found_by.contains(&property), "{planted:?} was found by {property:?}");
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        assert_eq!(run(seed, None), run(seed, None), "{seed}");
    }
}

/// Seeds that are tried where nobody says how many; a second's work or two, and each planted defect is found by them.
const SHORT: u64 = 400;

fn seeds() -> (u64, u64) {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (one, many) = (number("MODEL_SEED"), number("MODEL_SEEDS"));
    one.map_or((0, many.unwrap_or(SHORT)), |seed| (seed, seed + 1))
}
