//! What operators see. Code emits an event; this module decides metric, log line and audit record together.
//!
//! Two things hold whatever the level: no line or label has a token, password or query in it, and no number of
//! requests makes the number of time series grow beyond what the configuration allows.

mod access_log;
mod audit_log;
mod buckets;
mod cells;
mod connections;
mod diagnostics;
mod digits;
mod durations;
mod escape;
mod events;
mod following;
mod handles;
mod key_fetches;
mod labels;
mod line;
pub mod logging;
mod metrics;
pub mod names;
pub mod panics;
mod registry;
mod settings;
mod sink;
mod tally;

use std::cell::RefCell;

pub use connections::Connections;
pub use events::{Audit, Request};
pub use following::Following;
pub use handles::{IssuerLabel, RouteLabel};
pub use key_fetches::KeyFetches;
pub use labels::{CacheResult, ConnectionCap, Decision, GrantType, Listener, Method, Unserved};
pub use metrics::Metrics;
pub use settings::{Format, Level, Settings};
pub use sink::{Guard, Sink};
pub use tally::Held;

use crate::base::Timestamp;
use sink::Importance;

/// Where events go. One per process, shared; tests make their own over [`Sink::memory`].
#[derive(Debug)]
pub struct Telemetry {
    /// The numbers.
    pub metrics: Metrics,
    sink: Sink,
    format: Format,
    access_log: bool,
}

impl Telemetry {
    /// Lines go to `sink`; see [`logging::install`] for the process's own.
    #[must_use]
    pub fn new(sink: Sink, settings: &Settings) -> Self {
        Self { metrics: Metrics::new(&sink), sink, format: settings.format, access_log: settings.access_log }
    }

    /// A request is done: once for each, whatever became of it.
    pub fn request(&self, request: &Request<'_>) {
        self.metrics.request(request);
        if self.access_log {
            write_line(&self.sink, Importance::Routine, |out| {
                access_log::write(out, self.format, request);
            });
        }
    }

    /// Whether a record written now would be kept.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.sink.has_room()
    }

    /// Writes a record, and counts what belongs to it.
    ///
    /// Waits for nobody. If whoever reads the log lags megabytes behind, refusals are dropped and counted first, as anybody
    /// can make any number of them; who is about to issue asks [`Telemetry::has_room`], so that no token is without its record.
    pub fn audit(&self, now: Timestamp, audit: &Audit<'_>) {
        match *audit {
            Audit::Repeated { .. } => self.metrics.grace_replay(),
            Audit::Reused { .. } => self.metrics.reuse_detected(),
            Audit::Revoked { kind, .. } => self.metrics.revoked(kind),
            Audit::Reloaded { ok: true, .. } => self.metrics.configuration_loaded(now),
            Audit::Reloaded { ok: false, .. } => self.metrics.configuration_refused(),
            Audit::Issued { .. } | Audit::Refreshed { .. } | Audit::Refused { .. } => {}
        }
        write_line(&self.sink, audit_log::importance(audit), |out| {
            audit_log::write(out, self.format, now, audit);
        });
    }
}

/// Has `write` make a line in a buffer of this thread, and puts it into `sink`.
fn write_line(sink: &Sink, importance: Importance, write: impl FnOnce(&mut String)) {
    thread_local! {
        static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
    }
    let pushed = |buffer: &mut String| {
        buffer.clear();
        write(buffer);
        sink.push(importance, buffer);
    };
    BUFFER.with(|buffer| match buffer.try_borrow_mut() {
        Ok(mut buffer) => pushed(&mut buffer),
        // A panic while a line was being written, whose hook now writes another.
        Err(_) => pushed(&mut String::new()),
    });
}

#[cfg(test)]
mod tests;
