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
    Facts { info: info.collect(), config: config.collect(), refused: Some(Vec::new()), ahead: 3 }
}

const EXPECTED: Expected = Expected { wait: 1, fails_over: true };

fn not_fine(facts: &Facts, expected: Expected) -> Vec<(&'static str, State)> {
    let judged = judge("h:1", facts, expected).into_iter();
    judged.filter(|finding| finding.state != State::Fine).map(|finding| (finding.check, finding.state)).collect()
}

#[test]
fn each_setting_is_judged_by_what_it_costs() {
    use State::{Problem, Warning};
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
    let facts = Facts { config: HashMap::new(), ..facts(&[], &[]) };
    let unseen = ["appendfsync", "save", "min-replicas-to-write"].map(|check| (check, State::Unseen));
    assert_eq!(not_fine(&facts, EXPECTED), unseen);
}
