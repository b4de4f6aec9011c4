//! The keys of one issuer, as requests see them.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::refresh::{self, State};
use super::schedule::PATIENCE;
use super::{KeySource, Status, Surroundings};
use crate::base::Timestamp;
use crate::keys::LiveKeys;

/// The keys of one issuer, and how fetching them goes. They are fetched until the last of these is dropped.
#[derive(Debug)]
pub struct IssuerKeys {
    state: Arc<State>,
    /// Wakes the task that fetches, and ends it when it is dropped; empty before [`IssuerKeys::begin`].
    wake: OnceLock<mpsc::Sender<()>>,
}

impl IssuerKeys {
    /// Keys that were not fetched yet.
    #[must_use]
    pub fn new(source: KeySource) -> Self {
        Self { state: Arc::new(State::new(source)), wake: OnceLock::new() }
    }

    /// Keys of the same place as those of `before`, under other terms: what was fetched need not be fetched again.
    pub(super) fn like(source: KeySource, before: &Self) -> Self {
        Self { state: Arc::new(State::like(source, &before.state)), wake: OnceLock::new() }
    }

    /// Whose they are, and where from.
    #[must_use]
    pub fn source(&self) -> &KeySource {
        &self.state.source
    }

    /// Whose keys: `iss`, byte for byte.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.state.source.issuer
    }

    /// What the verifier reads.
    #[must_use]
    pub fn live(&self) -> &Arc<LiveKeys> {
        &self.state.live
    }

    /// Whether a key id nobody has may be one that could not be learnt: the last fetch failed, or one hangs.
    #[must_use]
    pub fn last_fetch_failed(&self) -> bool {
        self.state.schedule.lock().is_failing(Instant::now())
    }

    /// How they stand.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        self.state.status(now)
    }

    /// That a token named a key id which is not among the keys: has them fetched anew if that is due, and waits for it, a second
    /// at the most and together with all who ask. Whether looking again may end otherwise: there are other keys, or none could
    /// be learnt.
    pub async fn want(&self, kid: Option<&str>) -> bool {
        let state = &self.state;
        if kid.is_some_and(|kid| state.has(kid)) {
            return true;
        }
        let Some(wake) = self.wake.get() else { return false };
        let (before, mut finished) = (Arc::clone(&state.live.now()), state.finished.subscribe());
        let Some(until) = state.schedule.lock().want(kid, Instant::now()) else {
            // An attempt may have ended since it was looked for, and it is the reason why another one is not due.
            return kid.is_some_and(|kid| state.has(kid));
        };
        // Full = it is being woken already.
        let _ = wake.try_send(());
        let ended = timeout_at(until, finished.changed()).await.is_ok();
        if !Arc::ptr_eq(&before, &state.live.now()) || self.last_fetch_failed() {
            return true;
        }
        if ended {
            state.schedule.lock().not_found(kid, Instant::now());
        }
        false
    }

    /// Has the keys fetched from now on; those that are known by then stay. Does nothing the second time but to take what is new
    /// of the surroundings.
    pub(super) async fn begin(&self, around: &Surroundings) {
        self.state.last_good.store(around.last_good.clone());
        let (wake, woken) = mpsc::channel(1);
        if self.wake.set(wake).is_err() {
            return;
        }
        refresh::recall(&self.state, around).await;
        tokio::spawn(refresh::run(Arc::clone(&self.state), woken, around.clone()));
    }

    /// Waits until there are keys, or getting them failed; a second at the most.
    pub(super) async fn first(&self) {
        let mut finished = self.state.finished.subscribe();
        let ended = |count: &u64| *count > 0 || self.state.live.now().is_available();
        // Not in time is no error: requests are answered 503 until there are some.
        let _ = timeout_at(Instant::now() + PATIENCE, finished.wait_for(ended)).await;
    }
}
