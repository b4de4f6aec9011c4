//! What outlives a reload.

use std::sync::Arc;

use crate::admin::Health;
use crate::base::Clock;
use crate::keys::SigningKey;
use crate::revocation::Revocations;
use crate::telemetry::Telemetry;

/// The parts of a running doorward that a new configuration is built upon and does not replace.
#[derive(Clone, Debug)]
pub struct Core {
    /// Sessions and marks.
    pub revocations: Arc<Revocations>,
    /// The store's time.
    pub clock: Arc<dyn Clock>,
    /// Log and metrics.
    pub telemetry: Arc<Telemetry>,
    /// What the probes are told.
    pub health: Arc<Health>,
    /// The key in `data_dir`, for configurations that name none.
    pub generated_key: Option<Arc<SigningKey>>,
    /// The issuer, where it follows from the address that was bound.
    pub issuer_from_listen: String,
    /// Whether the TCP listeners take TLS: a reload cannot change it.
    pub with_tls: bool,
    /// Processors.
    pub cores: usize,
}
