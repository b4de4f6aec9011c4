//! Every metric there is: name, help, labels. The names are a contract with dashboards and alerts.

/// A metric as `/metrics` announces it.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The full name, prefix and unit included.
    pub name: &'static str,
    /// One sentence for who reads `/metrics`.
    pub help: &'static str,
    /// The names of its labels. Their values come from closed sets or from the configuration, never from a request.
    pub labels: &'static [&'static str],
}

impl Family {
    const fn new(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, help, labels }
    }
}

/// Which build runs.
pub const BUILD_INFO: Family =
    Family::new("doorward_build_info", "Always 1; the labels say which build this is.", &["version", "revision"]);
/// Requests answered.
pub const HTTP_REQUESTS: Family = Family::new(
    "doorward_http_requests_total",
    "Requests answered, by listener, route as configured, method and status.",
    &["listener", "route", "method", "code"],
);
/// How long requests took.
pub const HTTP_REQUEST_DURATION: Family = Family::new(
    "doorward_http_request_duration_seconds",
    "Time from a request's head to the end of its answer.",
    &["listener"],
);
/// Requests being answered.
pub const HTTP_REQUESTS_IN_FLIGHT: Family =
    Family::new("doorward_http_requests_in_flight", "Requests being answered right now.", &[]);
/// How long the upstream took.
pub const UPSTREAM_REQUEST_DURATION: Family = Family::new(
    "doorward_upstream_request_duration_seconds",
    "Time from connecting to the upstream to the head of its answer.",
    &[],
);
/// Upstream failures.
pub const UPSTREAM_ERRORS: Family =
    Family::new("doorward_upstream_errors_total", "Requests that failed at the upstream, by reason.", &["reason"]);
/// Decisions of the gate.
pub const DECISIONS: Family = Family::new(
    "doorward_decisions_total",
    "Decisions by route, outcome (allow, deny, own, error) and reason code (`none` where there is none).",
    &["route", "decision", "reason"],
);
/// How long decisions took.
pub const DECISION_DURATION: Family =
    Family::new("doorward_decision_duration_seconds", "Time the gate took to decide a request.", &[]);
/// Token requests.
pub const TOKEN_REQUESTS: Family = Family::new(
    "doorward_token_requests_total",
    "Token requests by grant type and result (`ok` or an error code).",
    &["grant_type", "result"],
);
/// Tokens checked.
pub const TOKEN_VALIDATIONS: Family = Family::new(
    "doorward_token_validations_total",
    "Tokens checked, by issuer as configured and result (`ok` or a reason code).",
    &["issuer", "result"],
);
/// Reused refresh tokens.
pub const REFRESH_REUSE_DETECTED: Family = Family::new(
    "doorward_refresh_reuse_detected_total",
    "Refresh tokens presented again after their time; each ended a session.",
    &[],
);
/// Repeated refresh tokens.
pub const REFRESH_GRACE_REPLAYS: Family = Family::new(
    "doorward_refresh_grace_replays_total",
    "Refresh tokens repeated within the grace and answered with the same successor.",
    &[],
);
/// Revocations.
pub const REVOCATIONS: Family =
    Family::new("doorward_revocations_total", "Revocations that took effect, by kind.", &["kind"]);
/// Live marks.
pub const DENYLIST_ENTRIES: Family =
    Family::new("doorward_denylist_entries", "Revocation marks that are alive in this instance's view.", &[]);
/// Cache of verified tokens.
pub const VERIFIED_TOKEN_CACHE: Family = Family::new(
    "doorward_verified_token_cache_total",
    "Look-ups in the cache of verified tokens, by result.",
    &["result"],
);
/// Cache of revocation answers.
pub const REVOCATION_CACHE: Family = Family::new(
    "doorward_revocation_cache_total",
    "Look-ups in the cache of revocation answers, by result.",
    &["result"],
);
/// How old the view of the marks is.
pub const REVOCATION_STALENESS: Family = Family::new(
    "doorward_revocation_staleness_seconds",
    "How long ago this instance last knew all revocations there were; 0 where no other instance makes any.",
    &[],
);
/// How long marks take to every instance.
pub const REVOCATION_PROPAGATION: Family = Family::new(
    "doorward_revocation_propagation_seconds",
    "Time from a revocation being durable in a shared store to this instance having read it there.",
    &[],
);
/// Fetches of issuers' keys.
pub const JWKS_REFRESH: Family = Family::new(
    "doorward_jwks_refresh_total",
    "Fetches of an issuer's keys, by issuer as configured and result (`ok`, `unchanged` or why it failed).",
    &["issuer", "result"],
);
/// When issuers' keys were last fetched.
pub const JWKS_LAST_SUCCESS_TIMESTAMP: Family = Family::new(
    "doorward_jwks_last_success_timestamp_seconds",
    "When an issuer's keys were last fetched, in seconds since 1970; 0 if never.",
    &["issuer"],
);
/// How old issuers' keys are.
pub const ISSUER_KEYS_AGE: Family = Family::new(
    "doorward_issuer_keys_age_seconds",
    "How long ago an issuer's keys were last fetched; absent if never.",
    &["issuer"],
);
/// Store failures.
pub const STORE_ERRORS: Family =
    Family::new("doorward_store_errors_total", "Operations of the store that failed, by operation.", &["op"]);
/// Whether the store answers.
pub const STORE_UP: Family =
    Family::new("doorward_store_up", "1 if the store answered when it was last asked, else 0.", &[]);
/// Whether the store takes no writes.
pub const STORE_SEALED: Family =
    Family::new("doorward_store_sealed", "1 if the store was exported and takes no writes, else 0.", &[]);
/// How far the clocks are apart.
pub const STORE_CLOCK_OFFSET: Family = Family::new(
    "doorward_store_clock_offset_seconds",
    "How far the store's clock is ahead of this machine's; negative if behind, 0 where the store has none of its own.",
    &[],
);
/// What is weakened.
pub const INSECURE_SETTINGS: Family = Family::new(
    "doorward_insecure_settings",
    "How many defaults the configuration weakens: those under `insecure`, and `revocation.on_store_failure`.",
    &[],
);
/// How long password checks took.
pub const PASSWORD_VERIFY_DURATION: Family = Family::new(
    "doorward_password_verify_duration_seconds",
    "Time a password hash took to check, the wait for its turn included.",
    &[],
);
/// Password checks that wait.
pub const PASSWORD_VERIFY_QUEUE_LENGTH: Family =
    Family::new("doorward_password_verify_queue_length", "Password checks waiting for their turn.", &[]);
/// Throttled logins.
pub const LOGIN_THROTTLED: Family = Family::new(
    "doorward_login_throttled_total",
    "Logins refused unchecked because too many had failed under the name or from the address.",
    &[],
);
/// Discouraged requests.
pub const DEPRECATED_REQUESTS: Family = Family::new(
    "doorward_deprecated_request_total",
    "Requests in a form that is accepted for compatibility only, by kind.",
    &["kind"],
);
/// Whether the last reload worked.
pub const CONFIG_LAST_RELOAD_SUCCESSFUL: Family = Family::new(
    "doorward_config_last_reload_successful",
    "1 if the configuration was last loaded without a problem, else 0.",
    &[],
);
/// When the last working reload was.
pub const CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP: Family = Family::new(
    "doorward_config_last_reload_success_timestamp_seconds",
    "When the configuration in use was loaded, in seconds since 1970.",
    &[],
);
/// Open connections.
pub const CONNECTIONS: Family = Family::new("doorward_connections", "Open connections from clients.", &[]);
/// Connections that were not taken.
pub const CONNECTIONS_REFUSED: Family = Family::new(
    "doorward_connections_refused_total",
    "New connections closed at once because of a limit, all others having requests in flight; by limit.",
    &["limit"],
);
/// Connections that gave way.
pub const CONNECTIONS_DISPLACED: Family = Family::new(
    "doorward_connections_displaced_total",
    "Idle connections closed at a limit to make room for new ones; by limit.",
    &["limit"],
);
/// Connections without a request.
pub const CONNECTIONS_UNSERVED: Family = Family::new(
    "doorward_connections_unserved_total",
    "Connections that ended before a request was read from them, or in the middle of a head; by reason.",
    &["reason"],
);
/// Streams that ended with their token.
pub const STREAMS_ENDED: Family = Family::new(
    "doorward_streams_ended_total",
    "WebSockets and event streams ended because a request for them would be refused now, by reason.",
    &["reason"],
);
/// Why they mostly do; what a reload closes has its own reasons.
pub const STREAM_ENDS: [&str; 2] = ["expired", "revoked"];
/// Panics.
pub const PANICS: Family =
    Family::new("doorward_panics_total", "Requests that ended in a panic; each is a defect of doorward.", &[]);
/// Lost log lines.
pub const LOG_LINES_DROPPED: Family = Family::new(
    "doorward_log_lines_dropped_total",
    "Log lines dropped because whoever reads them was too slow or gone.",
    &[],
);

/// All of them; the process collector's `process_*` come on top.
pub const ALL: [Family; 39] = [
    BUILD_INFO,
    HTTP_REQUESTS,
    HTTP_REQUEST_DURATION,
    HTTP_REQUESTS_IN_FLIGHT,
    UPSTREAM_REQUEST_DURATION,
    UPSTREAM_ERRORS,
    DECISIONS,
    DECISION_DURATION,
    TOKEN_REQUESTS,
    TOKEN_VALIDATIONS,
    REFRESH_REUSE_DETECTED,
    REFRESH_GRACE_REPLAYS,
    REVOCATIONS,
    DENYLIST_ENTRIES,
    VERIFIED_TOKEN_CACHE,
    REVOCATION_CACHE,
    REVOCATION_STALENESS,
    REVOCATION_PROPAGATION,
    JWKS_REFRESH,
    JWKS_LAST_SUCCESS_TIMESTAMP,
    ISSUER_KEYS_AGE,
    STORE_ERRORS,
    STORE_UP,
    STORE_SEALED,
    STORE_CLOCK_OFFSET,
    INSECURE_SETTINGS,
    PASSWORD_VERIFY_DURATION,
    PASSWORD_VERIFY_QUEUE_LENGTH,
    LOGIN_THROTTLED,
    DEPRECATED_REQUESTS,
    CONFIG_LAST_RELOAD_SUCCESSFUL,
    CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP,
    CONNECTIONS,
    CONNECTIONS_REFUSED,
    CONNECTIONS_DISPLACED,
    CONNECTIONS_UNSERVED,
    STREAMS_ENDED,
    PANICS,
    LOG_LINES_DROPPED,
];
