//! Logins, and what becomes of them.

/// What a login comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Good,
    Bad,
    Gone,
    Untold,
    /// To be tried again after so many seconds.
    Waits(u64),
}
use End::{Bad, Gone, Good, Untold, Waits};

/// When, as whom, from where, how it ends, and how often: each at another of three instances.
pub type Row = (i64, &'static str, &'static str, End, usize);

/// As `users/throttle` counts alone.
pub const CASES: &[(&str, u32, u32, &[Row])] = &[
    (
        "the eleventh of a name within five minutes waits, wherever it comes from",
        10,
        50,
        &[
            (0, "alice", "192.0.2.1", Bad, 5),
            (100, "Alice ", "192.0.2.2", Bad, 5),
            (200, "alice", "192.0.2.3", Waits(138), 3),
            (299, "alice", "192.0.2.3", Waits(39), 3),
            (200, "bob", "192.0.2.3", Bad, 1),
            // Half of them are forgotten.
            (375, "alice", "192.0.2.3", Bad, 5),
            (375, "alice", "192.0.2.3", Waits(38), 3),
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
            (0, "d", "2001:db8::2", Waits(338), 3),
            (0, "d", "2001:db8:0:1::2", Bad, 3),
            (0, "d", "192.0.2.1", Bad, 1),
        ],
    ),
    (
        "where a user has logged in, others lock nobody out, at any instance",
        10,
        20,
        &[
            (0, "alice", "192.0.2.1", Good, 1),
            (1, "alice", "192.0.2.66", Bad, 10),
            (1, "alice", "192.0.2.66", Waits(337), 3),
            (1, "alice", "192.0.2.1", Bad, 3),
            (1, "alice", "192.0.2.1", Good, 3),
            (2, "nobody", "192.0.2.1", Bad, 10),
            (2, "nothing", "192.0.2.1", Bad, 10),
            (2, "bob", "192.0.2.1", Waits(336), 3),
            (2, "alice", "192.0.2.1", Good, 3),
        ],
    ),
    (
        "but there too ten are enough; a good login gives back its own allowance at its own address",
        10,
        50,
        &[
            (0, "alice", "192.0.2.1", Good, 1),
            (0, "alice", "192.0.2.1", Bad, 9),
            (0, "alice", "192.0.2.1", Good, 1),
            (0, "alice", "192.0.2.1", Bad, 10),
            (0, "alice", "192.0.2.1", Waits(338), 3),
            (0, "alice", "192.0.2.2", Good, 1),
            (0, "alice", "192.0.2.1", Waits(338), 3),
        ],
    ),
    (
        "not that of the name, nor that of the address",
        10,
        20,
        &[
            (0, "alice", "192.0.2.66", Bad, 9),
            (0, "alice", "192.0.2.1", Good, 2),
            (0, "mallory", "192.0.2.66", Good, 1),
            (0, "alice", "192.0.2.66", Bad, 1),
            (0, "alice", "192.0.2.66", Waits(338), 3),
            (0, "b", "192.0.2.66", Bad, 10),
            (0, "c", "192.0.2.66", Waits(338), 3),
            (0, "mallory", "192.0.2.66", Good, 3),
        ],
    ),
    (
        "hanging up is a failure, a store that is down is none",
        10,
        50,
        &[
            (0, "alice", "192.0.2.1", Untold, 30),
            (0, "alice", "192.0.2.1", Gone, 10),
            (0, "alice", "192.0.2.1", Waits(338), 30),
            (337, "alice", "192.0.2.1", Waits(1), 3),
            (338, "alice", "192.0.2.1", Good, 1),
        ],
    ),
    (
        "without the one",
        0,
        3,
        &[
            (0, "alice", "192.0.2.1", Good, 1),
            (0, "bob", "192.0.2.1", Bad, 3),
            (0, "bob", "192.0.2.1", Waits(338), 3),
            (0, "alice", "192.0.2.1", Bad, 3),
            (0, "alice", "192.0.2.1", Waits(338), 3),
        ],
    ),
    (
        "without the other",
        3,
        0,
        &[(0, "alice", "192.0.2.1", Bad, 3), (0, "bob", "192.0.2.1", Bad, 3), (0, "alice", "192.0.2.1", Waits(338), 3)],
    ),
    ("without both", 0, 0, &[(0, "alice", "192.0.2.1", Bad, 50)]),
];
