//! Fetching over HTTP.

use std::time::Duration;

use async_trait::async_trait;

use super::fetch::{Document, Fetch, FetchError, Fetched};
use super::KeySource;

/// Fetches as a real process does.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpFetch;

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(&self, _: &KeySource) -> Result<Fetched, FetchError> {
        Err(FetchError::Connection(Document::Keys, "not yet".to_owned()))
    }
}

/// For all of a fetch: names, connections, TLS, metadata and keys.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// Of a document. The largest known sets have a tenth of it.
pub(super) const MAX_BYTES: usize = 512 * 1024;
