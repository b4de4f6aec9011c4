//! Failed logins of several instances, counted together.

/// Logins, and what becomes of them.
mod cases;

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use doorward::app::throttling::FailuresInRedis;
use doorward::base::{Clock, ManualClock, Secret, SystemClock, Timestamp};
use doorward::keys::ServerKeys;
use doorward::revocation::RedisSettings;
use doorward::telemetry::{self, Sink, Telemetry};
use doorward::users::shared_throttle::{Entry, Outcome, Tried};
use doorward::users::throttle::Wait;
use doorward::users::{Allowance, SharedFailures, ThrottleSettings, Throttled, Throttles, Turn, Turnstile};
use parking_lot::Mutex;
use tokio::time::timeout;

use self::cases::CASES;
use self::cases::End::{self, Bad, Gone, Good, Untold, Waits};
use super::deployments;
use super::server::{Maker, Server, eventually, settings, store};

/// Tells when it is known everywhere what came of logins, which nobody waits for.
#[derive(Debug)]
struct Watched {
    failures: FailuresInRedis,
    /// By their numbers.
    open: Mutex<HashSet<[u8; 8]>>,
}

#[async_trait]
impl SharedFailures for Watched {
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>> {
        let answer = self.failures.admit(tried).await;
        if matches!(answer, Some(Ok(_))) {
            self.open.lock().insert(tried.id);
        }
        answer
    }

    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome) {
        self.failures.settle(tried, entry, outcome).await;
        self.open.lock().remove(&tried.id);
    }
}

/// Instances that share a store and a clock.
struct World {
    instances: Vec<Throttles>,
    watched: Vec<Arc<Watched>>,
    clock: Arc<ManualClock>,
}

const KEY: &str = "a key that is long enough for all";

impl World {
    fn new(redis: &RedisSettings, throttle: ThrottleSettings, instances: usize) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let (instances, watched) = (0..instances).map(|_| instance(redis, throttle, &clock, KEY)).unzip();
        Self { instances, watched, clock }
    }

    async fn log_in(&self, instance: usize, seconds: i64, name: &str, from: &str, end: End) -> End {
        self.clock.set(START.plus(Duration::from_secs(u64::try_from(seconds).unwrap())));
        let turn = self.instances[instance].logins.admit(name, from.parse().ok(), &*self.clock).await;
        match turn {
            Err(Throttled { retry_after }) => return Waits(retry_after),
            Ok(turn) => match end {
                Good => turn.succeeded(),
                Bad => drop(turn.failed()),
                Gone => drop(turn),
                Untold => turn.untold(),
                Waits(_) => panic!("{name} from {from} after {seconds} s is let in"),
            },
        }
        end
    }
}

fn instance(
    redis: &RedisSettings,
    throttle: ThrottleSettings,
    clock: &Arc<ManualClock>,
    key: &str,
) -> (Throttles, Arc<Watched>) {
    let telemetry = Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default()));
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let failures = FailuresInRedis::new(Arc::new(store(redis)), clock, telemetry).by_own_clock();
    let keys = Arc::new(ServerKeys::new([&Secret::new(key)]).unwrap());
    let watched = Arc::new(Watched { failures, open: Mutex::default() });
    let failures: Arc<dyn SharedFailures> = Arc::<Watched>::clone(&watched);
    (Throttles::new(throttle).sharing(&failures, &keys), watched)
}

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn throttle(per_user: u32, per_address: u32) -> ThrottleSettings {
    let allowance =
        |failures| NonZeroU32::new(failures).map(|failures| Allowance { failures, within: Duration::from_secs(300) });
    ThrottleSettings { per_user: allowance(per_user), per_address: allowance(per_address) }
}

async fn counted_together(redis: &RedisSettings) {
    for (about, per_user, per_address, rows) in CASES {
        let redis = RedisSettings { prefix: super::server::prefix(), ..redis.clone() };
        let world = World::new(&redis, throttle(*per_user, *per_address), 3);
        let mut number = 0;
        for (seconds, name, from, end, times) in *rows {
            for _ in 0..*times {
                number += 1;
                let found = world.log_in(number % 3, *seconds, name, from, *end).await;
                assert_eq!(found, *end, "{about}: {name} from {from} after {seconds} s");
                settled(&world).await;
            }
        }
    }
}

/// Until it is known everywhere what came of the last one.
async fn settled(world: &World) {
    while world.watched.iter().any(|watched| !watched.open.lock().is_empty()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn failures_at_all_instances_are_those_of_one_on_redis() {
    counted_together(&deployments::shared(Maker::Redis)).await;
}

#[tokio::test]
async fn failures_at_all_instances_are_those_of_one_on_valkey() {
    counted_together(&deployments::shared(Maker::Valkey)).await;
}

#[tokio::test]
async fn failures_at_all_instances_are_those_of_one_in_a_cluster() {
    counted_together(&deployments::shared_cluster()).await;
}

/// Of sixty that are tried at once at three instances no more fail than may, and all right ones get in, one after the other.
#[tokio::test]
async fn many_at_once_get_no_further_than_one_by_one() {
    for (right, wrong) in [(60, 0), (57, 3), (50, 10)] {
        let redis = deployments::shared(Maker::Redis);
        let world = World::new(&redis, throttle(3, 0), 3);
        let mut tries = tokio::task::JoinSet::new();
        for number in 0..right + wrong {
            let (logins, clock) = (Arc::clone(&world.instances[number % 3].logins), Arc::clone(&world.clock));
            tries.spawn(async move {
                let turn = logins.admit("alice", "192.0.2.1".parse().ok(), &*clock).await?;
                tokio::task::yield_now().await;
                // The wrong ones come first.
                if number < wrong {
                    assert!(!turn.failed());
                } else {
                    turn.untold();
                }
                Ok::<_, Throttled>(number >= wrong)
            });
        }
        let (mut good, mut bad, mut refused) = (0, 0, 0);
        for outcome in tries.join_all().await {
            match outcome {
                Ok(true) => good += 1,
                Ok(false) => bad += 1,
                Err(throttled) => refused += usize::from(throttled.retry_after > 300),
            }
        }
        // Which of them ask first is for the network to say.
        assert!(bad <= wrong.min(3), "{bad} of {wrong} failed");
        assert_eq!(good + bad + refused, 60, "of {right} and {wrong}");
        assert!(wrong > 0 || refused == 0);
    }
}

#[tokio::test]
async fn nothing_there_says_who_and_all_of_it_ends() {
    let server = Server::start(Maker::Redis, &[]);
    let redis = settings(&[&server], doorward::revocation::redis::Mode::Single);
    let world = World::new(&redis, throttle(10, 50), 2);
    for (name, end) in [("alice", Good), ("alice", Bad), ("nobody", Bad)] {
        world.log_in(0, 0, name, "192.0.2.77", end).await;
        settled(&world).await;
    }
    let held = world.instances[1].logins.admit("alice", None, &*world.clock).await.unwrap();
    let keys: Vec<String> = server.ask(&["KEYS", &format!("{}{{m:00}}:failures:*", redis.prefix)]);
    // Where alice is known, her cells and those of nobody, of the address, and of the one being tried from nowhere.
    assert!(keys.len() > 12, "{keys:?}");
    for key in &keys {
        let left: i64 = server.ask(&["PTTL", key]);
        assert!(left > 0, "{key} never ends");
        let kind: String = server.ask(&["TYPE", key]);
        let held: Vec<String> = match kind.as_str() {
            "hash" => server.ask(&["HGETALL", key]),
            "zset" => server.ask(&["ZRANGE", key, "0", "-1"]),
            other => panic!("{key} is a {other}"),
        };
        let all = format!("{key} {held:?}").to_lowercase();
        for secret in ["alice", "nobody", "192.0.2", "c000024d"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
    held.untold();
}

/// However many names are tried, they share as many cells as there are.
#[tokio::test]
async fn a_flood_of_names_has_a_bound_and_unlocks_nobody() {
    let server = Server::start(Maker::Redis, &[]);
    let redis = settings(&[&server], doorward::revocation::redis::Mode::Single);
    let world = Arc::new(World::new(&redis, throttle(3, 0), 1));
    for _ in 0..3 {
        world.log_in(0, 0, "victim", "192.0.2.1", Bad).await;
        settled(&world).await;
    }
    let mut flood = tokio::task::JoinSet::new();
    for part in 0..20 {
        let world = Arc::clone(&world);
        flood.spawn(async move {
            for number in 0..200 {
                world.log_in(0, 0, &format!("other {part} {number}"), "192.0.2.1", Bad).await;
            }
        });
    }
    flood.join_all().await;
    settled(&world).await;
    assert_eq!(world.log_in(0, 0, "victim", "192.0.2.1", Bad).await, Waits(338));
    let keys: Vec<String> = server.ask(&["KEYS", &format!("{}{{m:00}}:failures:logins:user-*", redis.prefix)]);
    assert!(keys.len() <= 4 * 512, "{}", keys.len());
    for key in keys.iter().take(20) {
        let encoding: String = server.ask(&["OBJECT", "ENCODING", key]);
        assert_eq!(encoding, "listpack", "{key} is kept in one piece");
    }
}

#[tokio::test]
async fn without_an_answer_each_counts_for_itself_and_no_further() {
    let mut server = Server::start(Maker::Redis, &[]);
    let redis = settings(&[&server], doorward::revocation::redis::Mode::Single);
    let world = World::new(&redis, throttle(3, 0), 2);
    assert_eq!(world.log_in(0, 0, "alice", "192.0.2.1", Bad).await, Bad);
    settled(&world).await;
    server.kill();
    // What was counted together before counts here, too.
    for (instance, end) in [(0, Bad), (0, Bad), (0, Waits(338)), (1, Bad), (1, Bad), (1, Bad), (1, Waits(338))] {
        assert_eq!(world.log_in(instance, 0, "alice", "192.0.2.1", end).await, end, "{instance}");
    }
    settled(&world).await;
    server.restart();
    for instance in [0, 1] {
        assert_eq!(world.log_in(instance, 0, "bob", "192.0.2.1", Good).await, Good);
    }
}

/// A server that was frozen does all at once what was asked of it meanwhile, and nobody waits for it any more.
#[tokio::test]
async fn what_comes_too_late_is_not_counted() {
    let server = Server::start(Maker::Redis, &[]);
    let redis = settings(&[&server], doorward::revocation::redis::Mode::Single);
    let telemetry = Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let failures: Arc<dyn SharedFailures> =
        Arc::new(FailuresInRedis::new(Arc::new(store(&redis)), Arc::clone(&clock), telemetry));
    let keys = Arc::new(ServerKeys::new([&Secret::new(KEY)]).unwrap());
    let logins = Throttles::new(throttle(3, 0)).sharing(&failures, &keys).logins;
    let (from, names) = ("192.0.2.1".parse().ok(), ["alice", "bob"]);
    for name in names {
        logins.admit(name, from, &*clock).await.unwrap().untold();
    }
    server.signal("STOP");
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (logins, clock) = (Arc::clone(&logins), Arc::clone(&clock));
        // Right ones, whose session cannot begin.
        tries.spawn(async move { logins.admit(names[number % 2], from, &*clock).await.unwrap().untold() });
    }
    tries.join_all().await;
    server.signal("CONT");
    eventually("an answer", || server.try_ask::<()>(&["PING"]).is_ok());
    for name in names {
        // Had those of before failed, or were they still waited for, not all three of these would be let in at once.
        let held: Vec<_> = three_at_once(&logins, name, &*clock).await;
        assert_eq!(held.len(), 3);
        held.into_iter().for_each(Turn::untold);
    }
}

/// Lets logins be counted, and hears the answer too late.
#[derive(Debug)]
struct Deaf(FailuresInRedis);

#[async_trait]
impl SharedFailures for Deaf {
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>> {
        self.0.admit(tried).await.and(None)
    }

    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome) {
        self.0.settle(tried, entry, outcome).await;
    }
}

/// A disk may be slow, and the server do what it was asked before it says so: whoever tries again and again is right all the same.
#[tokio::test]
async fn an_answer_that_comes_too_late_is_no_failure() {
    let redis = deployments::shared(Maker::Redis);
    let telemetry = Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let make = || FailuresInRedis::new(Arc::new(store(&redis)), Arc::clone(&clock), Arc::clone(&telemetry));
    let keys = Arc::new(ServerKeys::new([&Secret::new(KEY)]).unwrap());
    let sharing = |failures: Arc<dyn SharedFailures>| Throttles::new(throttle(3, 0)).sharing(&failures, &keys).logins;
    let (deaf, other) = (sharing(Arc::new(Deaf(make()))), sharing(Arc::new(make())));
    let from = "192.0.2.1".parse().ok();
    // Where she has not logged in before, and where she has.
    for _ in 0..2 {
        for _ in 0..4 {
            deaf.admit("alice", from, &*clock).await.unwrap().untold();
        }
        // Had they failed, or were they still waited for, not all three of these would be let in at once.
        three_at_once(&other, "alice", &*clock).await.into_iter().for_each(Turn::succeeded);
    }
    // And those that are wrong have failed.
    for _ in 0..3 {
        let _proxy = deaf.admit("bob", from, &*clock).await.unwrap().failed();
    }
    assert!(other.admit("bob", from, &*clock).await.unwrap_err().retry_after > 250);
}

/// Has nobody decide but the store.
#[derive(Debug)]
struct Patient(FailuresInRedis);

#[async_trait]
impl SharedFailures for Patient {
    async fn admit(&self, tried: &Tried) -> Option<Result<Entry, Wait>> {
        Some(self.0.admit(tried).await.unwrap_or(Err(Wait::ForOthers)))
    }

    async fn settle(&self, tried: &Tried, entry: Entry, outcome: Outcome) {
        self.0.settle(tried, entry, outcome).await;
    }
}

/// What came of it is said again until the server is back.
#[tokio::test]
async fn a_right_login_is_not_charged_because_the_server_was_away_for_a_moment() {
    let mut server = Server::start(Maker::Redis, &["--appendonly", "yes", "--appendfsync", "always"]);
    let redis = settings(&[&server], doorward::revocation::redis::Mode::Single);
    let telemetry = Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let redis = Arc::new(store(&redis));
    let make = || FailuresInRedis::new(Arc::clone(&redis), Arc::clone(&clock), Arc::clone(&telemetry));
    let keys = Arc::new(ServerKeys::new([&Secret::new(KEY)]).unwrap());
    let sharing = |failures: Arc<dyn SharedFailures>| Throttles::new(throttle(3, 0)).sharing(&failures, &keys).logins;
    let (logins, other) = (sharing(Arc::new(Patient(make()))), sharing(Arc::new(make())));
    let held = three_at_once(&logins, "alice", &*clock).await;
    server.kill();
    held.into_iter().for_each(Turn::untold);
    // Asked after they said it once, which nobody heard.
    other.admit("bob", None, &*clock).await.unwrap().untold();
    server.restart();
    let given_back = timeout(Duration::from_secs(20), logins.admit("alice", None, &*clock)).await;
    given_back.expect("it is given back").unwrap().untold();
}

async fn three_at_once(logins: &Turnstile, name: &str, clock: &dyn Clock) -> Vec<Turn> {
    let mut held = Vec::new();
    for _ in 0..3 {
        let admitted = timeout(Duration::from_secs(2), logins.admit(name, "192.0.2.1".parse().ok(), clock)).await;
        held.push(admitted.expect("nothing is in the way").unwrap());
    }
    held
}

/// With another key they are other names; and those of clients are not those of users.
#[tokio::test]
async fn who_does_not_share_the_key_counts_apart() {
    let redis = deployments::shared(Maker::Redis);
    let world = World::new(&redis, throttle(1, 0), 1);
    assert_eq!(world.log_in(0, 0, "alice", "192.0.2.1", Bad).await, Bad);
    settled(&world).await;
    assert_eq!(world.log_in(0, 0, "alice", "192.0.2.1", Bad).await, Waits(338));
    let from = "192.0.2.1".parse().ok();
    world.instances[0].clients.admit("alice", from, &*world.clock).await.unwrap().untold();
    let (other, _) = instance(&redis, throttle(1, 0), &world.clock, "another key that is long enough..");
    other.logins.admit("alice", from, &*world.clock).await.unwrap().untold();
}
