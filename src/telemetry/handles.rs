//! Handles on the series of a route or an issuer: looked up once, at (re)load, and then counted without a hash.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus::{IntCounter, IntCounterVec};

use super::labels::{Decision, Listener, Method, NONE, OTHER};

/// The series of one route as configured. Cheap to clone.
#[derive(Clone)]
pub struct RouteLabel(Arc<Route>);

struct Route {
    name: Box<str>,
    requests: IntCounterVec,
    decisions: IntCounterVec,
    /// Filled by the first request of its kind, so that a route costs what it is used for: with all of them made
    /// ahead a route would have 500 series.
    counted: [[OnceLock<Box<ByCode>>; Method::ALL.len()]; Listener::ALL.len()],
    /// Decisions without a reason.
    decided: [OnceLock<IntCounter>; Decision::ALL.len()],
}

type ByCode = [OnceLock<IntCounter>; COMMON_CODES.len()];

impl RouteLabel {
    pub(super) fn new(name: &str, requests: IntCounterVec, decisions: IntCounterVec) -> Self {
        Self(Arc::new(Route {
            name: name.into(),
            requests,
            decisions,
            counted: Default::default(),
            decided: Default::default(),
        }))
    }

    /// The route as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(super) fn count(&self, listener: Listener, method: Method, status: u16) {
        let route = &*self.0;
        let series =
            |code: &str| route.requests.with_label_values(&[listener.as_str(), &*route.name, method.as_str(), code]);
        let common = COMMON_CODES.binary_search(&status).ok().and_then(|index| {
            let by_code = route.counted.get(listener as usize)?.get(method as usize)?;
            by_code.get_or_init(|| Box::new([const { OnceLock::new() }; COMMON_CODES.len()])).get(index)
        });
        match common {
            Some(counter) => counter.get_or_init(|| series(&status.to_string())).inc(),
            None if (100..600).contains(&status) => series(&status.to_string()).inc(),
            None => series(OTHER).inc(),
        }
    }

    pub(super) fn decide(&self, decision: Decision, reason: Option<&'static str>) {
        let route = &*self.0;
        let series = |reason: &str| route.decisions.with_label_values(&[&*route.name, decision.as_str(), reason]);
        match (reason, route.decided.get(decision as usize)) {
            (None, Some(counter)) => counter.get_or_init(|| series(NONE)).inc(),
            (reason, _) => series(reason.unwrap_or(NONE)).inc(),
        }
    }
}

impl fmt::Debug for RouteLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RouteLabel({:?})", self.0.name)
    }
}

/// The series of one issuer as configured. Cheap to clone.
#[derive(Clone)]
pub struct IssuerLabel(Arc<Issuer>);

struct Issuer {
    name: Box<str>,
    validations: IntCounterVec,
    good: IntCounter,
}

impl IssuerLabel {
    pub(super) fn new(name: &str, validations: IntCounterVec) -> Self {
        let good = validations.with_label_values(&[name, "ok"]);
        Self(Arc::new(Issuer { name: name.into(), validations, good }))
    }

    /// The issuer as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Counts a token of this issuer that passed all checks.
    pub fn accepted(&self) {
        self.0.good.inc();
    }

    /// Counts a token of this issuer that was refused; `reason` is a reason code.
    pub fn refused(&self, reason: &'static str) {
        self.0.validations.with_label_values(&[&*self.0.name, reason]).inc();
    }
}

impl fmt::Debug for IssuerLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "IssuerLabel({:?})", self.0.name)
    }
}

/// Statuses that are counted without a hash, in order. Others are counted as well, only slower.
const COMMON_CODES: [u16; 34] = [
    101, 200, 201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412,
    413, 414, 415, 416, 422, 429, 431, 500, 502, 503, 504,
];
