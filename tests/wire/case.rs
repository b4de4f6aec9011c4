//! The language of the cases; `README.md` says it in prose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::mint::Mint;
use crate::store::Health;

/// One row of the matrix, or a part of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// The row's number, or `T` and that of a recorded request; with a letter where there are several cases.
    pub(crate) id: String,
    /// The rows of the profiles' table that it shows, for the profile that it runs with.
    #[serde(default)]
    pub(crate) differences: Vec<String>,
    #[serde(default)]
    pub(crate) config: serde_yaml::Value,
    #[serde(default)]
    pub(crate) users: Vec<serde_yaml::Value>,
    #[serde(default)]
    pub(crate) embedded: bool,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    /// In place of steps: a function of `scenarios.rs`.
    pub(crate) scenario: Option<String>,
    /// In place of steps: each of these, merged into the configuration, is refused with a problem that has this text.
    #[serde(default)]
    pub(crate) refused: Vec<RefusedConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedConfig {
    #[serde(default)]
    pub(crate) config: serde_yaml::Value,
    #[serde(default)]
    pub(crate) users: Vec<serde_yaml::Value>,
    pub(crate) problem: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    // What is done.
    pub(crate) send: Option<String>,
    pub(crate) ask: Option<String>,
    pub(crate) head: Vec<String>,
    pub(crate) body: Option<String>,
    pub(crate) admin: bool,
    pub(crate) form: Option<String>,
    pub(crate) present: Vec<Mint>,
    pub(crate) log_in: Option<String>,
    pub(crate) mint: BTreeMap<String, Mint>,
    pub(crate) advance: Option<String>,
    pub(crate) store: Option<Health>,
    pub(crate) answer: Option<String>,
    pub(crate) restart: bool,
    pub(crate) reload: Option<Reload>,
    // How often.
    pub(crate) each: Vec<BTreeMap<String, String>>,
    pub(crate) parallel: Option<usize>,
    // What becomes of it.
    pub(crate) expect: Expect,
    pub(crate) save: BTreeMap<String, String>,
    pub(crate) keep: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reload {
    pub(crate) config: serde_yaml::Value,
    pub(crate) users: Vec<serde_yaml::Value>,
    pub(crate) raw: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is the name of a reply, or what became of it")]
pub(crate) struct Expect {
    // Whole replies by name.
    pub(crate) granted: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) refused: Option<String>,
    pub(crate) revoked: bool,
    pub(crate) inactive: bool,
    pub(crate) passes: bool,
    // Parts of them.
    pub(crate) status: Option<u16>,
    pub(crate) headers: BTreeMap<String, Option<String>>,
    pub(crate) json: Option<Value>,
    pub(crate) exactly: Option<Value>,
    pub(crate) body: Option<String>,
    pub(crate) has: Vec<String>,
    pub(crate) claims: Option<Value>,
    pub(crate) jose: Option<Value>,
    pub(crate) same_as: Option<String>,
    pub(crate) closed: bool,
    // What happened elsewhere.
    pub(crate) upstream: Option<usize>,
    pub(crate) arrived: Option<Arrived>,
    pub(crate) metrics: BTreeMap<String, f64>,
    pub(crate) unseen: Vec<String>,
    pub(crate) logged: Vec<String>,
    pub(crate) different: BTreeMap<String, usize>,
    pub(crate) differs: BTreeMap<String, String>,
}

/// What the upstream got.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Arrived {
    pub(crate) line: Option<String>,
    pub(crate) headers: BTreeMap<String, Option<String>>,
    /// Lines of the head, in their own spelling.
    pub(crate) lines: Vec<String>,
    pub(crate) body: Option<String>,
}

/// A row that is not run, and the feature that brings it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeftOut {
    pub(crate) feature: String,
    pub(crate) rows: Vec<u16>,
}

impl Case {
    /// The row's number; `None` for a recorded request.
    pub(crate) fn row(&self) -> Option<u16> {
        (!self.id.starts_with('T')).then(|| number(&self.id))
    }

    /// The number of the recorded request that the case replays.
    pub(crate) fn recorded(&self) -> Option<u16> {
        self.id.strip_prefix('T').map(number)
    }

    /// The profiles that it runs with.
    pub(crate) fn profiles(&self) -> BTreeSet<&str> {
        let configs = self.refused.iter().map(|refused| &refused.config);
        let configs = configs.chain(self.refused.is_empty().then_some(&self.config));
        configs.map(|config| config.get("profile").and_then(serde_yaml::Value::as_str).unwrap_or("compat")).collect()
    }
}

fn number(id: &str) -> u16 {
    let digits: String = id.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("`{id}` begins with no number"))
}

/// Every case of every file.
pub(crate) fn all() -> Vec<Case> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| !path.ends_with(LEFT_OUT));
    names.sort();
    let mut cases = Vec::new();
    for path in names {
        let text = fs::read_to_string(&path).unwrap();
        let read: Vec<Case> = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!read.is_empty(), "{} has no case", path.display());
        cases.extend(read);
    }
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    assert_eq!(ids.len(), cases.len(), "two cases have one id");
    cases
}

pub(crate) fn left_out() -> Vec<LeftOut> {
    serde_yaml::from_str(&fs::read_to_string(folder().join(LEFT_OUT)).unwrap()).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases/wire")
}

const LEFT_OUT: &str = "left-out.yaml";
