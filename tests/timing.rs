//! A failed login takes the same time whether its name is unknown, its password wrong or its user disabled: the processor time of
//! whole look-ups and hashes, by a Mann–Whitney test, which a store without decoys does not pass.
//!
//! Processor time and not time: what else the machine does is not in it, so the test need not hope for a quiet one. Over sockets and
//! by the clock `tests/e2e/test_enumeration.py` does the same.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "what a test needs is there, or the test fails"
)]

use std::sync::Arc;

use async_trait::async_trait;
use doorward::base::Secret;
use doorward::keys::ServerKeys;
use doorward::tokens::ScopeSet;
use doorward::users::{Candidate, FileUsers, Hasher, HashingSettings, StoredHash, User, UserStore, UserStoreError};

/// Of logins and of doubt.
struct Size {
    /// Logins of each kind.
    logins: usize,
    /// How far apart two kinds may be, in standard deviations.
    alike: f64,
}

/// In `make test`, where chance may not fail it: p > 0.00005, which it gets beyond once in 20,000 runs.
const SHORT: Size = Size { logins: 700, alike: 4.06 };

/// In `make soak`: p > 0.01.
const SOAK: Size = Size { logins: 2000, alike: 2.576 };

/// In the schemes that users bring; cheap, and each at another price.
const HASHES: [&str; 4] = [
    "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A",
    "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq",
    "$scrypt$ln=9,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A",
    "$pbkdf2-sha256$20000$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub.b7dWRWJTmaaJObG4nXfKkK6Z0A",
];

/// A store that makes no work of an unknown name, or always the same.
#[derive(Debug)]
struct Telltale {
    users: FileUsers,
    decoy: Arc<StoredHash>,
}

#[async_trait]
impl UserStore for Telltale {
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError> {
        let candidate = self.users.candidate(username, blind).await?;
        let hash =
            candidate.user.as_ref().map_or_else(|| Arc::clone(&self.decoy), |user| Arc::clone(&user.password_hash));
        Ok(Candidate { hash, ..candidate })
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        self.users.find(username).await
    }
}

fn users(logins: usize) -> FileUsers {
    let user = |number: usize, disabled: bool| User {
        username: format!("{}{number}", if disabled { "disabled" } else { "user" }),
        password_hash: Arc::new(StoredHash::parse(HASHES[number % HASHES.len()]).unwrap()),
        disabled,
        scopes: ScopeSet::default(),
        roles: Vec::new(),
        email: None,
        full_name: None,
        claims: serde_json::Map::default(),
    };
    FileUsers::new((0..logins).flat_map(|number| [user(number, false), user(number, true)]).collect())
}

/// The processor time, in nanoseconds, of failed logins of each kind: unknown names, wrong passwords, disabled users. In turn, so that
/// what changes while they run changes for all.
async fn measure(store: &dyn UserStore, logins: usize) -> [Vec<f64>; 3] {
    let keys = ServerKeys::new([&Secret::new([7; 32])]).unwrap();
    let hasher = Hasher::new(HashingSettings { concurrency: None, queue: 0 }, 2);
    let mut took = [const { Vec::new() }; 3];
    for number in 0..logins {
        for (kind, name) in ["nobody", "user", "disabled"].into_iter().enumerate() {
            let username = format!("{name}{number}");
            let began = processor_time();
            let candidate = store.candidate(&username, keys.blind(&username)).await.unwrap();
            let verdict = hasher.verify(candidate.hash, Secret::new("wrong")).await.unwrap();
            took[kind].push(processor_time() - began);
            assert_eq!(verdict, doorward::users::Verdict::Differs);
        }
    }
    took
}

/// Of this process, in nanoseconds: the hash is computed on a thread of its own.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// By how many standard deviations the ranks of two samples differ (Mann and Whitney, ties counted half, in the normal approximation).
fn apart(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        one.iter().map(|&value| (value, true)).chain(other.iter().map(|&value| (value, false))).collect();
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let count = equal.len() as f64;
        ranks += equal.iter().filter(|(_, first)| *first).count() as f64 * (before + f64::midpoint(count, 1.0));
        ties += count.powi(3) - count;
        before += count;
    }
    let (n, m) = (one.len() as f64, other.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m / 12.0 * (before + 1.0 - ties / (before * (before - 1.0)))).sqrt()
}

/// One test, because other threads' work would be counted too.
#[test]
fn a_failed_login_does_not_tell_by_its_time_what_was_wrong() {
    assert_known_values();
    let Size { logins, alike } = if std::env::var_os("SOAK").is_some() { SOAK } else { SHORT };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let [unknown, wrong, disabled] = runtime.block_on(measure(&users(logins), logins));
    for (what, one, other) in [
        ("unknown, wrong", &unknown, &wrong),
        ("unknown, disabled", &unknown, &disabled),
        ("wrong, disabled", &wrong, &disabled),
    ] {
        let apart = apart(one, other);
        println!("{what}: {apart:.2}");
        assert!(apart.abs() < alike, "{what}: {apart}");
    }

    // The same measurement of a store that does less: it must see that.
    for (what, decoy) in [
        ("no work", "$pbkdf2-sha256$1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub.b7dWRWJTmaaJObG4nXfKkK6Z0A"),
        ("one price", HASHES[3]),
    ] {
        let store = Telltale { users: users(logins), decoy: Arc::new(StoredHash::parse(decoy).unwrap()) };
        let [unknown, wrong, _] = runtime.block_on(measure(&store, logins));
        let apart = apart(&unknown, &wrong);
        println!("{what}: {apart:.2}");
        assert!(apart.abs() > 2.0 * alike, "{what}: {apart}");
    }
}

/// By hand: U is 2, 8, 12.5 and 1 of 9, 16, 25 and 4; the last two with ties.
fn assert_known_values() {
    for (one, other, expected) in [
        (&[1.0, 3.0, 4.0][..], &[2.0, 5.0, 6.0][..], -2.5 / 5.25_f64.sqrt()),
        (&[1.0, 4.0, 5.0, 8.0], &[2.0, 3.0, 6.0, 7.0], 0.0),
        (&[1.0, 2.0, 2.0, 3.0, 9.0], &[1.0, 2.0, 2.0, 3.0, 9.0], 0.0),
        (&[1.0, 1.0], &[1.0, 2.0], -1.0 / (4.0 / 12.0 * (5.0 - 24.0 / 12.0_f64)).sqrt()),
    ] {
        let found = apart(one, other);
        assert!((found - expected).abs() < 1e-9, "{found} and not {expected}");
    }
}
