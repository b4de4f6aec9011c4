//! What `doorward check --connect` says of the store.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::StartError;
use crate::base::SystemClock;
use crate::cli::exit::Failure;
use crate::cli::serve::runtime;
use crate::config::{Settings, StoreKind};
use crate::revocation::redis::{Finding, State};
use crate::revocation::{RedisSettings, RedisStore};

/// All that was found; nothing where the store is no server.
pub(super) fn findings(settings: &Settings) -> Result<Vec<Finding>, Failure> {
    let StoreKind::Redis(redis) = &settings.store else { return Ok(Vec::new()) };
    let store = RedisStore::new(RedisSettings::clone(redis));
    let store = store.ok_or_else(|| Failure::usage(StartError::NobodyTrusted))?;
    let runtime = runtime(std::num::NonZeroUsize::new(1))?;
    Ok(runtime.block_on(store.examine(&SystemClock)))
}

/// For programs.
pub(super) fn member(finding: &Finding) -> Value {
    let Finding { server, check, state, found, cost, cure } = finding;
    json!({ "server": server, "check": check, "state": state.as_str(), "found": found, "cost": cost, "cure": cure })
}

/// For people: what should be otherwise has its cost and its cure below it.
pub(super) fn table(settings: &Settings, findings: &[Finding]) -> String {
    if settings.store == StoreKind::Embedded || settings.store == StoreKind::Memory {
        return "store: this process's own, with nothing to connect to\n".to_owned();
    }
    let mut table = "store.redis:\n".to_owned();
    let width = |of: fn(&Finding) -> usize| findings.iter().map(of).max().unwrap_or(0);
    let (server, check) = (width(|finding| finding.server.len()), width(|finding| finding.check.len()));
    for Finding { server: at, check: what, state, found, cost, cure } in findings {
        let state_name = state.as_str();
        // Writing to a string does not fail.
        let _ = writeln!(table, "  {state_name:<7}  {what:<check$}  {at:<server$}  {found}");
        if *state > State::Unseen {
            let _ = writeln!(table, "           {cost}");
        }
        if *state > State::Fine {
            let _ = writeln!(table, "           cure: {cure}");
        }
    }
    table
}
