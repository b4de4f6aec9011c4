//! The numbers about other issuers' keys.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::names;
use super::registry::Families;
use crate::base::Timestamp;

/// The families, and whose gauges there are.
#[derive(Debug)]
pub struct KeyFetches {
    refreshes: IntCounterVec,
    last_success: IntGaugeVec,
    age: IntGaugeVec,
    shown: Mutex<BTreeSet<Box<str>>>,
}

impl KeyFetches {
    pub(super) fn new(families: &Families) -> Self {
        Self {
            refreshes: families.counters(&names::JWKS_REFRESH),
            last_success: families.gauges(&names::JWKS_LAST_SUCCESS_TIMESTAMP),
            age: families.gauges(&names::ISSUER_KEYS_AGE),
            shown: Mutex::default(),
        }
    }

    /// Begins the series of an issuer whose keys are fetched from now on: one that starts at its first event hides that event from
    /// `rate()`.
    pub fn begin(&self, issuer: &str, results: &[&'static str]) {
        for result in results {
            self.refreshes.with_label_values(&[issuer, result]);
        }
    }

    /// A fetch ended; `result` is `ok`, `unchanged` or the code of an error.
    pub fn ended(&self, issuer: &str, result: &'static str) {
        self.refreshes.with_label_values(&[issuer, result]).inc();
    }

    /// When the keys of all configured issuers were last fetched, and how long ago that is; other issuers have no gauges then.
    pub fn set_all<'i>(&self, issuers: impl IntoIterator<Item = (&'i str, Option<Timestamp>, Option<Duration>)>) {
        let mut shown = self.shown.lock();
        let mut gone = std::mem::take(&mut *shown);
        for (issuer, last_success, age) in issuers {
            self.last_success.with_label_values(&[issuer]).set(last_success.map_or(0, Timestamp::seconds));
            match age {
                Some(age) => {
                    self.age.with_label_values(&[issuer]).set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
                }
                // There was none, then.
                None => drop(self.age.remove_label_values(&[issuer])),
            }
            gone.remove(issuer);
            shown.insert(issuer.into());
        }
        // An age that stands still would look like good keys.
        for issuer in gone {
            let _ = (self.last_success.remove_label_values(&[&issuer]), self.age.remove_label_values(&[&issuer]));
        }
    }
}
