//! A valid configuration, cut into what each module takes.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::profile::Profile;
use crate::base::Secret;
use crate::issuers::KeySource;
use crate::keys::SigningKey;
use crate::message::TrustedProxies;
use crate::policy::{Access, Cors, RouteSpec, Streams};
use crate::tokens::{IssuerRules, MintSettings};
use crate::{connection, endpoints, gate, grants, proxy, revocation, telemetry, users};

/// Everything the configuration says, defaults put in. There is no way to make one but [`load`](super::load()).
#[derive(Debug)]
pub struct Settings {
    /// Whose letter is followed. All that it decides is in the other members by now; this is for telling.
    pub profile: Profile,
    /// The public listener.
    pub server: Server,
    /// The admin listener.
    pub admin: Admin,
    /// Secrets that key refresh tags: the first makes, all check. Empty = derived from the signing keys.
    pub server_keys: Vec<Secret>,
    /// Generated keys and the embedded store. Need not exist yet.
    pub data_dir: PathBuf,
    /// Where requests go.
    pub upstream: proxy::UpstreamSettings,
    /// How its tokens are made, where it is to have its own.
    pub mint: Option<MintSettings>,
    /// Signing keys: the first signs, all verify. Empty = one is generated in `data_dir` at the first start.
    pub keys: Vec<Arc<SigningKey>>,
    /// How tokens are issued.
    pub grants: grants::Settings,
    /// Whether `grants.issuer` was made from the first listener's address because nothing else was given: with port 0
    /// it must be made again once the port is known.
    pub issuer_from_listen: bool,
    /// Whether doorward issues tokens; `tokens: null` = no, it only validates those of `trusted`.
    pub issues: bool,
    /// Who may ask for tokens; none = anybody, as the one public client of the tutorials.
    pub clients: Vec<grants::Client>,
    /// What holds for requests that name none of them.
    pub client_rules: grants::ClientRules,
    /// Whether somebody may use the password grant without a client's `grants` naming it.
    pub unasked_password_grant: bool,
    /// Other issuers.
    pub trusted: Vec<TrustedIssuer>,
    /// The users' database; `None` = they are in a file.
    pub postgres: Option<users::PostgresSettings>,
    /// How passwords are checked.
    pub hashing: users::HashingSettings,
    /// `users.recheck`: within which time own tokens hold no more than their users do; `None` = at once for users in memory, and for
    /// others at the next refresh.
    pub recheck: Option<Duration>,
    /// How often logins may fail.
    pub throttle: users::ThrottleSettings,
    /// Where sessions and marks are kept.
    pub store: StoreKind,
    /// How answers about tokens are remembered.
    pub cache: revocation::CacheSettings,
    /// How old the view of a shared store may be.
    pub staleness: revocation::StalenessSettings,
    /// What requests must have.
    pub policy: Policy,
    /// How refusals are worded.
    pub wording: gate::Wording,
    /// Our own endpoints.
    pub endpoints: endpoints::Settings,
    /// Logs.
    pub telemetry: telemetry::Settings,
    /// What is weakened.
    pub insecure: Insecure,
}

impl Settings {
    /// How many defaults are weakened.
    #[must_use]
    pub fn weakened(&self) -> usize {
        self.insecure.count() + usize::from(self.staleness.then == revocation::OnStoreFailure::Allow)
    }
}

/// `insecure`: each is a default that somebody weakened on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insecure {
    /// Keys of other issuers may be fetched over plain HTTP from elsewhere than this machine.
    pub http_issuers: bool,
    /// Files with keys and secrets may be readable or writable by others.
    pub readable_key_files: bool,
    /// Some routes take a token in the query.
    pub query_token: bool,
}

impl Insecure {
    /// How many defaults are weakened.
    #[must_use]
    pub fn count(self) -> usize {
        [self.http_issuers, self.readable_key_files, self.query_token].into_iter().filter(|weakened| *weakened).count()
    }
}

/// One of `trusted_issuers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// What its tokens must be, and what they mean here.
    pub rules: IssuerRules,
    /// Where its keys are.
    pub keys: KeySource,
}

/// `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// What clients see, without a slash at the end; `None` = the first listener's address.
    pub public_url: Option<String>,
    /// Worker threads that serve requests; `None` = one for each core.
    pub threads: Option<NonZeroUsize>,
    /// How to stop.
    pub shutdown: Shutdown,
    /// The mode of Unix sockets' files.
    pub socket_mode: u32,
    /// Whether HTTP/2 is taken without TLS.
    pub h2c: bool,
    /// TLS on the TCP listeners; `None` = none.
    pub tls: Option<connection::TlsSettings>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: TrustedProxies,
    /// What connections must keep to.
    pub limits: connection::Limits,
    /// What requests must keep to.
    pub request_limits: proxy::RequestLimits,
    /// Who may read our own answers from a browser.
    pub cors: proxy::CorsSettings,
}

/// `server.shutdown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long the listeners stay after `/readyz` fails.
    pub lame_duck: Duration,
    /// How long requests in flight may take after that.
    pub drain: Duration,
}

/// `admin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen; not one of the public listeners.
    pub listen: Listen,
    /// What operators show to revoke and to list revocations; `None` = the one in `data_dir`.
    pub token: Option<Secret>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Address and port; port 0 = any free one.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// `store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Lost at a restart.
    Memory,
    /// A file in `data_dir`.
    Embedded,
    /// Shared with other replicas.
    Redis(Box<revocation::RedisSettings>),
}

/// `policy`. The routes were compiled once, so they have no conflicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For paths no route names.
    pub default: Access,
    /// Whether paths are compared without regard to the case of ASCII letters.
    pub ignore_case: bool,
    /// Who answers preflights, where a route does not say otherwise.
    pub cors: Cors,
    /// What becomes of a stream when its token ends, where a route does not say otherwise.
    pub streams: Streams,
    /// Path prefixes that are protected resources of their own (RFC 9728), as `/mcp`; each once, `/` not among them.
    pub resources: Vec<String>,
    /// In the order written.
    pub routes: Vec<RouteSpec>,
}

impl Policy {
    /// Whether something is forwarded without a token.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let mut all = self.routes.iter().map(|route| route.access).chain([self.default]);
        all.any(|access| matches!(access, Access::Public | Access::Optional))
    }
}
