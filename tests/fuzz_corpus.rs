//! The fuzz corpus, replayed: every property holds for every input kept, and fails for the bug planted beside it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs is there, or the test fails")]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

#[path = "fuzz/src/lib.rs"]
#[expect(dead_code, clippy::disallowed_methods, reason = "the entry of the fuzz programs is not used here")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::exit,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    clippy::unwrap_in_result,
    reason = "a property is to fail loudly, and second opinions are to be short"
)]
mod fuzz;

#[test]
fn every_property_holds_for_the_corpus() {
    for target in fuzz::TARGETS {
        let inputs = corpus(target.name);
        assert!(!inputs.is_empty(), "{} has no corpus", target.name);
        for (path, input) in inputs {
            let held = panic::catch_unwind(|| (target.check)(&input));
            assert!(held.is_ok(), "{} does not hold for {}", target.name, path.display());
        }
    }
}

#[test]
fn every_property_fails_for_each_planted_bug() {
    // What it says is of no use: it is meant to fail.
    panic::set_hook(Box::new(|_| {}));
    for target in fuzz::TARGETS {
        for (number, check) in target.planted.iter().enumerate() {
            let found = corpus(target.name).iter().any(|(_, input)| panic::catch_unwind(|| check(input)).is_err());
            assert!(found, "no input of the corpus of {} finds its planted bug {number}", target.name);
        }
    }
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}
