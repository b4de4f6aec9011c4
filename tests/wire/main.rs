//! The protocol, on real sockets: every row of the matrix that is built, as data in `tests/cases/wire/`.
#![doc = include_str!("README.md")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_in_result,
    clippy::let_underscore_must_use,
    clippy::disallowed_methods,
    reason = "what a test needs is there, or the test fails"
)]

mod bodies;
mod case;
mod door;
mod expect;
mod hostile;
mod http2;
mod macros;
mod mint;
mod run;
mod scenarios;
mod store;
mod streams;
mod text;
mod upstream;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use doorward::config::{DIFFERENCES, Difference, Profile};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How many rows the matrix has.
const ROWS: u16 = 184;

/// How many requests of clients were recorded, T1 and so on.
const RECORDED: u16 = 22;

/// How many cases run at once.
const AT_ONCE: usize = 4;

#[test]
fn every_row_is_a_case_or_left_out_with_the_feature_that_brings_it() {
    let mut found: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for row in case::all().iter().filter_map(case::Case::row).collect::<BTreeSet<_>>() {
        found.entry(row).or_default().push("a case".to_owned());
    }
    for left_out in case::left_out() {
        for row in left_out.rows {
            found.entry(row).or_default().push(left_out.feature.clone());
        }
    }
    let wrong = (1..=ROWS).filter(|row| found.get(row).is_none_or(|places| places.len() != 1));
    let wrong: Vec<_> = wrong.map(|row| (row, found.get(&row))).collect();
    assert!(wrong.is_empty(), "not exactly once: {wrong:?}");
    assert!(found.keys().all(|row| (1..=ROWS).contains(row)), "beyond the matrix: {:?}", found.keys());
}

/// Nothing is in the table that no case shows, and no case shows what is not in it.
#[test]
fn every_difference_between_the_profiles_has_a_case_for_each() {
    let cases = case::all();
    let mut shown = BTreeSet::new();
    for case in &cases {
        for name in &case.differences {
            shown.extend(case.profiles().into_iter().map(|profile| (name.as_str(), profile)));
        }
    }
    let profiles = |row: &Difference| Profile::ALL.map(|profile| (row.name, profile.as_str()));
    let wanted: BTreeSet<_> = DIFFERENCES.iter().flat_map(profiles).collect();
    let missing: Vec<_> = wanted.difference(&shown).collect();
    assert!(missing.is_empty(), "no case in tests/cases/wire/profiles.yaml: {missing:?}");
    let unknown: Vec<_> = shown.difference(&wanted).collect();
    assert!(unknown.is_empty(), "no row of src/config/profile.rs: {unknown:?}");
}

#[test]
fn every_recorded_request_is_replayed() {
    let replayed: BTreeSet<u16> = case::all().iter().filter_map(case::Case::recorded).collect();
    assert!(replayed.into_iter().eq(1..=RECORDED));
}

/// `WIRE_CASE=12` runs those whose id begins with it.
#[test]
fn every_case_gives_what_it_says() {
    let only = std::env::var("WIRE_CASE").unwrap_or_default();
    let mut cases: Vec<_> = case::all().into_iter().filter(|case| case.id.starts_with(&only)).collect();
    let total = cases.len();
    let failures = runtime().block_on(async {
        let mut failures = BTreeMap::new();
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(case) = cases.pop()
            {
                let id = case.id.clone();
                running.spawn(async move {
                    // In a task of its own, so that a panic is a failure of this case alone.
                    let ended = tokio::spawn(run::case(case)).await;
                    (id, ended.unwrap_or_else(|panic| Err(panic.to_string())))
                });
            }
            let Some(ended) = running.join_next().await else { return failures };
            if let (id, Err(failure)) = ended.unwrap() {
                failures.insert(id, failure);
            }
        }
    });
    let told: String = failures.iter().map(|(id, failure)| format!("=== case {id}: {failure}\n")).collect();
    assert!(
        failures.is_empty(),
        "{told}\n{} of {total} cases gave something else: {:?}",
        failures.len(),
        failures.keys()
    );
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
}
