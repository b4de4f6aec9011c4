//! The process's log: one writer on stdout for access lines, audit records and diagnostics.

use std::io;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use super::diagnostics::Diagnostics;
use super::settings::{Level, Settings};
use super::sink::{Guard, Sink};
use crate::base::{Clock, SystemClock};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Only one log per process.
    #[error("logging is already installed")]
    AlreadyInstalled,
    /// The writing thread did not start.
    #[error("cannot start the log's thread: {0}")]
    Thread(#[from] io::Error),
}

/// Has everything logged to stdout until the guard is dropped. Once per process.
///
/// # Errors
/// If logging is installed already, or there can be no thread for it.
pub fn install(settings: &Settings) -> Result<(Sink, Guard), InstallError> {
    let (sink, guard) = Sink::to(io::stdout())?;
    install_to(sink.clone(), settings)?;
    Ok((sink, guard))
}

/// [`install`], with the diagnostics going to `sink`.
///
/// # Errors
/// [`InstallError::AlreadyInstalled`].
pub fn install_to(sink: Sink, settings: &Settings) -> Result<(), InstallError> {
    subscriber(sink, settings, Arc::new(SystemClock)).try_init().map_err(|_| InstallError::AlreadyInstalled)
}

pub(super) fn subscriber(
    sink: Sink,
    settings: &Settings,
    clock: Arc<dyn Clock>,
) -> impl tracing::Subscriber + Send + Sync + 'static {
    let diagnostics = Diagnostics::new(sink, settings.format, clock);
    Registry::default().with(diagnostics.with_filter(filter(settings.log)))
}

/// What may be said, by whom.
///
/// Nobody but doorward and the parts of Pingora named here says anything at any level. Pingora quotes what it was sent:
/// up to 2 KiB of a malformed head, tokens included (`apps`), whole heads at debug (`protocols::http`), paths with
/// their query (`pingora_proxy`), `Content-Length` and `Accept-Encoding` as they came (`protocols::http`). hyper, h2 and
/// rustls show frames and handshakes below info. A target that is new in an update is silent until somebody has read it.
pub(super) fn filter(log: Level) -> Targets {
    let cap = LevelFilter::WARN.min(level_filter(log));
    Targets::new()
        .with_default(LevelFilter::OFF)
        .with_target("doorward", level_filter(log))
        .with_targets(SAFE_TARGETS.map(|target| (target, cap)))
}

const fn level_filter(level: Level) -> LevelFilter {
    match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    }
}

/// Targets whose warnings and errors were read, in 0.9.1, and have nothing in them that a client sent: addresses,
/// file descriptors, counts, and errors of the operating system and of TLS.
const SAFE_TARGETS: [&str; 7] = [
    "pingora_core::connectors",
    "pingora_core::listeners",
    "pingora_core::protocols::l4",
    "pingora_core::protocols::tls",
    "pingora_core::server",
    "pingora_core::services",
    "pingora_pool",
];
