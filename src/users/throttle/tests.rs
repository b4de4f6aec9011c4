use std::num::NonZeroU32;
use std::time::Duration;

use super::*;

fn settings(per_user: u32, per_address: u32) -> ThrottleSettings {
    let allowance =
        |failures| NonZeroU32::new(failures).map(|failures| Allowance { failures, within: Duration::from_secs(300) });
    ThrottleSettings { per_user: allowance(per_user), per_address: allowance(per_address) }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

/// What a login comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Good,
    Bad,
    /// The client goes away while it is checked.
    Gone,
    /// A store is down.
    Untold,
    /// Not checked, and to be tried again after so many seconds.
    Waits(u64),
}
use End::{Bad, Gone, Good, Untold, Waits};

fn log_in(throttle: &Arc<Throttle>, seconds: i64, name: &str, from: &str, end: End) -> End {
    match throttle.admit(name, from.parse().ok(), at(seconds)) {
        Err(Wait::ForOthers) => return Waits(0),
        Err(Wait::Until(throttled)) => return Waits(throttled.retry_after),
        Ok(attempt) => match end {
            Good => attempt.succeeded(),
            Bad => drop(attempt.failed()),
            Gone => drop(attempt),
            Untold => attempt.untold(),
            Waits(_) => panic!("{name} from {from} after {seconds} s is let in"),
        },
    }
    end
}

/// One login: when, as whom, from where, how it ends, and how often.
type Row = (i64, &'static str, &'static str, End, usize);

#[test]
fn logins_are_counted_where_they_belong() {
    let cases: &[(&str, u32, u32, &[Row])] = &[
        (
            "the eleventh of a name within five minutes waits, wherever it comes from",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Bad, 5),
                (100, "alice", "192.0.2.2", Bad, 5),
                (200, "alice", "192.0.2.3", Waits(138), 3),
                (299, "alice", "192.0.2.3", Waits(39), 1),
                (200, "bob", "192.0.2.3", Bad, 1),
                // Half of them are forgotten.
                (375, "alice", "192.0.2.3", Bad, 5),
                (375, "alice", "192.0.2.3", Waits(38), 1),
            ],
        ),
        (
            "no spelling of a name makes another",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Bad, 4),
                (0, " ALICE", "192.0.2.2", Bad, 3),
                (0, "ａlice\u{a0}", "192.0.2.3", Bad, 3),
                (0, "Alice", "192.0.2.4", Waits(338), 1),
            ],
        ),
        (
            "an address waits, whatever the name; an IPv6 address is its network",
            10,
            3,
            &[
                (0, "a", "2001:db8::1", Bad, 1),
                (0, "b", "2001:db8::ffff:1", Bad, 1),
                (0, "c", "2001:db8:0:0:1::", Bad, 1),
                (0, "d", "2001:db8::2", Waits(338), 1),
                (0, "d", "2001:db8:0:1::2", Bad, 3),
                (0, "d", "192.0.2.1", Bad, 1),
            ],
        ),
        (
            "where a user has logged in, others lock nobody out",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Good, 1),
                (1, "alice", "192.0.2.66", Bad, 10),
                (1, "alice", "192.0.2.66", Waits(337), 1),
                (1, "alice", "192.0.2.1", Bad, 3),
                (1, "alice", "192.0.2.1", Good, 1),
                // Nor do others at the same address.
                (2, "nobody", "192.0.2.1", Bad, 10),
                (2, "nothing", "192.0.2.1", Bad, 10),
                (2, "none", "192.0.2.1", Bad, 10),
                (2, "never", "192.0.2.1", Bad, 10),
                (2, "nowhere", "192.0.2.1", Bad, 10),
                (2, "bob", "192.0.2.1", Waits(336), 1),
                (2, "alice", "192.0.2.1", Good, 1),
            ],
        ),
        (
            "but there too ten are enough, and they do not count elsewhere",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "alice", "192.0.2.1", Bad, 10),
                (0, "alice", "192.0.2.1", Waits(338), 1),
                (0, "alice", "192.0.2.2", Good, 1),
                // A good login elsewhere gives nothing back here.
                (0, "alice", "192.0.2.1", Waits(338), 1),
            ],
        ),
        (
            "a good login gives back its own allowance at its own address",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "alice", "192.0.2.1", Bad, 9),
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "alice", "192.0.2.1", Bad, 10),
                (0, "alice", "192.0.2.1", Waits(338), 1),
            ],
        ),
        (
            "not that of the name: each login of the user would give an attacker ten guesses more",
            10,
            50,
            &[
                (0, "alice", "192.0.2.66", Bad, 9),
                (0, "alice", "192.0.2.1", Good, 2),
                (0, "alice", "192.0.2.66", Bad, 1),
                (0, "alice", "192.0.2.66", Waits(338), 1),
            ],
        ),
        (
            "not that of the address: an attacker has an account, too",
            10,
            20,
            &[
                (0, "a", "192.0.2.66", Bad, 9),
                (0, "mallory", "192.0.2.66", Good, 1),
                (0, "b", "192.0.2.66", Bad, 9),
                (0, "mallory", "192.0.2.66", Good, 1),
                (0, "c", "192.0.2.66", Bad, 2),
                (0, "d", "192.0.2.66", Waits(338), 1),
                (0, "mallory", "192.0.2.66", Good, 1),
            ],
        ),
        (
            "hanging up is a failure, a store that is down is none",
            10,
            50,
            &[
                (0, "alice", "192.0.2.1", Untold, 100),
                (0, "alice", "192.0.2.1", Gone, 10),
                (0, "alice", "192.0.2.1", Waits(338), 100),
                // Whoever waits as told gets in, however often he knocked.
                (337, "alice", "192.0.2.1", Waits(1), 100),
                (338, "alice", "192.0.2.1", Good, 1),
            ],
        ),
        (
            "without the one",
            0,
            3,
            &[
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "alice", "192.0.2.1", Bad, 3),
                (0, "alice", "192.0.2.1", Waits(338), 1),
                (0, "alice", "192.0.2.2", Bad, 3),
            ],
        ),
        (
            "without the other",
            3,
            0,
            &[
                (0, "alice", "192.0.2.1", Bad, 3),
                (0, "bob", "192.0.2.1", Bad, 3),
                (0, "alice", "192.0.2.1", Waits(338), 1),
            ],
        ),
        (
            "without one for names, where a user has logged in others lock nobody out",
            0,
            3,
            &[
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "bob", "192.0.2.1", Bad, 3),
                (0, "bob", "192.0.2.1", Waits(338), 1),
                (0, "alice", "192.0.2.1", Good, 1),
                (0, "alice", "192.0.2.1", Bad, 3),
                (0, "alice", "192.0.2.1", Waits(338), 1),
            ],
        ),
        ("without both", 0, 0, &[(0, "alice", "192.0.2.1", Bad, 1000)]),
        ("clients of a Unix socket are one", 10, 3, &[(0, "a", "", Bad, 3), (0, "b", "", Waits(338), 1)]),
    ];
    for (about, per_user, per_address, rows) in cases {
        let throttle = Arc::new(Throttle::new(settings(*per_user, *per_address)));
        for (seconds, name, from, end, times) in *rows {
            for _ in 0..*times {
                assert_eq!(
                    log_in(&throttle, *seconds, name, from, *end),
                    *end,
                    "{about}: {name} from {from} after {seconds} s"
                );
            }
        }
    }
}

#[test]
fn many_at_once_get_no_further_than_one_by_one() {
    for is_known in [false, true] {
        let throttle = Arc::new(Throttle::new(settings(10, 50)));
        let from = "192.0.2.1";
        if is_known {
            log_in(&throttle, 0, "alice", from, Good);
        }
        let admit = || throttle.admit("alice", from.parse().ok(), at(0));
        let mut attempts: Vec<_> = (0..10).map(|_| admit().unwrap()).collect();
        // It is soon known whether they were right.
        assert_eq!(admit().unwrap_err(), Wait::ForOthers, "{is_known}");
        attempts.pop().unwrap().untold();
        attempts.push(admit().unwrap());
        for attempt in attempts {
            assert!(!attempt.failed());
        }
        assert!(matches!(admit(), Err(Wait::Until(Throttled { retry_after: 301.. }))), "{is_known}");
    }
}

/// Whoever is asked to wait learns nothing of who exists.
#[test]
fn a_name_waits_alike_whoever_has_it() {
    let throttle = Arc::new(Throttle::new(settings(10, 50)));
    log_in(&throttle, -1000, "alice", "192.0.2.1", Good);
    for name in ["alice", "nobody"] {
        (0..10).for_each(|second| assert_eq!(log_in(&throttle, second, name, "192.0.2.66", Bad), Bad));
    }
    for second in 10..400 {
        let [alice, nobody] = ["alice", "nobody"].map(|name| log_in(&throttle, second, name, "192.0.2.66", Untold));
        assert_eq!(alice, nobody, "after {second} s");
    }
}

#[test]
fn it_is_told_once_that_all_clients_look_like_one() {
    for (about, logins, told) in [
        ("several names from one address inside", vec![("10.0.0.1", "a", 5), ("10.0.0.1", "b", 20)], vec![9]),
        ("one name is one person", vec![("10.0.0.1", "a", 30)], vec![]),
        ("clients have addresses of their own", vec![("10.0.0.1", "a", 5), ("10.0.0.2", "b", 30)], vec![]),
        ("and so they had at first", vec![("10.0.0.2", "a", 1), ("10.0.0.1", "b", 15), ("10.0.0.1", "c", 15)], vec![]),
        ("an attacker on the internet", vec![("203.0.113.9", "a", 5), ("203.0.113.9", "b", 30)], vec![]),
        ("a socket", vec![("", "a", 9), ("", "b", 30)], vec![9]),
    ] {
        let throttle = Arc::new(Throttle::new(settings(100, 100)));
        let mut found = Vec::new();
        let each = logins.into_iter().flat_map(|(from, name, times)| (0..times).map(move |_| (from, name)));
        for (number, (from, name)) in each.enumerate() {
            if throttle.admit(name, from.parse().ok(), at(0)).unwrap().failed() {
                found.push(number);
            }
        }
        assert_eq!(found, told, "{about}");
    }
}

#[test]
fn nothing_that_was_typed_is_shown() {
    let throttle = Arc::new(Throttle::new(settings(10, 50)));
    let attempt = throttle.admit("my-password", None, at(0)).unwrap();
    assert!(!format!("{throttle:?}{attempt:?}").contains("my-password"));
}
