//! The keys of other issuers: fetched off the request path, kept while the issuer is down, and never fetched for a request as
//! such.

pub mod address;
mod discovery;
mod fetch;
mod http;
mod issuer_keys;
mod last_good;
mod missing;
mod refresh;
mod report;
mod schedule;
mod settings;
mod status;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::base::Clock;
use crate::telemetry::Telemetry;

pub use fetch::{Document, Fetch, FetchError, Fetched};
pub use http::HttpFetch;
pub use issuer_keys::IssuerKeys;
pub use last_good::LastGood;
pub use settings::KeySource;
pub use status::Status;

/// The issuers whose keys are fetched. A reload makes a new one, which takes over what did not change.
#[derive(Debug, Default)]
pub struct Issuers {
    sources: Vec<Arc<IssuerKeys>>,
    around: Option<Surroundings>,
}

/// What the fetching of all issuers' keys shares.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Says how old keys are.
    pub clock: Arc<dyn Clock>,
    /// Log and metrics.
    pub telemetry: Arc<Telemetry>,
    /// Fetches; [`HttpFetch`] unless a test answers.
    pub fetch: Arc<dyn Fetch>,
    /// Keeps the last good keys; `None` = a start needs the issuers.
    pub last_good: Option<Arc<LastGood>>,
}

impl Issuers {
    /// The issuers of a configuration; what is known of those that did not change is taken over from the ones `before`. Nothing
    /// is read or fetched yet, and nothing changes for `before`.
    #[must_use]
    pub fn new(sources: Vec<KeySource>, before: Option<&Self>, around: Surroundings) -> Self {
        let keys = |source: KeySource| match before.and_then(|before| before.get(&source.issuer)) {
            Some(known) if *known.source() == source => Arc::clone(known),
            Some(known) if known.source().is_same_place(&source) => Arc::new(IssuerKeys::like(source, known)),
            _ => Arc::new(IssuerKeys::new(source)),
        };
        Self { sources: sources.into_iter().map(keys).collect(), around: Some(around) }
    }

    /// Reads what was kept on disk, has the keys fetched from now on until nobody uses them any more, and waits a second at the
    /// most for the first ones. Fails for no issuer: without keys its tokens are answered 503. Needs a runtime; whoever comes
    /// before this cannot tell whether the configuration will be used.
    pub async fn begin(&self) {
        let Some(around) = &self.around else { return };
        let mut first = JoinSet::new();
        for keys in &self.sources {
            keys.begin(around).await;
            let keys = Arc::clone(keys);
            first.spawn(async move { keys.first().await });
        }
        first.join_all().await;
    }

    /// Brings the gauges up to date: issuers that are no longer configured have none.
    pub fn collect(&self) {
        if let Some(around) = &self.around {
            let statuses = self.statuses();
            let gauges = statuses.iter().map(|(issuer, status)| (*issuer, status.last_success, status.age));
            around.telemetry.metrics.key_fetches.set_all(gauges);
        }
    }

    /// How the keys of each stand.
    #[must_use]
    pub fn statuses(&self) -> Vec<(&str, Status)> {
        let now = self.around.as_ref().map(|around| around.clock.now()).unwrap_or_default();
        self.sources.iter().map(|keys| (keys.issuer(), keys.status(now))).collect()
    }

    /// The issuer of this name.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<&Arc<IssuerKeys>> {
        self.sources.iter().find(|keys| keys.issuer() == issuer)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<IssuerKeys>> {
        self.sources.iter()
    }
}

#[cfg(test)]
mod tests;
