//! What can go wrong on the way to Redis, told without what was asked.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::settings::Address;
use crate::revocation::StoreError;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// No connection, or it broke.
    #[error("{0}")]
    Broken(String),
    /// No TLS on it.
    #[error("{0}")]
    NoTls(String),
    /// Nothing came in time.
    #[error("{0} does not answer")]
    Slow(Address),
    /// Cluster: another node has the slot now.
    #[error("the slot moves from node to node")]
    Moved(Address),
    /// Cluster: this key is at another node already.
    #[error("the slot is on its way to another node")]
    Ask(Address),
    /// Cluster: some of the keys asked for are on their way.
    #[error("the slot is on its way to another node")]
    TryAgain,
    /// The server does not know the script yet.
    #[error("a script is not known")]
    NoScript,
    /// A server that does not serve these keys at the moment: a replica, one that is loading, a part of a Cluster that is down.
    #[error("{0}")]
    NotServing(&'static str),
    /// There is no memory for more.
    #[error("the memory is used up (`maxmemory`)")]
    Full,
    /// Fewer replicas have it than are wanted.
    #[error("{got} replicas confirmed a write, and `store.redis.wait_replicas` wants {wanted}")]
    Unconfirmed {
        /// How many have it.
        got: u32,
        /// How many should.
        wanted: u32,
    },
    /// The server refuses, and would again.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// From what the server at `address` said, or what happened to the connection to it.
    pub(super) fn of(error: &RedisError, address: &Address) -> Self {
        let redirected = || {
            let (node, _) = error.redirect_node()?;
            let (host, port) = node.rsplit_once(':')?;
            // A node that does not know its own name leaves it out: it is the one that was asked.
            let host = if host.is_empty() || host == "?" { &address.host } else { host };
            Some(Address { host: host.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? })
        };
        match (error.kind(), error.code()) {
            (ErrorKind::Server(ServerErrorKind::Moved), _) => {
                redirected().map_or_else(|| Self::unknown(error), Self::Moved)
            }
            (ErrorKind::Server(ServerErrorKind::Ask), _) => {
                redirected().map_or_else(|| Self::unknown(error), Self::Ask)
            }
            (ErrorKind::Server(ServerErrorKind::TryAgain), _) => Self::TryAgain,
            (ErrorKind::Server(ServerErrorKind::NoScript), _) => Self::NoScript,
            (_, Some(code)) => Self::from_code(code).unwrap_or_else(|| Self::unknown(error)),
            (ErrorKind::AuthenticationFailed, None) => Self::Refused(WRONG_LOGIN.to_owned()),
            _ => Self::Broken(format!("the connection to {address} failed: {}", error.category())),
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "OOM" => Self::Full,
            // What was waited for: this is how a server that was a master takes leave.
            "READONLY" | "UNBLOCKED" => Self::NotServing(MADE_REPLICA),
            "LOADING" => Self::NotServing("the server is loading its data"),
            "MASTERDOWN" => Self::NotServing("the server is a replica that has lost its master"),
            "CLUSTERDOWN" => Self::NotServing("the Cluster is down, or nobody in it has the slot"),
            "NOREPLICAS" => Self::NotServing("the server has fewer replicas than its `min-replicas-to-write`"),
            "MISCONF" => Self::NotServing("the server cannot write to its disk (MISCONF), and so takes nothing"),
            "BUSY" => Self::NotServing("the server is busy with somebody's script"),
            "NOAUTH" | "WRONGPASS" => Self::Refused(WRONG_LOGIN.to_owned()),
            "NOPERM" => Self::Refused(NO_PERMISSION.to_owned()),
            "DOORWARDRECORD" => {
                Self::Refused("a record cannot be read: was it written by a newer doorward?".to_owned())
            }
            "DOORWARDEVICTED" => Self::Refused(EVICTED.to_owned()),
            _ => return None,
        })
    }

    /// Only the code: messages may quote keys, and with them sessions.
    fn unknown(error: &RedisError) -> Self {
        Self::Refused(format!("the server reports {}", error.code().unwrap_or("an error")))
    }

    /// Whether the ACL forbids it.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(text) if text == NO_PERMISSION)
    }

    /// Of a command that other kinds of server do not have: told as what this one is not.
    pub(super) fn or_not(self, kind: &'static str) -> Self {
        // As `unknown` writes it: an error without a code of its own.
        if matches!(&self, Self::Refused(text) if text == "the server reports ERR") {
            Self::Refused(kind.to_owned())
        } else {
            self
        }
    }

    /// What an operator can do about it.
    pub(super) fn cure(&self) -> &'static str {
        match self {
            Self::NotServing(REPLICA | MADE_REPLICA) => {
                "name the master in `store.redis.url`, or use `mode: sentinel`, which finds it"
            }
            Self::NotServing(SENTINEL) => {
                "write `mode: sentinel` and `master`, or name the master in `store.redis.url`"
            }
            Self::NotServing(_) => "wait, or see to the server: its log says why",
            Self::Refused(text) if text == NO_CLUSTER => {
                "write `mode: single` in `store.redis`, or name nodes of the Cluster"
            }
            Self::Refused(text) if text == NO_SENTINEL => {
                "name the Sentinels in `store.redis.url` (mostly port 26379), or write `mode: single`"
            }
            Self::Refused(text) if text == WRONG_LOGIN => {
                "give the user and password as the server has them: `username` and `password`, or in the URL"
            }
            Self::Refused(text) if text == NO_PERMISSION => "give the user the ACL of the README",
            Self::Refused(text) if text == NO_MASTER => {
                "name the master as the Sentinels know it: `SENTINEL MASTERS` lists them"
            }
            Self::NoTls(_) => {
                "write `redis://` if the server has no TLS on this port; else name its CA as `ca_file`, and a host that its certificate has"
            }
            Self::Slow(_) => {
                "look whether something between holds it up, or only one side speaks TLS: `redis://` is without, `rediss://` with it"
            }
            _ => "start it, or mend `store.redis.url`: host, port, and `rediss://` if the server speaks TLS",
        }
    }

    /// Whether another server, or a new connection to this one, may do what this one failed at.
    pub(super) fn is_of_the_place(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::NoTls(_) | Self::Slow(_) | Self::NotServing(_))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Self::Full,
            failure => Self::Unavailable(format!("Redis: {failure}")),
        }
    }
}

const EVICTED: &str = "the server threw revocations away; those known to any replica are written back. Give it more memory, and `maxmemory-policy noeviction`";

/// What a server is that is asked as another kind of it.
pub(super) const REPLICA: &str = "the server is a replica";
pub(super) const SENTINEL: &str = "this is a Sentinel, which has no data";
pub(super) const NO_CLUSTER: &str = "this server is in no Cluster";
pub(super) const NO_SENTINEL: &str = "this server is no Sentinel";
const MADE_REPLICA: &str = "the server is a replica, or was made one";

pub(super) const NO_MASTER: &str = "the Sentinels know no master of that name (`store.redis.master`)";

const NO_PERMISSION: &str = "the ACL user may not do what doorward needs (NOPERM)";

const WRONG_LOGIN: &str =
    "the server does not take the user name or password (`store.redis.username`, `store.redis.password`)";

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    fn failure(answer: &str) -> Failure {
        let address = Address { host: "asked".to_owned(), port: 1 };
        let Ok(Value::ServerError(error)) = parse_redis_value(answer.as_bytes()) else { panic!("{answer}") };
        Failure::of(&RedisError::from(error), &address)
    }

    #[test]
    fn what_a_server_says_is_told_apart() {
        let to = |host: &str, port| Address { host: host.to_owned(), port };
        for (answer, expected) in [
            ("-MOVED 3999 10.0.0.1:6381\r\n", Failure::Moved(to("10.0.0.1", 6381))),
            ("-MOVED 3999 :6381\r\n", Failure::Moved(to("asked", 6381))),
            ("-ASK 3999 fd00::1:6381\r\n", Failure::Ask(to("fd00::1", 6381))),
            ("-TRYAGAIN Multiple keys request during rehashing of slot\r\n", Failure::TryAgain),
            ("-NOSCRIPT No matching script.\r\n", Failure::NoScript),
            ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", Failure::Full),
        ] {
            assert_eq!(failure(answer), expected, "{answer}");
        }
        for answer in [
            "READONLY x",
            "UNBLOCKED x",
            "LOADING x",
            "MASTERDOWN x",
            "CLUSTERDOWN x",
            "NOREPLICAS x",
            "MISCONF x",
            "BUSY x",
        ] {
            let failure = failure(&format!("-{answer}\r\n"));
            assert!(matches!(failure, Failure::NotServing(_)) && failure.is_of_the_place(), "{answer}: {failure:?}");
        }
        for answer in [
            "NOAUTH x",
            "WRONGPASS x",
            "NOPERM x",
            "DOORWARDRECORD x",
            "DOORWARDEVICTED",
            "ERR x",
            "WRONGTYPE x",
            "CROSSSLOT x",
        ] {
            let failure = failure(&format!("-{answer}\r\n"));
            assert!(matches!(failure, Failure::Refused(_)) && !failure.is_of_the_place(), "{answer}: {failure:?}");
        }
    }

    #[test]
    fn what_was_asked_is_not_told() {
        let text = "-ERR unknown command 'EVALSHA', with args beginning with: 'aa' '1' 'doorward:{f:SESSION}'\r\n";
        let error = StoreError::from(failure(text)).to_string();
        assert!(!error.contains("SESSION") && error.contains("ERR"), "{error}");
    }
}
