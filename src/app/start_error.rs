//! Why doorward did not start.

use super::build::BuildError;
use super::data_dir::DataDirError;
use super::listen::BindError;
use crate::connection::tls::TlsError;
use crate::revocation::redis::LayoutError;
use crate::revocation::{OpenError, StoreError};

/// Why doorward did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken or not ours.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// `data_dir` cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The store's file cannot be used: never replaced by an empty one, which would forget every revocation.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The marks cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in Redis is laid out in another way, or it does not answer.
    #[error("`store.redis`: {0}")]
    Layout(#[from] LayoutError),
    /// `rediss://` asks for a certificate, and nobody's could be taken.
    #[error("`store.redis`: the operating system trusts nobody, so no certificate could be: name a `ca_file`")]
    NobodyTrusted,
    /// The certificates of `server.tls` cannot serve; the configuration would have said so.
    #[error("`server.tls`: {0}")]
    Tls(#[from] TlsError),
    /// The settings lack something.
    #[error(transparent)]
    Build(#[from] BuildError),
}
