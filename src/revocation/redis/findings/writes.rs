//! Whether a server takes writes.

use super::{Expected, Facts, Finding, State, fine};

/// Whether there is room for more, as the server counts it.
pub(super) fn memory(facts: &Facts) -> Finding {
    let check = "maxmemory";
    let (Some(most @ 1..), Some(used)) = (facts.number(check), facts.number("used_memory")) else {
        return fine(check, "");
    };
    let counted = used.saturating_sub(facts.number("mem_not_counted_for_evict").unwrap_or(0));
    let found = format!("{counted} of {most} bytes in use");
    if counted < most {
        return fine(check, found);
    }
    let cost = "every write is refused: logins, refreshes and revocations are answered 503";
    Finding { state: State::Problem, cost, cure: "raise `maxmemory`, or free some of it", ..fine(check, found) }
}

/// Whether it could write its file and its snapshot the last time; where it could not, it refuses writes (MISCONF).
pub(super) fn disk(facts: &Facts) -> Finding {
    let check = "disk";
    let failed = |name| facts.info(name).is_some_and(|status| status != "ok");
    let has_append_failed = facts.info("aof_enabled") == Some("1") && failed("aof_last_write_status");
    let has_snapshot_failed = facts.config("save") != Some("") && failed("rdb_last_bgsave_status");
    let goes_on = facts.config("stop-writes-on-bgsave-error") == Some("no");
    let refused = "every write is refused (MISCONF): logins, refreshes and revocations are answered 503";
    let cure = "see to it that the server can write to its `dir`: room, permissions, and its log says why";
    match (has_append_failed, has_snapshot_failed) {
        (true, _) => Finding {
            state: State::Problem,
            cost: refused,
            cure,
            ..fine(check, "the last write to the append-only file failed")
        },
        (_, true) if goes_on => {
            let cost = "a restart of the server forgets what came since the last snapshot that was written";
            Finding { state: State::Warning, cost, cure, ..fine(check, "the last snapshot failed") }
        }
        (_, true) => Finding { state: State::Problem, cost: refused, cure, ..fine(check, "the last snapshot failed") },
        (false, false) => fine(check, ""),
    }
}

/// Whether it takes writes with as many replicas as there are, and without any.
pub(super) fn least_replicas(facts: &Facts, expected: Expected) -> Finding {
    let check = "min-replicas-to-write";
    // Shown only where some are wanted: how many are there and not behind.
    let good = facts.number("min_slaves_good_slaves");
    let wanted = facts.config(check).and_then(|least| least.parse().ok());
    if let Some(good) = good.filter(|good| *good < wanted.unwrap_or(1)) {
        let found = format!("{}, and {good} are there and keep up", facts.config(check).unwrap_or("at least 1"));
        let cost = "every write is refused (NOREPLICAS): logins, refreshes and revocations are answered 503";
        let cure = "start replicas, or lower `min-replicas-to-write`";
        return Finding { state: State::Problem, cost, cure, ..fine(check, found) };
    }
    let Some(least) = facts.config(check) else { return facts.no_config(check) };
    let has_replicas = facts.info("connected_slaves").is_some_and(|number| number != "0");
    if least != "0" || !(has_replicas || expected.fails_over) {
        return fine(check, least);
    }
    let cost = "a master that was cut off from its replicas goes on confirming writes, which are gone when it comes back as a replica";
    let cure = "min-replicas-to-write 1, with min-replicas-max-lag 10";
    Finding { state: State::Warning, cost, cure, ..fine(check, least) }
}
