//! What holds where the configuration says nothing. `config.example.yaml` shows each, and a test compares the two.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::time::Duration;

use crate::connection::Limits;
use crate::keys::Algorithm;
use crate::message::HeadLimits;
use crate::proxy::RequestLimits;
use crate::revocation::OnStoreFailure;
use crate::users::Allowance;

/// `server.listen`: loopback, so that nothing is open to the network before somebody says so.
pub const LISTEN: SocketAddr = loopback(8080);

/// `admin.listen`: metrics tell who uses what, so loopback too; a pod sets `0.0.0.0` for its probes.
pub const ADMIN_LISTEN: SocketAddr = loopback(9090);

/// `server.shutdown.lame_duck`: what load balancers take to see `/readyz` fail.
pub const LAME_DUCK: Duration = Duration::from_secs(5);

/// `server.shutdown.drain`: with the above exactly Kubernetes' `terminationGracePeriodSeconds` of 30 s.
pub const DRAIN: Duration = Duration::from_secs(25);

/// `server.socket_mode`: a front proxy may run under another user of the same group.
pub const SOCKET_MODE: u32 = 0o660;

/// What of `server.limits` concerns connections.
pub const LIMITS: Limits = Limits {
    // Each costs a few KiB; a sidecar that has more open clients than this is under attack.
    connections: 10_000,
    connections_per_address: None,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    head: HeadLimits {
        // Four times what most applications accept for all fields.
        header_bytes: 32 * 1024,
        header_count: 100,
        uri_bytes: 8 * 1024,
    },
};

/// What of `server.limits` concerns requests. Bodies are streamed, so no length of theirs costs anything here.
pub const REQUEST_LIMITS: RequestLimits = RequestLimits { token_bytes: 8 * 1024, body_bytes: None };

/// `server.cors.max_age`.
pub const CORS_MAX_AGE: Duration = Duration::from_mins(10);

/// `upstream.identity_header_bytes`: servers take 8 KiB to 64 KiB of headers in all, and the client's own come on top.
pub const IDENTITY_HEADER_BYTES: usize = 8 * 1024;

/// `store.redis.prefix`: who looks into a server that others use too sees whose keys these are.
pub const REDIS_PREFIX: &str = "doorward:";

/// `store.redis.wait_timeout`: replicas in another zone answer in milliseconds, and a login waits for it.
pub const REDIS_WAIT_TIMEOUT: Duration = Duration::from_millis(500);

/// `data_dir`.
pub const DATA_DIR: &str = "./data";

/// `upstream.connect_timeout`: the upstream is next door; a second is a lost SYN and its repetition.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// `upstream.read_timeout`: the same as nginx and most load balancers before us.
pub const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// `upstream.mint.ttl`: a request and what an application asks others for; lost, it is worth little.
pub const MINT_TTL: Duration = Duration::from_mins(1);

/// `upstream.idle_timeout`: uvicorn closes idle connections after 5 s; reusing one in that moment is a 502.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// `upstream.identity_headers`: the names oauth2-proxy made common, and two of our own.
pub const IDENTITY_HEADERS: [(&str, &str); 6] = [
    ("X-Forwarded-User", "sub"),
    ("X-Forwarded-Email", "email"),
    ("X-Forwarded-Groups", "roles"),
    ("X-Forwarded-Preferred-Username", "preferred_username"),
    ("X-Doorward-Scopes", "scope"),
    ("X-Doorward-Issuer", "iss"),
];

/// `tokens.typ` in compat; where the profiles differ, `profile` has the other half: verifiers that insist on `JWT` exist, none that insists on `at+jwt` among the tutorials'.
pub const TYP: &str = "JWT";

/// `tokens.access_ttl`: a stolen token that nobody noticed is dead after this.
pub const ACCESS_TTL: Duration = Duration::from_mins(15);

/// `tokens.refresh_ttl`: who uses an application once a month still logs in.
pub const REFRESH_TTL: Duration = Duration::from_hours(30 * 24);

/// `tokens.refresh_idle`: a session nobody has used for a week is over.
pub const REFRESH_IDLE: Duration = Duration::from_hours(7 * 24);

/// `tokens.refresh_grace` in compat: a second tab, or a client that lost the answer and tries again.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

/// `tokens.leeway`: clocks that are set by NTP differ by less.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// `tokens.claims`: what `upstream.identity_headers` shows by default.
pub const CLAIMS: [&str; 2] = ["email", "roles"];

/// `trusted_issuers[].algorithms`: what nearly every issuer signs with. Others are named, so that none of them can be chosen for us.
pub const ISSUER_ALGORITHMS: [Algorithm; 1] = [Algorithm::Rs256];

/// `trusted_issuers[].scope_claim`: RFC 9068 §2.2.3.
pub const SCOPE_CLAIM: &str = "scope";

/// `trusted_issuers[].max_stale`: an issuer that is down for a night takes nobody down with it; a key withdrawn meanwhile lives on
/// as long.
pub const MAX_STALE: Duration = Duration::from_hours(24);

/// `trusted_issuers[].max_lifetime`: no access token should live so long, and marks of revoked ones have to.
pub const MAX_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// `users.file`.
pub const USERS_FILE: &str = "users.yaml";

/// `users.postgres.pool`: a look-up takes a millisecond, and a database has a hundred connections for all who use it.
pub const POSTGRES_POOL: u64 = 8;

/// `users.postgres.connect_timeout`: TLS and a password over some distance; with the next one the longest that a login waits.
pub const POSTGRES_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// `users.postgres.query_timeout`: a look-up by an index takes a thousandth.
pub const POSTGRES_QUERY_TIMEOUT: Duration = Duration::from_secs(1);

/// `users.hashing.queue`: at 50 ms a hash, the last waits under two seconds on one core.
pub const HASHING_QUEUE: u64 = 32;

/// `users.throttle.per_user`: who has forgotten a password has tried them all by then; of guesses it is three thousand a day.
pub const FAILURES_PER_USER: Allowance = failures(10);

/// `users.throttle.per_address`: an office behind one address mistypes less often.
pub const FAILURES_PER_ADDRESS: Allowance = failures(50);

/// `revocation.cache.capacity`: 36 MiB when it is full.
pub const CACHE_CAPACITY: u64 = 100_000;

/// `revocation.cache.ttl`: answers end with the view's changes anyway; this frees those of tokens no longer used.
pub const CACHE_TTL: Duration = Duration::from_secs(30);

/// `revocation.max_staleness`: a failover takes less, and whoever waits longer for a store waits for somebody to mend it.
pub const MAX_STALENESS: Duration = Duration::from_secs(10);

/// `revocation.on_store_failure`: a token that was perhaps revoked is none.
pub const ON_STORE_FAILURE: OnStoreFailure = OnStoreFailure::Deny;

/// `revocation.cascade`: RFC 7009 §2.1 leaves it open; who ends one token by its own has usually another in use.
pub const CASCADE: bool = false;

/// `endpoints.prefix`.
pub const PREFIX: &str = "";

/// `endpoints.token`: what the tutorials' clients call.
pub const TOKEN_PATH: &str = "/token";

/// `endpoints.refresh`.
pub const REFRESH_PATH: &str = "/refresh-token";

/// `endpoints.revoke`.
pub const REVOKE_PATH: &str = "/revoke-token";

/// `endpoints.introspect`.
pub const INTROSPECT_PATH: &str = "/introspect";

/// `endpoints.userinfo`.
pub const USERINFO_PATH: &str = "/userinfo";

/// `endpoints.jwks`.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// `endpoints.metadata`: RFC 8414 §3.
pub const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// `endpoints.resource_metadata`: RFC 9728 §3.
pub const RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// `wire.query_tokens` in compat: the tutorials send tokens in the query string.
pub const QUERY_TOKENS: bool = true;

/// `wire.realm`.
pub const REALM: &str = "doorward";

/// `wire.token_error_status`: OAuth clients read the body of a 400 (RFC 6749 §5.2), and FastAPI's own tutorial answers it.
pub const TOKEN_ERROR_STATUS: u64 = 400;

/// `wire.insufficient_scope_status`: RFC 6750 §3.1; the tutorials answer 401.
pub const INSUFFICIENT_SCOPE_STATUS: u16 = 403;

/// `telemetry.access_log`.
pub const ACCESS_LOG: bool = true;

const fn failures(failures: u32) -> Allowance {
    Allowance { failures: NonZeroU32::MIN.saturating_add(failures - 1), within: Duration::from_mins(5) }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}
