//! The keys that were fetched last, on disk, so that a start does not need the issuer.
//!
//! Who can write to the disk but knows no server key must not be able to make a key that is believed: each file is authenticated,
//! and what it says is believed only of the issuer and the source it was written for. An old file can be put back; that is what
//! `max_stale` bounds.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::KeySource;
use super::http::MAX_BYTES;
use crate::base::{Timestamp, base64url, json};
use crate::keys::ServerKeys;

/// Where the last good keys of issuers are kept: `issuers/` in `data_dir`.
#[derive(Debug)]
pub struct LastGood {
    dir: PathBuf,
    keys: Arc<ServerKeys>,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    issuer: String,
    /// Where the keys were fetched from: their address, or `discovery`.
    source: String,
    /// In milliseconds since 1970.
    fetched_at: i64,
    /// The JWK set, as it came.
    pub jwks: String,
    /// HMAC-SHA-256 over the members above.
    tag: String,
}

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no regular file")]
    NoFile,
    #[error("it is malformed")]
    Malformed,
    #[error("it is of another issuer or source")]
    Another,
    #[error("it was not written under one of the server keys")]
    NotAuthentic,
}

impl LastGood {
    /// In this `data_dir`, which is there; authenticated under `keys`.
    #[must_use]
    pub fn new(data_dir: &Path, keys: Arc<ServerKeys>) -> Self {
        Self { dir: data_dir.join("issuers"), keys }
    }

    /// The file for an issuer; its name is a hash, for an issuer's is no file's.
    pub(super) fn path(&self, issuer: &str) -> PathBuf {
        self.dir.join(format!("{}.json", hash_of(issuer)))
    }

    /// What was kept of this source; `Ok(None)` = nothing. Blocks on the disk.
    ///
    /// # Errors
    /// [`NotKept`], of a file that must not be believed.
    pub(super) fn load(&self, source: &KeySource) -> Result<Option<Kept>, NotKept> {
        let path = self.path(&source.issuer);
        // Looked at before it is opened: opening a FIFO waits for a writer, and the start with it.
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(NotKept::NoFile),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let file = File::open(path)?;
        let mut text = Vec::new();
        file.take(LONGEST_FILE).read_to_end(&mut text)?;
        let members = json::object(&text).map_err(|_| NotKept::Malformed)?;
        let kept = Kept::deserialize(members).map_err(|_| NotKept::Malformed)?;
        // First whether it is ours: until then nothing in it means anything.
        let tag = base64url::decode(&kept.tag).map_err(|_| NotKept::Malformed)?;
        if !self.keys.verifies_issuer_keys(&kept.message(), &tag) {
            return Err(NotKept::NotAuthentic);
        }
        if kept.issuer != source.issuer || kept.source != name_of(source) {
            return Err(NotKept::Another);
        }
        Ok(Some(kept))
    }

    /// Keeps a set: after this, or after a crash in the middle of it, the file is this one or the one before. Blocks on the disk.
    ///
    /// # Errors
    /// Of the disk, or for a set that is no text.
    pub(super) fn save(&self, source: &KeySource, jwks: &[u8], fetched_at: Timestamp) -> io::Result<()> {
        let jwks = std::str::from_utf8(jwks).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let (issuer, jwks, fetched_at) = (source.issuer.clone(), jwks.to_owned(), fetched_at.millis());
        let mut kept = Kept { issuer, source: name_of(source), fetched_at, jwks, tag: String::new() };
        kept.tag = base64url::encode(self.keys.tag_issuer_keys(&kept.message()));
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // One that was made by hand.
        fs::set_permissions(&self.dir, Permissions::from_mode(0o700))?;
        let mut file = tempfile::Builder::new()
            .prefix(&unfinished(&source.issuer))
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(&self.dir)?;
        serde_json::to_writer(&mut file, &kept)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(self.path(&source.issuer)).map_err(|error| error.error)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Removes what crashes have left unfinished of this issuer's. Those of others may be being written. Blocks on the disk.
    pub(super) fn tidy(&self, issuer: &str) {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let unfinished = unfinished(issuer);
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&unfinished)) {
            // It only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl Kept {
    pub fn fetched_at(&self) -> Timestamp {
        Timestamp::from_millis(self.fetched_at)
    }

    /// What is authenticated: each member behind its length, so that no byte can move from one to the next.
    fn message(&self) -> Vec<u8> {
        let time = self.fetched_at.to_be_bytes();
        let members = [self.issuer.as_bytes(), self.source.as_bytes(), &time, self.jwks.as_bytes()];
        members.iter().flat_map(|member| [&(member.len() as u64).to_be_bytes()[..], member].concat()).collect()
    }
}

fn name_of(source: &KeySource) -> String {
    source.jwks_url.as_ref().map_or_else(|| "discovery".to_owned(), ToString::to_string)
}

fn hash_of(issuer: &str) -> String {
    base64url::encode(digest(&SHA256, issuer.as_bytes()))
}

/// What the names of this issuer's files begin with while they are written.
fn unfinished(issuer: &str) -> String {
    format!(".unfinished-{}-", hash_of(issuer))
}

/// A set in which every byte is escaped, and the rest.
const LONGEST_FILE: u64 = 8 * MAX_BYTES as u64;

#[cfg(test)]
mod tests;
