//! Handles on the series of a route or an issuer: looked up once, at (re)load, and then counted without a hash.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus::{IntCounter, IntCounterVec};

use super::cells::Lane;
use super::labels::{Decision, Listener, Method, NONE, OTHER};
use super::tally::{Counter, Tally};

/// The series of one route as configured. Cheap to clone.
#[derive(Clone)]
pub struct RouteLabel(Arc<Route>);

/// The families that have a series for each route.
#[derive(Clone, Debug)]
pub(super) struct RouteSeries {
    pub(super) requests: IntCounterVec,
    pub(super) decisions: IntCounterVec,
    pub(super) tally: Tally,
}

struct Route {
    name: Box<str>,
    series: RouteSeries,
    /// Filled by the first request of its kind, so that a route costs what it is used for: with all of them made
    /// ahead a route would have 500 series.
    counted: [[OnceLock<Box<ByCode>>; Method::ALL.len()]; Listener::ALL.len()],
    /// Decisions without a reason.
    decided: [OnceLock<Counter>; Decision::ALL.len()],
    /// Refusals.
    denied: OnceLock<Box<ByReason<8>>>,
}

type ByCode = [OnceLock<Counter>; COMMON_CODES.len()];

/// Series by the code of a reason, for the first reasons that come; others are looked up each time. There are some forty, of which a route
/// knows a few.
struct ByReason<const N: usize>([OnceLock<(&'static str, Counter)>; N]);

impl<const N: usize> ByReason<N> {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; N])
    }

    fn count(&self, lane: &Lane, reason: &'static str, series: impl Fn(&str) -> IntCounter, tally: &Tally) {
        for place in &self.0 {
            let (known, counter) = place.get_or_init(|| (reason, tally.counter(series(reason))));
            if *known == reason {
                return counter.inc_in(lane);
            }
        }
        series(reason).inc();
    }
}

impl RouteLabel {
    pub(super) fn new(name: &str, series: RouteSeries) -> Self {
        Self(Arc::new(Route {
            name: name.into(),
            series,
            counted: Default::default(),
            decided: Default::default(),
            denied: OnceLock::new(),
        }))
    }

    /// The route as configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// `lane` is this thread's.
    pub(super) fn count(&self, lane: &Lane, listener: Listener, method: Method, status: u16) {
        let route = &*self.0;
        let requests = &route.series.requests;
        let series = |code: &str| requests.with_label_values(&[listener.as_str(), &*route.name, method.as_str(), code]);
        let common = COMMON_CODES.binary_search(&status).ok().and_then(|index| {
            let by_code = route.counted.get(listener as usize)?.get(method as usize)?;
            by_code.get_or_init(|| Box::new([const { OnceLock::new() }; COMMON_CODES.len()])).get(index)
        });
        match common {
            Some(counter) => {
                counter.get_or_init(|| route.series.tally.counter(series(&status.to_string()))).inc_in(lane);
            }
            None if (100..600).contains(&status) => series(&status.to_string()).inc(),
            None => series(OTHER).inc(),
        }
    }

    /// `lane` is this thread's.
    pub(super) fn decide(&self, lane: &Lane, decision: Decision, reason: Option<&'static str>) {
        let route = &*self.0;
        let decisions = &route.series.decisions;
        let series = |reason: &str| decisions.with_label_values(&[&*route.name, decision.as_str(), reason]);
        match (reason, route.decided.get(decision as usize)) {
            (None, Some(counter)) => {
                counter.get_or_init(|| route.series.tally.counter(series(NONE))).inc_in(lane);
            }
            (Some(reason), _) if decision == Decision::Deny => {
                let denied = route.denied.get_or_init(|| Box::new(ByReason::new()));
                denied.count(lane, reason, series, &route.series.tally);
            }
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
    good: Counter,
    refused: ByReason<32>,
    tally: Tally,
}

impl IssuerLabel {
    pub(super) fn new(name: &str, validations: IntCounterVec, tally: &Tally) -> Self {
        let good = tally.counter(validations.with_label_values(&[name, "ok"]));
        Self(Arc::new(Issuer { name: name.into(), validations, good, refused: ByReason::new(), tally: tally.clone() }))
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
        let Issuer { name, validations, refused, tally, .. } = &*self.0;
        refused.count(tally.lane(), reason, |reason| validations.with_label_values(&[&**name, reason]), tally);
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
