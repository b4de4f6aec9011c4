//! What servers say of themselves, and what that means for what doorward promises.

mod writes;

use std::collections::HashMap;
use std::time::Duration;

use self::writes::{disk, least_replicas, memory};
use super::failure::Failure;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The server, as `HOST:PORT`, or all of them.
    pub server: String,
    /// What was looked at, in one word: a setting's name where it is one.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What it costs, where it is not fine.
    pub cost: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Fine,
    /// The server does not show it, as those that others run often do.
    Unseen,
    /// It works, and promises less.
    Warning,
    /// It does not work, or forgets what was revoked.
    Problem,
}

impl State {
    /// As it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Unseen => "unseen",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What a server says.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// `INFO`, by its names.
    pub(super) info: HashMap<String, String>,
    /// `CONFIG GET`; what is not in it was not shown.
    pub(super) config: HashMap<&'static str, String>,
    /// What the ACL user may not do; `None` = not even ask that.
    pub(super) refused: Option<Vec<String>>,
    /// Whether `CONFIG GET` failed because the user may not, which the ACL can change.
    pub(super) config_forbidden: bool,
    /// How far its clock is ahead of this machine's, in milliseconds.
    pub(super) ahead: i64,
}

/// What is expected of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// `wait_replicas`.
    pub(super) wait: u32,
    /// Under Sentinels or in a Cluster, where replicas take over.
    pub(super) fails_over: bool,
}

/// The settings that are asked for by `CONFIG GET`.
pub(super) const SETTINGS: [&str; 5] =
    ["appendfsync", "maxmemory-policy", "min-replicas-to-write", "save", "stop-writes-on-bgsave-error"];

impl Facts {
    fn info(&self, name: &str) -> Option<&str> {
        self.info.get(name).map(String::as_str)
    }

    fn config(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.info(name)?.parse().ok()
    }

    /// Of something that `CONFIG GET` shows.
    fn no_config(&self, check: &'static str) -> Finding {
        let (found, cure) = if self.config_forbidden {
            (
                "the user may not look (CONFIG GET)",
                "give the user `+config|get`, or look it up where the server is configured",
            )
        } else {
            ("the server does not show it (CONFIG GET)", "look it up where the server is configured")
        };
        Finding { state: State::Unseen, cure, ..fine(check, found) }
    }
}

/// All that is to be said of `server`.
pub(super) fn judge(server: &str, facts: &Facts, expected: Expected) -> Vec<Finding> {
    let judged = [
        version(facts),
        permissions(facts),
        clock(facts),
        memory(facts),
        policy(facts),
        disk(facts),
        append_only(facts),
        append_sync(facts),
        snapshots(facts),
        replicas(facts, expected),
        least_replicas(facts, expected),
    ];
    // What is only worth a line where something is wrong.
    let told = judged.into_iter().filter(|finding| finding.state != State::Fine || !finding.found.is_empty());
    told.map(|finding| Finding { server: server.to_owned(), ..finding }).collect()
}

/// That which is as it should be.
pub(super) fn fine(check: &'static str, found: impl Into<String>) -> Finding {
    Finding { server: String::new(), check, state: State::Fine, found: found.into(), cost: "", cure: "" }
}

/// Of something that `INFO` shows.
fn no_info(check: &'static str) -> Finding {
    let cure = "give the user `+info`, or look it up where the server is configured";
    Finding { state: State::Unseen, cure, ..fine(check, "the server does not show it (INFO)") }
}

fn version(facts: &Facts) -> Finding {
    let Some(version) = facts.info("redis_version") else { return no_info("version") };
    let found = match facts.info("valkey_version") {
        Some(valkey) => format!("Valkey {valkey}"),
        None => format!("Redis {version}"),
    };
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_some_and(|major: u32| major >= 7) {
        return fine("version", found);
    }
    let cost = "older servers do not know commands that doorward needs";
    Finding { state: State::Problem, cost, cure: "use Redis 7 or later, or Valkey", ..fine("version", found) }
}

fn permissions(facts: &Facts) -> Finding {
    let check = "permissions";
    let (found, state) = match &facts.refused {
        Some(refused) if refused.is_empty() => return fine(check, "the user may do all that doorward does"),
        Some(refused) => (format!("the user may not {}", refused.join(", ")), State::Problem),
        None => ("the user may not run scripts (EVALSHA, EVAL)".to_owned(), State::Problem),
    };
    let (cost, cure) =
        ("what needs them is answered 503, or marks are not followed", "give the user the ACL of the README");
    Finding { state, cost, cure, ..fine(check, found) }
}

fn clock(facts: &Facts) -> Finding {
    let found = format!("{} ms ahead of this machine", facts.ahead);
    if facts.ahead.unsigned_abs() <= MOST_APART {
        return fine("clock", found);
    }
    let cost = "own tokens go by the server's clock; those of other issuers, logs and certificates by this machine's";
    Finding { state: State::Warning, cost, cure: "set both by NTP", ..fine("clock", found) }
}

fn policy(facts: &Facts) -> Finding {
    let check = "maxmemory-policy";
    let Some(policy) = facts.info("maxmemory_policy").or_else(|| facts.config(check)) else { return no_info(check) };
    if policy == "noeviction" {
        return fine(check, policy);
    }
    let cure = "maxmemory-policy noeviction";
    if facts.info("maxmemory") == Some("0") {
        let cost = "nothing as long as `maxmemory` is 0; with one, revoked tokens pass again once memory is short";
        return Finding { state: State::Warning, cost, cure, ..fine(check, policy) };
    }
    let cost = "once memory is short the server throws out sessions and marks: users are logged out, and revoked tokens pass again";
    Finding { state: State::Problem, cost, cure, ..fine(check, policy) }
}

fn append_only(facts: &Facts) -> Finding {
    let check = "appendonly";
    match facts.info("aof_enabled") {
        Some("1") => fine(check, "yes"),
        Some(_) => {
            let cost = "a restart of the server forgets what was revoked since its last snapshot; running replicas of doorward write back what they know";
            Finding { state: State::Problem, cost, cure: "appendonly yes", ..fine(check, "no") }
        }
        None => no_info(check),
    }
}

fn append_sync(facts: &Facts) -> Finding {
    let check = "appendfsync";
    if facts.info("aof_enabled").is_some_and(|enabled| enabled != "1") {
        return fine(check, "of no effect without appendonly");
    }
    let cost = match facts.config(check) {
        Some("always") => return fine(check, "always"),
        Some("everysec") => {
            "what was acknowledged in the last second or two is lost when the machine of every copy crashes"
        }
        Some(_) => {
            "what was acknowledged is lost when the machine crashes, as far back as the kernel has not written it (half a minute)"
        }
        None => return facts.no_config(check),
    };
    let found = facts.config(check).unwrap_or_default();
    Finding { state: State::Warning, cost, cure: "appendfsync always", ..fine(check, found) }
}

fn snapshots(facts: &Facts) -> Finding {
    let check = "save";
    let Some(save) = facts.config(check) else { return facts.no_config(check) };
    let found = if save.is_empty() { "no snapshots" } else { save };
    if save.is_empty() && facts.info("aof_enabled").is_some_and(|enabled| enabled != "1") {
        let cost = "a restart of the server forgets every session and every mark";
        return Finding { state: State::Problem, cost, cure: "appendonly yes", ..fine(check, found) };
    }
    fine(check, found)
}

fn replicas(facts: &Facts, expected: Expected) -> Finding {
    let check = "wait_replicas";
    let Some(connected) = facts.info("connected_slaves").and_then(|number| number.parse::<u32>().ok()) else {
        return no_info(check);
    };
    let found = format!("{}, and the server has {connected} replicas", expected.wait);
    let finding = fine(check, found);
    if expected.wait > connected {
        let cost = "every write is answered 503, since so many replicas can never confirm it";
        return Finding {
            state: State::Problem,
            cost,
            cure: "start replicas, or lower `store.redis.wait_replicas`",
            ..finding
        };
    }
    if connected == 0 && expected.fails_over {
        let cost = "nobody takes over when this server fails";
        return Finding { state: State::Warning, cost, cure: "give it a replica on another machine", ..finding };
    }
    if connected > 0 && expected.wait == 0 {
        let cost = "a failover loses writes that no replica had yet; marks are written back by doorward, a session may have to log in again";
        return Finding { state: State::Warning, cost, cure: "`store.redis.wait_replicas: 1`", ..finding };
    }
    finding
}

/// In milliseconds, as the running doorward warns.
const MOST_APART: u64 = 2_000;

/// A server that was not reached.
pub(super) fn unreachable(server: String, failure: &Failure) -> Finding {
    let cost = "nobody can log in, and after `revocation.max_staleness` no token passes";
    Finding { server, state: State::Problem, cost, cure: failure.cure(), ..fine("reachable", failure.to_string()) }
}

/// A server that answered.
pub(super) fn reachable(server: &str, took: Duration) -> Finding {
    Finding { server: server.to_owned(), ..fine("reachable", format!("answers in {} ms", took.as_millis())) }
}

#[cfg(test)]
mod tests;
