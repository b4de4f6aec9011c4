//! Servers that belong together: three with Sentinels, and a Cluster of six.

use std::fmt::Write as _;
use std::sync::LazyLock;

use doorward::revocation::RedisSettings;
use doorward::revocation::redis::Mode;
use redis::Value;

use super::server::{Maker, Server, eventually, free_place, settings};

/// A server that all cases of the suite share.
pub fn shared(maker: Maker) -> RedisSettings {
    static REDIS: LazyLock<Server> = LazyLock::new(|| Server::start(Maker::Redis, &[]));
    static VALKEY: LazyLock<Server> = LazyLock::new(|| Server::start(Maker::Valkey, &[]));
    let server = match maker {
        Maker::Redis => &*REDIS,
        Maker::Valkey => &*VALKEY,
    };
    settings(&[server], Mode::Single)
}

/// The same with Sentinels, and as a Cluster.
pub fn shared_sentinels() -> RedisSettings {
    static ALL: LazyLock<Sentinels> = LazyLock::new(Sentinels::start);
    ALL.settings()
}

pub fn shared_cluster() -> RedisSettings {
    static ALL: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(Maker::Redis));
    ALL.settings()
}

/// A master with two replicas, and three Sentinels that watch over them.
#[derive(Debug)]
pub struct Sentinels {
    pub servers: Vec<Server>,
    pub sentinels: Vec<Server>,
}

impl Sentinels {
    pub fn start() -> Self {
        let servers: Vec<_> = (0..3)
            .map(|_| {
                let (host, port) = free_place();
                let host_text = host.to_string();
                Server::start_at(
                    Maker::Redis,
                    (host, port),
                    &["--replica-announce-ip", &host_text, "--repl-diskless-sync-delay", "0"],
                )
            })
            .collect();
        let master = servers[0].address();
        for replica in &servers[1..] {
            replica.ask::<()>(&["REPLICAOF", &master.host, &master.port.to_string()]);
        }
        eventually("two replicas", || replicas(&servers[0]) == 2);
        let sentinels: Vec<_> = (0..3)
            .map(|_| {
                let (host, port) = free_place();
                let mut text = format!("sentinel announce-ip {host}\nprotected-mode no\n");
                writeln!(text, "sentinel monitor main {} {} 2", master.host, master.port).unwrap();
                text += "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n";
                Server::start_sentinel(&text, (host, port))
            })
            .collect();
        eventually("Sentinels that know each other", || {
            sentinels.iter().all(|sentinel| {
                let others: Vec<Value> = sentinel.ask(&["SENTINEL", "SENTINELS", "main"]);
                let replicas: Vec<Value> = sentinel.ask(&["SENTINEL", "REPLICAS", "main"]);
                others.len() == 2 && replicas.len() == 2
            })
        });
        Self { servers, sentinels }
    }

    pub fn settings(&self) -> RedisSettings {
        let sentinels: Vec<_> = self.sentinels.iter().collect();
        settings(&sentinels, Mode::Sentinel { master: "main".to_owned(), login: None })
    }
}

/// How many replicas are up to date with a master.
pub fn replicas(master: &Server) -> usize {
    let info: String = master.ask(&["INFO", "replication"]);
    let line = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    // What a failover keeps is what its winner has: being connected is not enough.
    let has_all = format!(",offset={},", line("master_repl_offset:"));
    let is_up = |line: &&str| line.starts_with("slave") && line.contains("state=online") && line.contains(&has_all);
    info.lines().filter(is_up).count()
}

/// Three masters, each with a third of the slots and a replica: those of the first are the first and the fourth, and so on.
#[derive(Debug)]
pub struct Cluster {
    pub nodes: Vec<Server>,
}

impl Cluster {
    pub fn start(maker: Maker) -> Self {
        let nodes: Vec<_> = (0..6)
            .map(|_| {
                let (host, port) = free_place();
                let (host_text, bus) =
                    (host.to_string(), (if port > 40_000 { port - 10_000 } else { port + 10_000 }).to_string());
                let options = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-announce-ip", &host_text];
                let more = ["--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"];
                Server::start_at(maker, (host, port), &[&options[..], &more].concat())
            })
            .collect();
        let (first, others) = nodes.split_first().unwrap();
        for (number, node) in nodes.iter().enumerate() {
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        for node in others {
            let bus: Vec<String> = node.ask(&["CONFIG", "GET", "cluster-port"]);
            first.ask::<()>(&["CLUSTER", "MEET", &node.host.to_string(), &node.port.to_string(), &bus[1]]);
        }
        for (node, (from, to)) in nodes.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")]) {
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", from, to]);
        }
        let lines = |node: &Server| node.ask::<String>(&["CLUSTER", "NODES"]).lines().count();
        eventually("nodes that know each other", || nodes.iter().all(|node| lines(node) == 6));
        for (master, replica) in nodes[..3].iter().zip(&nodes[3..]) {
            let id: String = master.ask(&["CLUSTER", "MYID"]);
            eventually("a replica", || replica.try_ask::<()>(&["CLUSTER", "REPLICATE", &id]).is_ok());
        }
        eventually("a Cluster that is up", || {
            nodes.iter().all(|node| node.ask::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
                && nodes[..3].iter().all(|master| replicas(master) == 1)
        });
        Self { nodes }
    }

    pub fn settings(&self) -> RedisSettings {
        // The first and a replica of another: the rest must be found.
        settings(&[&self.nodes[0], &self.nodes[4]], Mode::Cluster)
    }
}
