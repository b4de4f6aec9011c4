//! How Redis is reached.

use std::fmt;
use std::time::Duration;

use crate::base::Secret;

/// `store.redis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSettings {
    /// Where to ask: the server, the Sentinels, or some nodes of the Cluster. At least one.
    pub servers: Vec<Address>,
    /// What stands there.
    pub mode: Mode,
    /// Before every key, as `doorward:`. Without braces, which would gather all keys in one hash slot.
    pub prefix: String,
    /// As whom, and with which password, on the servers that have the data.
    pub login: Option<Login>,
    /// The number of the database; 0 in a Cluster.
    pub database: u16,
    /// TLS to all of them; `None` = none.
    pub tls: Option<Authorities>,
    /// How many replicas must have a write before it counts; `None` = that of the server asked is enough.
    pub wait: Option<Wait>,
}

/// How the servers stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One server.
    Single,
    /// Sentinels, who know which server is the master of that name.
    Sentinel {
        /// The name, as `mymaster`.
        master: String,
        /// As whom to ask the Sentinels; often they ask for nothing.
        login: Option<Login>,
    },
    /// A Cluster: each node has a part of the keys.
    Cluster,
}

/// Who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; `None` = `default`.
    pub username: Option<String>,
    /// Its password.
    pub password: Secret,
}

/// Whose certificates are taken, in DER; empty = the operating system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(pub Vec<Vec<u8>>);

/// `WAIT` after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// At least one.
    pub replicas: u32,
    /// Less than [a request waits](super::DEADLINE).
    pub timeout: Duration,
}

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(out, "[{host}]:{port}") } else { write!(out, "{host}:{port}") }
    }
}
