//! What it takes to carry sessions from one store to another, without a doorward that serves.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::data_dir::{self, DataDirError};
use super::identity::issuer_at;
use super::serve::STORE_FILE;
use crate::config::{Listen, Settings, StoreKind};
use crate::keys::{KeyRing, ServerKeys, SigningKey};
use crate::revocation::redis::LayoutError;
use crate::revocation::transfer::Origin;
use crate::revocation::{EmbeddedStore, OpenError, RedisSettings, RedisStore, Store};

/// Why a store cannot be carried from or to.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It is lost when doorward stops.
    #[error("`store: memory` keeps nothing: there is nothing to export from it, and nothing to import into it")]
    Memory,
    /// There is no file.
    #[error("there is no store at `{}`: is this the configuration that doorward ran with?", .0.display())]
    Missing(PathBuf),
    /// It is Redis, whose data is there for all.
    #[error(
        "`store.redis` is not exported: give other doorwards the same `store.redis`, or copy it with the tools of Redis"
    )]
    NotEmbedded,
    /// `data_dir` cannot be looked at.
    #[error("`{}`: {error}; `data_dir` must be a directory that this user can read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `data_dir` cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The file cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Redis is laid out in another way, or does not answer.
    #[error("`store.redis`: {0}")]
    Layout(#[from] LayoutError),
    /// `rediss://` asks for a certificate, and nobody's could be taken.
    #[error("`store.redis`: the operating system trusts nobody, so no certificate could be: name a `ca_file`")]
    NobodyTrusted,
    /// The port, and so the issuer, is another at each start.
    #[error("`tokens.issuer` follows from a port that is another at each start: give it")]
    NoIssuer,
    /// Nothing was ever issued by this configuration.
    #[error(
        "`tokens.keys` names no key, and there is none in `data_dir`: name the source's, its `signing-key.pem` if it was generated"
    )]
    NoKey,
}

/// What the tokens follow from that a doorward with these settings would take.
///
/// # Errors
/// [`TransferError`] if that is not known without a start.
pub fn origin(settings: &Settings) -> Result<Origin, TransferError> {
    if !settings.issues {
        return Ok(Origin::default());
    }
    let generated = if settings.keys.is_empty() { data_dir::existing_key(&settings.data_dir)? } else { None };
    let signing: Vec<Arc<SigningKey>> = settings.keys.iter().cloned().chain(generated).collect();
    let server_keys = if settings.server_keys.is_empty() {
        ServerKeys::new(signing.iter().map(|key| key.server_secret()))
    } else {
        ServerKeys::new(&settings.server_keys)
    };
    let server_keys = server_keys.ok_or(TransferError::NoKey)?;
    let ring = KeyRing::new(signing).ok_or(TransferError::NoKey)?;
    Ok(Origin {
        issuer: issuer(settings)?,
        server_keys: server_keys.fingerprints().collect(),
        signing_keys: ring.verifying().map(|key| key.kid().to_owned()).collect(),
    })
}

fn issuer(settings: &Settings) -> Result<String, TransferError> {
    if !settings.issuer_from_listen {
        return Ok(settings.grants.issuer.clone());
    }
    let listen = &settings.server.listen;
    let is_open = listen.iter().any(|listen| matches!(listen, Listen::Tcp(address) if address.port() == 0));
    if is_open { Err(TransferError::NoIssuer) } else { Ok(issuer_at(listen, settings.server.tls.is_some())) }
}

/// The store to export from. [`OpenError::InUse`] if a doorward has it, which must be asked then.
///
/// # Errors
/// [`TransferError`]; nothing is made that is not there.
pub fn source(settings: &Settings) -> Result<EmbeddedStore, TransferError> {
    match settings.store {
        StoreKind::Memory => return Err(TransferError::Memory),
        StoreKind::Redis(_) => return Err(TransferError::NotEmbedded),
        StoreKind::Embedded => {}
    }
    let path = settings.data_dir.join(STORE_FILE);
    match path.try_exists() {
        Ok(true) => Ok(EmbeddedStore::open(&path)?),
        Ok(false) => Err(TransferError::Missing(path)),
        Err(error) => Err(TransferError::Io { path, error }),
    }
}

/// The store to import into, made if it is a file.
///
/// # Errors
/// [`TransferError`].
pub async fn target(settings: &Settings) -> Result<Arc<dyn Store>, TransferError> {
    match &settings.store {
        StoreKind::Memory => Err(TransferError::Memory),
        StoreKind::Embedded => {
            data_dir::create(&settings.data_dir)?;
            Ok(Arc::new(EmbeddedStore::open(&settings.data_dir.join(STORE_FILE))?))
        }
        StoreKind::Redis(redis) => {
            let store = RedisStore::new(RedisSettings::clone(redis)).ok_or(TransferError::NobodyTrusted)?;
            store.check_layout().await?;
            Ok(Arc::new(store))
        }
    }
}
