//! `doorward serve`.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::exit::Failure;
use super::{environment, output};
use crate::app::serve::Parts;
use crate::app::signals::{Asked, Signals};
use crate::app::{Running, StartError};
use crate::config::{self, Listen, Loaded};
use crate::telemetry::{Telemetry, logging, panics};

pub(super) fn run(path: &Path) -> Result<ExitCode, Failure> {
    let loaded = config::load(path, &environment).map_err(Failure::Configuration)?;
    let (sink, _flushed_at_the_end) = logging::install(&loaded.settings.telemetry).map_err(Failure::internal)?;
    let telemetry = Arc::new(Telemetry::new(sink, &loaded.settings.telemetry));
    panics::install();
    let runtime = runtime(loaded.settings.server.threads)?;
    let parts = Parts::new(path.to_owned(), Box::new(environment), telemetry);
    let code = runtime.block_on(serve(loaded, parts))?;
    // What is still running now was given up: a request over its deadline, or all of them at SIGINT.
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(code)
}

/// With so many threads; `None` = as many as cores.
pub(super) fn runtime(threads: Option<NonZeroUsize>) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    builder.enable_all().thread_name("doorward").build().map_err(Failure::internal)
}

async fn serve(loaded: Loaded, parts: Parts) -> Result<ExitCode, Failure> {
    // First of all: as PID 1 a signal that nobody takes is lost.
    let mut signals = Signals::take().map_err(Failure::internal)?;
    for warning in &loaded.warnings {
        tracing::warn!(problem = warning.line(), help = warning.help, "configuration");
    }
    if config::logs_in(&loaded.settings) {
        let help = "an issuer in `trusted_issuers` can log users in without anybody else seeing their passwords";
        tracing::warn!(help, "the password grant is on, which RFC 9700 §2.4 advises against");
    }
    let started = Running::start(loaded, parts).await;
    let mut running = started.map_err(|error| match error {
        StartError::Store(_) => Failure::internal(error),
        _ => Failure::usage(error),
    })?;
    announce(&running);
    loop {
        match signals.next().await {
            Asked::Reload => {
                let reloader = Arc::clone(&running.reloader);
                let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
            }
            Asked::Stop => {
                tracing::info!("stopping at once");
                running.close().await;
                return Ok(ExitCode::SUCCESS);
            }
            Asked::Drain => break,
        }
    }
    // While it drains a second signal stops at once.
    tokio::select! {
        left = running.drain() => {
            if left > 0 {
                tracing::warn!(left, "requests were not finished in time");
            }
            tracing::info!("stopped");
        }
        () = stop_asked(&mut signals) => tracing::info!("stopping at once"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn stop_asked(signals: &mut Signals) {
    while signals.next().await == Asked::Reload {}
}

/// The one line that says where.
fn announce(running: &Running) {
    let public: Vec<String> = running.bound.public.iter().map(Listen::to_string).collect();
    let public = public.join(",");
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!(%public, admin = %running.bound.admin, "listening");
    } else {
        // With port 0 nobody would know the port otherwise, however little is to be logged.
        output::line(format_args!("listening public={public} admin={}", running.bound.admin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_as_many_as_asked_for() {
        for threads in [1, 3] {
            let runtime = runtime(NonZeroUsize::new(threads)).ok().unwrap();
            assert_eq!(runtime.metrics().num_workers(), threads);
        }
    }
}
