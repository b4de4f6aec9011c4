//! What the probes are told.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::issuers::Issuers;

/// The state of the process, as far as probes ask for it.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    draining: Arc<AtomicBool>,
    reload_problem: ArcSwapOption<String>,
    issuers: ArcSwap<Issuers>,
    /// Whether only tokens of the issuers pass: doorward issues none.
    pure: AtomicBool,
}

impl Health {
    /// From now on requests are served.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// From now on no new requests should come.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether no new requests should come; shared with the proxy.
    #[must_use]
    pub fn draining(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.draining)
    }

    /// What was wrong with the last reload, one line; `None` if nothing was.
    pub fn set_reload_problem(&self, problem: Option<String>) {
        self.reload_problem.store(problem.map(Arc::new));
    }

    /// Whose keys are fetched from now on, and whether `pure`: there are no tokens but theirs.
    pub fn set_issuers(&self, issuers: Arc<Issuers>, pure: bool) {
        self.issuers.store(issuers);
        self.pure.store(pure, Ordering::Release);
    }

    /// Whose keys are fetched.
    #[must_use]
    pub fn issuers(&self) -> Arc<Issuers> {
        self.issuers.load_full()
    }

    /// Whether it started: never depends on the upstream, which may wait for this.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Whether requests should be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_started() && !self.draining.load(Ordering::Acquire)
    }

    /// What `/readyz` says. A broken reload leaves the old configuration serving, and marks are in memory while the store is
    /// down, so these degrade and do not fail.
    #[must_use]
    pub fn ready_text(&self, store_up: bool, verbose: bool) -> String {
        let problem = self.reload_problem.load_full();
        let draining = self.draining.load(Ordering::Acquire);
        let mut text = match (self.is_started(), draining, store_up, &problem) {
            (false, ..) => "not started\n".to_owned(),
            (_, true, ..) => "draining\n".to_owned(),
            (_, _, false, None) => "degraded: store\n".to_owned(),
            (_, _, false, Some(_)) => "degraded: store, configuration\n".to_owned(),
            (_, _, _, Some(_)) => "degraded: configuration\n".to_owned(),
            _ => "ok\n".to_owned(),
        };
        if verbose {
            let mark = |good| if good { "[+]" } else { "[-]" };
            let _ = writeln!(text, "{} started", mark(self.is_started()));
            let _ = writeln!(text, "{} not draining", mark(!draining));
            let _ = writeln!(text, "{} store", mark(store_up));
            match problem {
                None => text.push_str("[+] configuration\n"),
                Some(problem) => {
                    let _ = writeln!(
                        text,
                        "[-] configuration: the last reload was refused, the one before serves: {problem}"
                    );
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_the_life_of_the_process() {
        let health = Health::default();
        assert!(!health.is_ready());
        assert_eq!(health.ready_text(true, false), "not started\n");
        health.started();
        assert!(health.is_ready());
        assert_eq!(health.ready_text(true, false), "ok\n");
        health.set_reload_problem(Some("doorward.yaml:3:1: unknown-key: `x`".to_owned()));
        assert!(health.is_ready(), "the old configuration serves");
        assert_eq!(health.ready_text(true, false), "degraded: configuration\n");
        assert!(health.ready_text(true, true).contains("doorward.yaml:3:1"));
        health.set_reload_problem(None);
        assert!(health.is_ready());
        assert_eq!(health.ready_text(false, false), "degraded: store\n");
        health.drain();
        assert!(!health.is_ready());
        assert_eq!(
            health.ready_text(true, true),
            "draining\n[+] started\n[-] not draining\n[+] store\n[+] configuration\n"
        );
    }
}
