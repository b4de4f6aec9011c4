//! The numbers: typed methods, so that a label can only be what it may be.
//!
//! Handles on series are resolved when a [`Metrics`] is made, or when a route or issuer is configured. What is counted on every
//! request is counted by each thread for itself ([`Tally`](super::tally::Tally)), the rest by an atomic addition. Labels that are `&'static str` are codes from the program's own closed lists.

mod store;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::buckets::{DECISION_BUCKETS, PASSWORD_BUCKETS, REQUEST_BUCKETS};
use super::connections::Connections;
use super::durations::Durations;
use super::events::Request;
use super::following::{Following, STALE};
use super::handles::{IssuerLabel, RouteLabel, RouteSeries};
use super::key_fetches::KeyFetches;
use super::labels::{CacheResult, GrantType, Listener, NONE, OTHER};
use super::names;
use super::registry::Families;
use super::sink::Sink;
use super::tally::{Counter, Held, Level};
use crate::base::Timestamp;

/// All metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    families: Families,
    routes: Mutex<BTreeMap<Box<str>, RouteLabel>>,
    issuers: Mutex<BTreeMap<Box<str>, IssuerLabel>>,
    unmatched: RouteLabel,
    unknown_issuer: IssuerLabel,
    route_series: RouteSeries,
    request_duration: [Durations; Listener::ALL.len()],
    in_flight: Level,
    /// Those of clients.
    pub connections: Connections,
    upstream_duration: Durations,
    upstream_errors: IntCounterVec,
    decision_duration: Durations,
    token_requests: IntCounterVec,
    token_validations: IntCounterVec,
    reuse_detected: IntCounter,
    grace_replays: IntCounter,
    revocations: IntCounterVec,
    denylist_entries: IntGauge,
    verified_token_cache: [Counter; CacheResult::ALL.len()],
    revocation_cache: [Counter; CacheResult::ALL.len()],
    /// Those of a store that several instances share.
    pub following: Following,
    /// Those of other issuers' keys.
    pub key_fetches: KeyFetches,
    store_errors: IntCounterVec,
    store_up: IntGauge,
    store_answers: AtomicBool,
    store_is_lost: AtomicBool,
    insecure_settings: IntGauge,
    password_duration: Histogram,
    password_queue: IntGauge,
    login_throttled: IntCounter,
    deprecated: IntCounterVec,
    reload_successful: IntGauge,
    reload_timestamp: IntGauge,
    streams_ended: IntCounterVec,
    panics: IntCounter,
}

impl Metrics {
    /// The media type of [`Metrics::render`].
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    pub(super) fn new(sink: &Sink) -> Self {
        let families = Families::new();
        families.adopt(sink.dropped());
        let revision = option_env!("DOORWARD_REVISION").unwrap_or("unknown");
        families.gauges(&names::BUILD_INFO).with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let route_series = RouteSeries {
            requests: families.counters(&names::HTTP_REQUESTS),
            decisions: families.counters(&names::DECISIONS),
            tally: families.tally().clone(),
        };
        let token_validations = families.counters(&names::TOKEN_VALIDATIONS);
        let revocations = families.counters(&names::REVOCATIONS);
        for kind in ["token", "session", "subject", "client"] {
            // A series that starts at its first event hides that event from `rate()`.
            revocations.with_label_values(&[kind]);
        }
        let streams_ended = families.counters(&names::STREAMS_ENDED);
        for reason in names::STREAM_ENDS {
            streams_ended.with_label_values(&[reason]);
        }
        let results = CacheResult::ALL.map(CacheResult::as_str);
        let revocation_cache = families.counters(&names::REVOCATION_CACHE);
        let in_revocation_cache = |result| families.tally().counter(revocation_cache.with_label_values(&[result]));
        Self {
            routes: Mutex::default(),
            issuers: Mutex::default(),
            unmatched: RouteLabel::new(NONE, route_series.clone()),
            unknown_issuer: IssuerLabel::new(OTHER, token_validations.clone(), families.tally()),
            request_duration: families.durations_by(
                &names::HTTP_REQUEST_DURATION,
                Listener::ALL.map(Listener::as_str),
                &REQUEST_BUCKETS,
            ),
            in_flight: families.level(&names::HTTP_REQUESTS_IN_FLIGHT),
            connections: Connections::new(&families),
            upstream_duration: families.durations(&names::UPSTREAM_REQUEST_DURATION, &REQUEST_BUCKETS),
            upstream_errors: families.counters(&names::UPSTREAM_ERRORS),
            decision_duration: families.durations(&names::DECISION_DURATION, &DECISION_BUCKETS),
            token_requests: families.counters(&names::TOKEN_REQUESTS),
            reuse_detected: families.counter(&names::REFRESH_REUSE_DETECTED),
            grace_replays: families.counter(&names::REFRESH_GRACE_REPLAYS),
            denylist_entries: families.gauge(&names::DENYLIST_ENTRIES),
            verified_token_cache: families.tallied(&names::VERIFIED_TOKEN_CACHE, results),
            revocation_cache: results.map(in_revocation_cache),
            following: Following::new(&families, revocation_cache.with_label_values(&[STALE])),
            key_fetches: KeyFetches::new(&families),
            store_errors: families.counters(&names::STORE_ERRORS),
            store_up: families.gauge(&names::STORE_UP),
            store_answers: AtomicBool::default(),
            store_is_lost: AtomicBool::default(),
            insecure_settings: families.gauge(&names::INSECURE_SETTINGS),
            password_duration: families.histogram(&names::PASSWORD_VERIFY_DURATION, &PASSWORD_BUCKETS),
            password_queue: families.gauge(&names::PASSWORD_VERIFY_QUEUE_LENGTH),
            login_throttled: families.counter(&names::LOGIN_THROTTLED),
            deprecated: families.counters(&names::DEPRECATED_REQUESTS),
            reload_successful: families.gauge(&names::CONFIG_LAST_RELOAD_SUCCESSFUL),
            reload_timestamp: families.gauge(&names::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP),
            panics: families.counter(&names::PANICS),
            route_series,
            token_validations,
            revocations,
            streams_ended,
            families,
        }
    }

    /// All metrics in Prometheus' text format 0.0.4; see [`Metrics::CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        self.families.render()
    }

    /// The handle of a route as configured: the same one for the same text, across reloads. What a route no longer
    /// configured has counted stays until the restart.
    #[must_use]
    pub fn route(&self, name: &str) -> RouteLabel {
        let mut routes = self.routes.lock();
        if let Some(known) = routes.get(name) {
            return known.clone();
        }
        let label = RouteLabel::new(name, self.route_series.clone());
        routes.insert(name.into(), label.clone());
        label
    }

    /// The handle for requests that belong to no route (`none`).
    #[must_use]
    pub fn unmatched(&self) -> &RouteLabel {
        &self.unmatched
    }

    /// The handle of an issuer as configured.
    #[must_use]
    pub fn issuer(&self, name: &str) -> IssuerLabel {
        let mut issuers = self.issuers.lock();
        if let Some(known) = issuers.get(name) {
            return known.clone();
        }
        let label = IssuerLabel::new(name, self.token_validations.clone(), self.families.tally());
        issuers.insert(name.into(), label.clone());
        label
    }

    /// The handle for tokens of issuers that are not configured, or that name none (`other`).
    #[must_use]
    pub fn unknown_issuer(&self) -> &IssuerLabel {
        &self.unknown_issuer
    }

    /// A request is being answered until the guard is dropped, also by a panic.
    pub fn request_started(&self) -> Held {
        self.in_flight.hold()
    }

    /// How many requests are being answered: what a drain waits for.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.now()
    }

    /// How many password checks wait for their turn.
    pub fn set_password_queue(&self, waiting: usize) {
        self.password_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// A password hash was checked, in this time.
    pub fn password_verified(&self, took: Duration) {
        self.password_duration.observe(took.as_secs_f64());
    }

    /// A login was refused unchecked, too many having failed.
    pub fn login_throttled(&self) {
        self.login_throttled.inc();
    }

    /// A token request was answered; `result` is `ok` or an OAuth error code.
    pub fn token_request(&self, grant_type: GrantType, result: &'static str) {
        self.token_requests.with_label_values(&[grant_type.as_str(), result]).inc();
    }

    /// The cache of verified tokens was asked.
    pub fn verified_token_cache(&self, result: CacheResult) {
        count(&self.verified_token_cache, result);
    }

    /// The cache of revocation answers was asked.
    pub fn revocation_cache(&self, result: CacheResult) {
        count(&self.revocation_cache, result);
    }

    /// How many revocation marks are alive.
    pub fn set_denylist_entries(&self, entries: usize) {
        self.denylist_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// An operation of the store failed. Does not touch [`Metrics::set_store_up`].
    pub fn store_error(&self, operation: &'static str) {
        self.store_errors.with_label_values(&[operation]).inc();
    }

    /// How many defaults are weakened.
    pub fn set_insecure_settings(&self, weakened: usize) {
        self.insecure_settings.set(i64::try_from(weakened).unwrap_or(i64::MAX));
    }

    /// A request came in a form that is accepted for compatibility only.
    pub fn deprecated_request(&self, kind: &'static str) {
        self.deprecated.with_label_values(&[kind]).inc();
    }

    /// A configuration was loaded and is in use; at start, too.
    pub fn configuration_loaded(&self, now: Timestamp) {
        self.reload_successful.set(1);
        self.reload_timestamp.set(now.seconds());
    }

    pub(super) fn configuration_refused(&self) {
        self.reload_successful.set(0);
    }

    pub(super) fn reuse_detected(&self) {
        self.reuse_detected.inc();
    }

    pub(super) fn grace_replay(&self) {
        self.grace_replays.inc();
    }

    pub(super) fn revoked(&self, kind: &'static str) {
        self.revocations.with_label_values(&[kind]).inc();
    }

    /// A stream was ended because its token was no longer good, or its route no longer open to it; the code of a reason of refusal.
    pub fn stream_ended(&self, reason: &'static str) {
        self.streams_ended.with_label_values(&[reason]).inc();
    }

    /// A request ended in a panic.
    pub fn request_panicked(&self) {
        self.panics.inc();
    }

    pub(super) fn request(&self, request: &Request<'_>) {
        let lane = self.families.tally().lane();
        request.route.count(lane, request.listener, request.method, request.status);
        request.route.decide(lane, request.decision, request.reason);
        if let Some(histogram) = self.request_duration.get(request.listener as usize) {
            histogram.observe_in(lane, request.duration);
        }
        if let Some(took) = request.decision_duration {
            self.decision_duration.observe_in(lane, took);
        }
        if let Some(took) = request.upstream_duration {
            self.upstream_duration.observe_in(lane, took);
        }
        if let Some(reason) = request.upstream_error {
            self.upstream_errors.with_label_values(&[reason]).inc();
        }
    }
}

fn count(counters: &[Counter; CacheResult::ALL.len()], result: CacheResult) {
    if let Some(counter) = counters.get(result as usize) {
        counter.inc();
    }
}
