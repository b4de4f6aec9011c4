//! What outlives a reload.

use std::path::PathBuf;
use std::sync::Arc;

use crate::admin::Health;
use crate::base::{Clock, Secret};
use crate::issuers::Fetch;
use crate::keys::SigningKey;
use crate::revocation::Revocations;
use crate::telemetry::Telemetry;
use crate::users::SharedFailures;

/// The parts of a running doorward that a new configuration is built upon and does not replace.
#[derive(Clone, Debug)]
pub struct Core {
    /// Sessions and marks.
    pub revocations: Arc<Revocations>,
    /// Counts failed logins for all instances; `None` = this is the only one.
    pub failures: Option<Arc<dyn SharedFailures>>,
    /// This machine's time; the store's is [`Revocations::clock`].
    pub clock: Arc<dyn Clock>,
    /// Log and metrics.
    pub telemetry: Arc<Telemetry>,
    /// What the probes are told.
    pub health: Arc<Health>,
    /// The signing key in `data_dir`, for configurations that name none.
    pub generated_key: Option<Arc<SigningKey>>,
    /// The server key in `data_dir`, for configurations that name none and have no signing key to derive one from.
    pub generated_server_key: Option<Secret>,
    /// Where generated keys, the store and the last good keys of other issuers are: a reload cannot change it.
    pub data_dir: PathBuf,
    /// Fetches the keys of other issuers.
    pub fetch: Arc<dyn Fetch>,
    /// The issuer, where it follows from the address that was bound.
    pub issuer_from_listen: String,
    /// Whether the TCP listeners take TLS: a reload cannot change it.
    pub with_tls: bool,
    /// Whether the admin listener is a socket of this user alone, which asks for no token: a reload cannot change it.
    pub admin_is_private: bool,
    /// Processors.
    pub cores: usize,
}
