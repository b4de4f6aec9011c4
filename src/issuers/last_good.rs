//! Keys on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::keys::ServerKeys;

/// Where the last good keys of issuers are kept: `issuers/` in `data_dir`.
#[derive(Debug)]
pub struct LastGood {
    dir: PathBuf,
    keys: Arc<ServerKeys>,
}

impl LastGood {
    /// In this `data_dir`, which is there; authenticated under `keys`.
    #[must_use]
    pub fn new(data_dir: &Path, keys: Arc<ServerKeys>) -> Self {
        Self { dir: data_dir.join("issuers"), keys }
    }
}
