//! What the probes are told.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::issuers::{Issuers, Status};
use crate::revocation::{OnStoreFailure, Revocations, Staleness};
use crate::users::postgres;

/// The state of the process, as far as probes ask for it.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    draining: Arc<AtomicBool>,
    reload_problem: ArcSwapOption<String>,
    issuers: ArcSwap<Issuers>,
    /// Whether only tokens of the issuers pass: doorward issues none.
    pure: AtomicBool,
    users: ArcSwapOption<postgres::Status>,
    revocations: ArcSwapOption<Revocations>,
    store_problem: ArcSwapOption<String>,
    /// Whether some routes ask for no token.
    open: AtomicBool,
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

    /// Why a shared store cannot be followed; `None` if it is.
    pub fn set_store_problem(&self, problem: Option<String>) {
        self.store_problem.store(problem.map(Arc::new));
    }

    /// Whose keys are fetched from now on, and whether `pure`: there are no tokens but theirs.
    pub fn set_issuers(&self, issuers: Arc<Issuers>, pure: bool) {
        self.issuers.store(issuers);
        self.pure.store(pure, Ordering::Release);
    }

    /// How the users' database is; `None` = there is none.
    pub fn set_users(&self, status: Option<Arc<postgres::Status>>) {
        self.users.store(status);
    }

    /// What is known of revocations, and how long ago it was all there was.
    pub fn set_revocations(&self, revocations: Arc<Revocations>) {
        self.revocations.store(Some(revocations));
    }

    /// Whether some routes ask for no token, and so serve whatever is down.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
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

    /// Whether requests should be sent here. An issuer that is down takes no replica out of service, unless there is nobody whose
    /// tokens could be checked: doorward issues none, and of no issuer there are keys. Nor does a store that is down, until nobody can tell
    /// of any token whether it was revoked, and there are no routes that ask for none. One that has not begun to know revocations has not started.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_started()
            && !self.draining.load(Ordering::Acquire)
            && !self.is_without_keys()
            && !self.staleness().is_some_and(|staleness| self.refuses_all(&staleness))
    }

    fn staleness(&self) -> Option<Staleness> {
        self.revocations.load().as_ref()?.staleness()
    }

    fn refuses_all(&self, staleness: &Staleness) -> bool {
        let nothing_passes = staleness.too_old && matches!(staleness.then, OnStoreFailure::Deny);
        nothing_passes && (staleness.age.is_none() || !self.open.load(Ordering::Acquire))
    }

    fn is_without_keys(&self) -> bool {
        let issuers = self.issuers.load();
        self.pure.load(Ordering::Acquire) && !issuers.iter().any(|keys| keys.live().now().is_available())
    }

    /// What `/readyz` says. A broken reload leaves the old configuration serving, marks are in memory while the store is down, the
    /// last keys of an issuer serve while it is, and tokens pass while nobody can log in: these degrade and do not fail. So does a view of
    /// the marks that is too old, if tokens are to pass all the same.
    #[must_use]
    pub fn ready_text(&self, store_up: bool, verbose: bool) -> String {
        let (problem, issuers) = (self.reload_problem.load_full(), self.issuers.load());
        let (draining, statuses) = (self.draining.load(Ordering::Acquire), issuers.statuses());
        let degraded = statuses.iter().filter(|(_, status)| status.is_degraded());
        let mut reasons: Vec<String> = degraded.map(|(issuer, _)| format!("issuer {}", line(issuer))).collect();
        let staleness = self.staleness();
        let too_old = staleness.as_ref().is_some_and(|staleness| staleness.too_old);
        reasons.splice(..0, too_old.then(|| "revocations".to_owned()));
        let sealed = self.revocations.load().as_ref().is_some_and(|revocations| revocations.is_sealed());
        reasons.splice(..0, (!store_up).then(|| "store".to_owned()));
        reasons.extend(sealed.then(|| "store sealed".to_owned()));
        let users = self.users.load_full().map(|status| status.problem());
        reasons.extend(matches!(users, Some(Some(_))).then(|| "users".to_owned()));
        reasons.extend(problem.is_some().then(|| "configuration".to_owned()));
        let mut text = if !self.is_started() {
            "not started\n".to_owned()
        } else if draining {
            "draining\n".to_owned()
        } else if self.is_without_keys() {
            format!("no keys: {}\n", reasons.join(", "))
        } else if staleness.as_ref().is_some_and(|staleness| self.refuses_all(staleness)) {
            format!("too old: {}\n", reasons.join(", "))
        } else if reasons.is_empty() {
            "ok\n".to_owned()
        } else {
            format!("degraded: {}\n", reasons.join(", "))
        };
        if verbose {
            let _ = writeln!(text, "{} started", mark(self.is_started()));
            let _ = writeln!(text, "{} not draining", mark(!draining));
            let cause = self.store_problem.load_full().filter(|_| !store_up);
            let cause = cause.map(|cause| format!(": {}", line(&cause))).unwrap_or_default();
            let _ = writeln!(text, "{} store{cause}", mark(store_up));
            if sealed {
                text.push_str("[-] store sealed: it was exported, and takes no writes\n");
            }
            if let Some(staleness) = staleness {
                text.push_str(&staleness_line(&staleness));
            }
            for (issuer, status) in statuses {
                text.push_str(&issuer_line(issuer, &status));
            }
            if let Some(problem) = users {
                let detail = problem.as_ref().map(|problem| format!(": {}", line(problem))).unwrap_or_default();
                let _ = writeln!(text, "{} users{detail}", mark(problem.is_none()));
            }
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

fn staleness_line(staleness: &Staleness) -> String {
    let age = staleness.age.map_or_else(
        || "not known yet".to_owned(),
        |age| format!("as of {}.{} s ago", age.as_secs(), age.subsec_millis() / 100),
    );
    format!("{} revocations: {age}\n", mark(!staleness.too_old))
}

fn issuer_line(issuer: &str, status: &Status) -> String {
    let age = match (status.available, status.age) {
        (true, Some(age)) => format!("keys of {} s ago", age.as_secs()),
        (false, Some(_)) => "the last keys are too old".to_owned(),
        (_, None) => "no keys yet".to_owned(),
    };
    let problem = status.problem.as_ref().map(|problem| format!("; {}", line(problem))).unwrap_or_default();
    format!("{} issuer {}: {age}{problem}\n", mark(!status.is_degraded()), line(issuer))
}

const fn mark(good: bool) -> &'static str {
    if good { "[+]" } else { "[-]" }
}

/// Nothing in it ends a line.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
