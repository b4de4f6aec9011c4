//! Keeps the map in `src/README.md` true: who may import whom, how long a file may be, what a name may be.
//!
//! One crate has no crate edges, so this test draws them. It reads tokens, not types: `use`, full paths, attributes and
//! macro bodies all look alike to it, and it follows re-exports to the module that has the thing. What it cannot see is
//! a method called on a value; whoever got hold of the value named its module somewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as its tests do"
)]

#[path = "architecture/floors.rs"]
mod floors;
#[path = "architecture/map.rs"]
mod map;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use map::Map;
use tree::Tree;

#[test]
fn nothing_imports_upwards_or_sideways() {
    let (map, tree) = ours();
    assert_none(&floors::check(&map, &tree));
}

#[test]
fn the_map_and_the_crate_have_the_same_modules() {
    let (map, tree) = ours();
    let declared: BTreeSet<_> = tree.root().children.iter().map(String::as_str).collect();
    assert_eq!(map.modules().collect::<BTreeSet<_>>(), declared, "left: src/README.md, right: src/lib.rs");
}

#[test]
fn the_crate_root_only_lists_modules() {
    assert_none(&rules::root_only_lists_modules(&ours().1));
}

#[test]
fn pure_modules_do_not_await_look_at_the_clock_or_log() {
    let (map, tree) = ours();
    assert_none(&rules::pure(&map, &tree));
}

#[test]
fn pingora_is_named_only_where_the_map_says() {
    let (map, tree) = ours();
    assert_none(&rules::pingora(&map, &tree));
}

#[test]
fn files_stay_within_their_budget() {
    assert_none(&rules::budget(&ours().1));
}

#[test]
fn names_say_what_a_thing_is() {
    assert_none(&rules::names(&ours().1));
}

#[test]
fn every_file_says_what_it_is() {
    assert_none(&rules::openings(&ours().1));
}

/// Each folder of `fixtures` is a small crate under the map beside them. The lines that must be found end in
/// `// forbidden`; nothing else may be.
#[test]
fn what_is_forbidden_is_found_by_every_road() {
    let fixtures = here().join("tests/architecture/fixtures");
    let map = Map::read(&fixtures.join("README.md"));
    let mut roads = 0;
    for entry in std::fs::read_dir(&fixtures).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        roads += 1;
        let tree = Tree::read(&folder);
        let found: BTreeSet<_> = floors::check(&map, &tree).into_iter().map(|found| found.place()).collect();
        let marked: BTreeSet<_> = tree.files().flat_map(tree::File::forbidden_lines).collect();
        assert_eq!(found, marked, "left: found, right: marked, in {}", folder.display());
        assert_eq!(marked.is_empty(), folder.ends_with("good"), "{}", folder.display());
    }
    assert!(roads >= 5, "fixtures are missing");
}

/// As above, for the rules that are not about imports.
#[test]
fn other_breaches_are_found() {
    let folder = here().join("tests/architecture/breaches");
    let (map, tree) = (Map::read(&folder.join("README.md")), Tree::read(&folder));
    let found = [
        rules::root_only_lists_modules(&tree),
        rules::pure(&map, &tree),
        rules::pingora(&map, &tree),
        rules::names(&tree),
        rules::openings(&tree),
        rules::budget(&tree),
    ];
    let found: BTreeSet<_> = found.into_iter().flatten().map(|found| found.place()).collect();
    let marked: BTreeSet<_> = tree.files().flat_map(tree::File::forbidden_lines).collect();
    assert_eq!(found, marked, "left: found, right: marked");
}

#[test]
fn the_map_knows_what_may_import_what() {
    let map = Map::read(&here().join("tests/architecture/fixtures/README.md"));
    for (from, to, allowed) in [
        ("cli", "app", true),
        ("app", "cli", false),
        ("app", "config", true),
        ("config", "app", false),
        ("tokens", "keys", true),
        ("policy", "keys", true),
        ("keys", "tokens", false),
        ("keys", "telemetry", false),
        ("telemetry", "keys", false),
        ("base", "base", true),
        ("base", "keys", false),
    ] {
        assert_eq!(map.allows(from, to), allowed, "{from} → {to}");
    }
}

fn ours() -> (Map, Tree) {
    let src = here().join("src");
    (Map::read(&src.join("README.md")), Tree::read(&src))
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn assert_none(findings: &[rules::Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}
