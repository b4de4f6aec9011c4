//! What operators hear of the fetching of one issuer's keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fetch::FetchError;
use crate::keys::{KeySet, Unusable, VerifyingKey};
use crate::telemetry::Telemetry;

/// Counts every attempt, and says in the log what is news.
#[derive(Debug)]
pub(super) struct Reports {
    issuer: String,
    telemetry: Arc<Telemetry>,
    /// When the log was last told of a failure; `None` = the last attempt did not fail.
    warned: Option<Instant>,
}

impl Reports {
    pub fn new(issuer: &str, telemetry: Arc<Telemetry>) -> Self {
        telemetry.metrics.key_fetches.begin(issuer, &FetchError::RESULTS);
        Self { issuer: issuer.to_owned(), telemetry, warned: None }
    }

    /// A set came, in the place of the one before.
    pub fn fetched(&mut self, before: &KeySet, now: &KeySet, left_out: &[(usize, Unusable)]) {
        let issuer = &self.issuer;
        let changed = before != now;
        self.telemetry.metrics.key_fetches.ended(issuer, if changed { "ok" } else { "unchanged" });
        if changed {
            let (added, withdrawn) = (kids(now, before), kids(before, now));
            tracing::info!(issuer, added, withdrawn, "the keys of an issuer have changed");
            for (place, why) in left_out {
                tracing::info!(issuer, place, %why, "a key of an issuer is not used");
            }
        }
        if self.warned.take().is_some() {
            tracing::info!(issuer, "the keys of an issuer can be fetched again");
        }
    }

    /// None came.
    pub fn failed(&mut self, error: &FetchError, has_keys: bool, now: Instant) {
        let issuer = &self.issuer;
        self.telemetry.metrics.key_fetches.ended(issuer, error.code());
        if self.warned.is_some_and(|at| now < at + WARN_EVERY) {
            return;
        }
        self.warned = Some(now);
        if has_keys {
            tracing::warn!(issuer, %error, "the keys of an issuer cannot be fetched; the last ones serve");
        } else {
            tracing::warn!(issuer, %error, "the keys of an issuer cannot be fetched; its tokens are answered 503");
        }
    }

    /// There are no keys any more.
    pub fn too_old(&self) {
        tracing::error!(
            issuer = self.issuer,
            "the last keys of an issuer are older than `max_stale`; its tokens are answered 503"
        );
    }
}

/// The ids of the keys that are in the one and not in the other. A new key under an old id is in both lists.
fn kids(of: &KeySet, not_of: &KeySet) -> String {
    let mut kids: Vec<&str> = of.keys().iter().filter(|key| !not_of.has(key)).map(VerifyingKey::kid).collect();
    kids.dedup();
    kids.join(" ")
}

/// An issuer may be down for hours.
const WARN_EVERY: Duration = Duration::from_secs(60);
