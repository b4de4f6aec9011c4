use super::*;

fn facts(info: &[(&str, &str)], config: &[(&'static str, &str)]) -> Facts {
    let good = [
        ("redis_version", "7.2.4"),
        ("maxmemory", "0"),
        ("maxmemory_policy", "noeviction"),
        ("aof_enabled", "1"),
        ("connected_slaves", "1"),
    ];
    let settings = [("appendfsync", "always"), ("min-replicas-to-write", "1"), ("save", "3600 1")];
    let info = good.iter().chain(info).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config = settings.iter().chain(config).map(|(name, value)| (*name, (*value).to_owned()));
    Facts {
        info: info.collect(),
        config: config.collect(),
        refused: Some(Vec::new()),
        ahead: 3,
        config_forbidden: false,
    }
}

const EXPECTED: Expected = Expected { wait: 1, fails_over: true };

fn not_fine(facts: &Facts, expected: Expected) -> Vec<(&'static str, State)> {
    let judged = judge("h:1", facts, expected).into_iter();
    judged.filter(|finding| finding.state != State::Fine).map(|finding| (finding.check, finding.state)).collect()
}

#[test]
fn each_setting_is_judged_by_what_it_costs() {
    use State::{Problem, Warning};
    const ALONE: Expected = Expected { wait: 0, fails_over: false };
    for (info, config, expected, found) in [
        (&[][..], &[][..], EXPECTED, &[][..]),
        (&[("redis_version", "6.2.14")], &[], EXPECTED, &[("version", Problem)]),
        (&[("redis_version", "10.0.0")], &[], EXPECTED, &[]),
        (
            &[("maxmemory_policy", "allkeys-lru"), ("maxmemory", "1000")],
            &[],
            EXPECTED,
            &[("maxmemory-policy", Problem)],
        ),
        (&[("maxmemory_policy", "volatile-ttl")], &[], EXPECTED, &[("maxmemory-policy", Warning)]),
        (&[("aof_enabled", "0")], &[], EXPECTED, &[("appendonly", Problem)]),
        (&[("aof_enabled", "0")], &[("save", "")], EXPECTED, &[("appendonly", Problem), ("save", Problem)]),
        (&[], &[("save", "")], EXPECTED, &[]),
        (&[], &[("appendfsync", "everysec")], EXPECTED, &[("appendfsync", Warning)]),
        (&[], &[("appendfsync", "no")], EXPECTED, &[("appendfsync", Warning)]),
        (&[], &[], Expected { wait: 2, ..EXPECTED }, &[("wait_replicas", Problem)]),
        (&[], &[], Expected { wait: 0, ..EXPECTED }, &[("wait_replicas", Warning)]),
        (&[("connected_slaves", "0")], &[], Expected { wait: 0, ..EXPECTED }, &[("wait_replicas", Warning)]),
        (&[("connected_slaves", "0")], &[("min-replicas-to-write", "0")], Expected { wait: 0, fails_over: false }, &[]),
        (&[], &[("min-replicas-to-write", "0")], EXPECTED, &[("min-replicas-to-write", Warning)]),
        (&[("min_slaves_good_slaves", "1")], &[], EXPECTED, &[]),
        (&[("min_slaves_good_slaves", "0")], &[], EXPECTED, &[("min-replicas-to-write", Problem)]),
        (
            &[("min_slaves_good_slaves", "1")],
            &[("min-replicas-to-write", "2")],
            EXPECTED,
            &[("min-replicas-to-write", Problem)],
        ),
        (&[("maxmemory", "1000"), ("used_memory", "999")], &[], EXPECTED, &[]),
        (&[("maxmemory", "1000"), ("used_memory", "1000")], &[], EXPECTED, &[("maxmemory", Problem)]),
        (&[("maxmemory", "1000"), ("used_memory", "1000"), ("mem_not_counted_for_evict", "1")], &[], EXPECTED, &[]),
        (&[("maxmemory", "0"), ("used_memory", "1000")], &[], EXPECTED, &[]),
        (&[("rdb_last_bgsave_status", "ok"), ("aof_last_write_status", "ok")], &[], EXPECTED, &[]),
        (&[("rdb_last_bgsave_status", "err")], &[], EXPECTED, &[("disk", Problem)]),
        (&[("rdb_last_bgsave_status", "err")], &[("save", "")], EXPECTED, &[]),
        (
            &[("rdb_last_bgsave_status", "err")],
            &[("stop-writes-on-bgsave-error", "no")],
            EXPECTED,
            &[("disk", Warning)],
        ),
        (&[("aof_last_write_status", "err")], &[("stop-writes-on-bgsave-error", "no")], EXPECTED, &[("disk", Problem)]),
        (
            &[("aof_enabled", "0"), ("aof_last_write_status", "err")],
            &[],
            ALONE,
            &[("appendonly", Problem), ("wait_replicas", Warning)],
        ),
    ] {
        let facts = facts(info, config);
        assert_eq!(not_fine(&facts, expected), found, "{info:?} {config:?}");
        for finding in judge("h:1", &facts, expected) {
            let is_fine = finding.state == State::Fine;
            assert_eq!((finding.cost.is_empty(), finding.cure.is_empty()), (is_fine, is_fine), "{finding:?}");
        }
    }
}

#[test]
fn clocks_and_permissions() {
    for (ahead, refused, found) in [
        (2000, Some(&[][..]), &[][..]),
        (-2001, Some(&[]), &[("clock", State::Warning)]),
        (0, Some(&["XADD", "WAIT"]), &[("permissions", State::Problem)]),
        (0, None, &[("permissions", State::Problem)]),
    ] {
        let refused = refused.map(|names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect());
        let facts = Facts { refused, ahead, ..facts(&[], &[]) };
        assert_eq!(not_fine(&facts, EXPECTED), found, "{ahead} {:?}", facts.refused);
    }
}

#[test]
fn what_is_not_shown_is_neither_good_nor_bad() {
    let unseen = ["appendfsync", "save", "min-replicas-to-write"].map(|check| (check, State::Unseen));
    for (config_forbidden, cure) in [(true, "`+config|get`"), (false, "look it up")] {
        let facts = Facts { config: HashMap::new(), config_forbidden, ..facts(&[], &[]) };
        assert_eq!(not_fine(&facts, EXPECTED), unseen);
        let judged = judge("h:1", &facts, EXPECTED).into_iter().filter(|finding| finding.state == State::Unseen);
        assert!(judged.into_iter().all(|finding| finding.cure.contains(cure) && finding.found.contains("CONFIG GET")));
    }
    // Both say it without CONFIG GET: the server refuses every write.
    let least = Facts { config: HashMap::new(), ..facts(&[("min_slaves_good_slaves", "0")], &[]) };
    assert!(not_fine(&least, EXPECTED).contains(&("min-replicas-to-write", State::Problem)));
    let disk = Facts { config: HashMap::new(), ..facts(&[("rdb_last_bgsave_status", "err")], &[]) };
    assert!(not_fine(&disk, EXPECTED).contains(&("disk", State::Problem)));
    let nothing = Facts { info: HashMap::new(), ..facts(&[], &[]) };
    let judged = judge("h:1", &nothing, EXPECTED).into_iter().filter(|finding| finding.state == State::Unseen);
    let told: Vec<_> = judged.map(|finding| (finding.check, finding.cure.contains("`+info`"))).collect();
    assert_eq!(told, ["version", "maxmemory-policy", "appendonly", "wait_replicas"].map(|check| (check, true)));
}
