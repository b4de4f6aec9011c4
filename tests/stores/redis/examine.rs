//! What `doorward check --connect` sees of servers as they are.

use doorward::base::{ManualClock, SystemClock, Timestamp};
use doorward::revocation::RedisSettings;
use doorward::revocation::redis::{Authorities, Finding, Login, Mode, State, Wait};

use super::deployments::{Cluster, Sentinels};
use super::login::certificates;
use super::server::{Maker, Server, eventually, settings, store};

/// Those that are not as they should be.
async fn amiss(settings: &RedisSettings) -> Vec<(&'static str, State)> {
    let findings = store(settings).examine(&SystemClock).await;
    let amiss: Vec<&Finding> = findings.iter().filter(|finding| finding.state != State::Fine).collect();
    amiss.into_iter().map(|finding| (finding.check, finding.state)).collect()
}

const GOOD: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn a_server_as_it_should_be_and_ones_that_are_not() {
    use State::{Problem, Warning};
    let wait = |replicas| Some(Wait { replicas, timeout: std::time::Duration::from_millis(100) });
    for (maker, options, wait, found) in [
        (Maker::Redis, &GOOD[..], None, &[][..]),
        (Maker::Valkey, &GOOD, None, &[]),
        (Maker::Redis, &["--appendonly", "yes", "--appendfsync", "everysec"], None, &[("appendfsync", Warning)]),
        (Maker::Redis, &["--appendonly", "yes", "--appendfsync", "no"], None, &[("appendfsync", Warning)]),
        (Maker::Redis, &[], None, &[("appendonly", Problem), ("save", Problem)]),
        (Maker::Valkey, &[], None, &[("appendonly", Problem), ("save", Problem)]),
        (
            Maker::Redis,
            &[
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--maxmemory",
                "100mb",
                "--maxmemory-policy",
                "volatile-ttl",
            ],
            None,
            &[("maxmemory-policy", Problem)],
        ),
        (
            Maker::Redis,
            &["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "allkeys-lru"],
            None,
            &[("maxmemory-policy", Warning)],
        ),
        (Maker::Redis, &GOOD, wait(1), &[("wait_replicas", Problem)]),
        (
            Maker::Redis,
            &["--appendonly", "yes", "--appendfsync", "always", "--min-replicas-to-write", "1"],
            None,
            &[("min-replicas-to-write", Problem)],
        ),
        (
            Maker::Redis,
            &["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100kb"],
            None,
            &[("maxmemory", Problem)],
        ),
        (
            Maker::Redis,
            &["--appendonly", "yes", "--appendfsync", "always", "--rename-command", "CONFIG", ""],
            None,
            &[("appendfsync", State::Unseen), ("save", State::Unseen), ("min-replicas-to-write", State::Unseen)],
        ),
    ] {
        let server = Server::start(maker, options);
        let settings = RedisSettings { wait, ..settings(&[&server], Mode::Single) };
        assert_eq!(amiss(&settings).await, found, "{maker:?} {options:?}");
        let keys: Vec<String> = server.ask(&["KEYS", "*"]);
        assert!(keys.is_empty(), "looking at it changes nothing: {keys:?}");
    }
}

#[tokio::test]
async fn what_is_there_must_be_ours_and_the_clocks_alike() {
    let server = Server::start(Maker::Redis, &GOOD);
    let settings = settings(&[&server], Mode::Single);
    let key = format!("{}{{meta}}:layout", settings.prefix);
    for (layout, found) in [("1", &[][..]), ("2", &[("layout", State::Problem)])] {
        server.ask::<()>(&["SET", &key, layout]);
        assert_eq!(amiss(&settings).await, found);
    }
    server.ask::<()>(&["SET", &key, "1"]);
    let findings = store(&settings).examine(&ManualClock::at(Timestamp::from_seconds(1_000_000_000))).await;
    let clock = findings.iter().find(|finding| finding.check == "clock").unwrap();
    assert_eq!(clock.state, State::Warning);
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(amiss(&settings).await[0], ("reachable", State::Problem), "a replica");
}

#[tokio::test]
async fn who_may_not_is_told_what() {
    let server = Server::start(Maker::Redis, &GOOD);
    let plain = settings(&[&server], Mode::Single);
    for (name, rules, found) in [
        ("all", &["~*", "+@all"][..], None),
        ("few", &["~*", "+@all", "-xadd", "-zscore"], Some("XADD")),
        ("elsewhere", &["~other:*", "+@all"], Some("HSET")),
        ("mute", &["~*", "+@all", "-eval", "-evalsha"], Some("EVALSHA, EVAL")),
        ("nameless", &["~*", "+@all", "-evalsha"], Some("may not EVALSHA")),
    ] {
        server.ask::<()>(&[&["ACL", "SETUSER", name, "on", ">password-Qg7"], rules].concat());
        let login = Login { username: Some(name.to_owned()), password: doorward::base::Secret::new("password-Qg7") };
        let settings = RedisSettings { login: Some(login), ..plain.clone() };
        let findings = store(&settings).examine(&SystemClock).await;
        let finding = findings.iter().find(|finding| finding.check == "permissions").unwrap();
        match found {
            None => assert_eq!(finding.state, State::Fine, "{finding:?}"),
            Some(word) => {
                assert!(finding.state == State::Problem && finding.found.contains(word), "{name} {finding:?}");
            }
        }
    }
    let login = Login { username: None, password: doorward::base::Secret::new("wrong-password") };
    let wrong = RedisSettings { login: Some(login), ..plain };
    assert_eq!(amiss(&wrong).await[0], ("reachable", State::Problem));
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_with_its_own_cure() {
    let server = Server::start(Maker::Redis, &GOOD);
    let replica = Server::start(Maker::Redis, &GOOD);
    replica.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let (sentinels, mut gone) = (Sentinels::start(), Server::start(Maker::Redis, &GOOD));
    gone.kill();
    let plain = |server: &Server| settings(&[server], Mode::Single);
    let sentinel = Mode::Sentinel { master: "doorward".to_owned(), login: None };
    let other = Mode::Sentinel { master: "other".to_owned(), login: None };
    let login = |password| Some(Login { username: None, password: doorward::base::Secret::new(password) });
    let somebodys = Authorities(vec![certificates("localhost").0]);
    server.ask::<()>(&["ACL", "SETUSER", "none", "on", ">password-Qg7", "-@all"]);
    let none = Login { username: Some("none".to_owned()), password: doorward::base::Secret::new("password-Qg7") };
    for (what, settings, said, cure) in [
        ("nobody", plain(&gone), "no connection", "start it"),
        ("a replica", plain(&replica), "is a replica", "name the master"),
        (
            "a wrong password",
            RedisSettings { login: login("wrong"), ..plain(&server) },
            "user name or password",
            "`password`",
        ),
        ("a user who may nothing", RedisSettings { login: Some(none), ..plain(&server) }, "NOPERM", "ACL"),
        ("no TLS there", RedisSettings { tls: Some(somebodys), ..plain(&server) }, "", "`redis://`"),
        ("no Cluster", settings(&[&server], Mode::Cluster), "in no Cluster", "`mode: single`"),
        ("no Sentinel", settings(&[&server], sentinel), "no Sentinel", "name the Sentinels"),
        ("a Sentinel", plain(&sentinels.sentinels[0]), "is a Sentinel", "`mode: sentinel`"),
        (
            "another master",
            RedisSettings { mode: other, ..sentinels.settings() },
            "no master of that name",
            "name the master",
        ),
    ] {
        let findings = store(&settings).examine(&SystemClock).await;
        let finding = findings.iter().find(|finding| finding.check == "reachable").unwrap();
        assert_eq!(finding.state, State::Problem, "{what}");
        assert!(finding.found.contains(said) && finding.cure.contains(cure), "{what}: {finding:?}");
        assert!(!format!("{findings:?}").contains("password-Qg7"));
    }
}

#[tokio::test]
async fn sentinels_that_agree_and_ones_that_are_gone() {
    let mut all = Sentinels::start();
    let expected = [
        ("appendonly", State::Problem),
        ("save", State::Problem),
        ("wait_replicas", State::Warning),
        ("min-replicas-to-write", State::Warning),
    ];
    assert_eq!(amiss(&all.settings()).await, expected);
    let careful = RedisSettings {
        wait: Some(Wait { replicas: 2, timeout: std::time::Duration::from_millis(100) }),
        ..all.settings()
    };
    all.servers[0].ask::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(amiss(&careful).await, expected[..2]);
    all.sentinels[0].kill();
    assert_eq!(amiss(&careful).await[0], ("sentinels", State::Warning));
    let unknown = Mode::Sentinel { master: "other".to_owned(), login: None };
    let findings = amiss(&RedisSettings { mode: unknown, ..all.settings() }).await;
    assert_eq!(findings, [("sentinels", State::Problem), ("reachable", State::Problem)]);
}

#[tokio::test]
async fn a_cluster_that_is_whole_and_one_that_is_not() {
    let all = Cluster::start(Maker::Redis);
    let findings = store(&all.settings()).examine(&SystemClock).await;
    let servers = findings.iter().filter(|finding| finding.check == "version").count();
    assert_eq!(servers, 3, "each master is looked at");
    assert!(findings.iter().any(|finding| finding.check == "slots" && finding.state == State::Fine));
    all.nodes[2].ask::<()>(&["CLUSTER", "DELSLOTS", "16383"]);
    for node in all.nodes.iter().filter(|node| node.address() != all.nodes[2].address()) {
        let _ = node.try_ask::<()>(&["CLUSTER", "DELSLOTS", "16383"]);
    }
    let settings = all.settings();
    let is_seen = || {
        all.nodes.iter().all(|node| {
            let slots: Vec<redis::Value> = node.ask(&["CLUSTER", "SLOTS"]);
            !format!("{slots:?}").contains("16383")
        })
    };
    eventually("a slot that nobody has", is_seen);
    assert!(amiss(&settings).await.contains(&("slots", State::Problem)));
}
