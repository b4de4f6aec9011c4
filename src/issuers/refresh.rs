//! The task that keeps one issuer's keys current.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::fetch::{Document, FetchError, Fetched};
use super::report::Reports;
use super::schedule::Schedule;
use super::{KeySource, LastGood, Status, Surroundings};
use crate::base::{Timestamp, entropy};
use crate::keys::{JwkSet, KeySet, LiveKeys};

/// What the task and the requests share.
#[derive(Debug)]
pub(super) struct State {
    pub source: KeySource,
    pub live: Arc<LiveKeys>,
    pub schedule: Mutex<Schedule>,
    /// How many attempts have ended.
    pub finished: watch::Sender<u64>,
    pub last_good: ArcSwapOption<LastGood>,
    known: Mutex<Known>,
}

/// What is known of the keys beside themselves.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The set as it came, for another configuration to read.
    text: Arc<[u8]>,
    last_success: Option<Timestamp>,
    problem: Option<FetchError>,
}

impl State {
    pub fn new(source: KeySource) -> Self {
        // So that keys are not too old before they are fetched again.
        let schedule = Schedule::new(Instant::now(), source.max_stale / 2);
        Self {
            source,
            live: Arc::new(LiveKeys::new(KeySet::unavailable())),
            schedule: Mutex::new(schedule),
            finished: watch::Sender::new(0),
            last_good: ArcSwapOption::empty(),
            known: Mutex::default(),
        }
    }

    pub fn like(source: KeySource, before: &Self) -> Self {
        let state = Self::new(source);
        let known = before.known.lock().clone();
        if let (true, Ok(set)) = (before.live.now().is_available(), read(&known.text, &state.source)) {
            state.live.replace(set.into());
            *state.known.lock() = Known { problem: None, ..known };
        }
        state
    }

    pub fn has(&self, kid: &str) -> bool {
        self.live.now().keys().iter().any(|key| key.kid() == kid)
    }

    pub fn status(&self, now: Timestamp) -> Status {
        let known = self.known.lock();
        Status {
            available: self.live.now().is_available(),
            last_success: known.last_success,
            age: known.last_success.map(|at| now.since(at)),
            problem: known.problem.as_ref().map(ToString::to_string),
        }
    }

    /// Keys that are too old are none: who keeps the issuer from being reached must not keep a withdrawn key alive for ever.
    fn forget_if_stale(&self, now: Timestamp, reports: &Reports) {
        let stale = self.known.lock().last_success.is_some_and(|at| self.is_stale(at, now));
        if stale && self.live.replace(KeySet::unavailable()) {
            reports.too_old();
        }
    }

    fn is_stale(&self, fetched_at: Timestamp, now: Timestamp) -> bool {
        // One of the future says nothing of its age: the clock is wrong now, or was then.
        now.since(fetched_at) >= self.source.max_stale || fetched_at.since(now) > CLOCKS_DIFFER
    }

    /// When the keys are too old; far away, if there are none.
    fn until_stale(&self, now: Timestamp) -> Duration {
        let fetched_at = self.known.lock().last_success.filter(|_| self.live.now().is_available());
        fetched_at.map_or(FAR, |at| at.plus(self.source.max_stale).since(now)).min(FAR)
    }
}

/// Takes keys that were kept on disk, unless there are some or those are too old.
pub(super) async fn recall(state: &Arc<State>, around: &Surroundings) {
    let Some(last_good) = &around.last_good else { return };
    if state.live.now().is_available() {
        return;
    }
    let (last_good, known) = (Arc::clone(last_good), Arc::clone(state));
    let loaded = tokio::task::spawn_blocking(move || {
        last_good.tidy(&known.source.issuer);
        last_good.load(&known.source)
    });
    let issuer = &state.source.issuer;
    let kept = match loaded.await {
        Ok(Ok(Some(kept))) => kept,
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(why)) => {
            tracing::warn!(issuer, %why, "the kept keys of an issuer are ignored");
            return;
        }
    };
    let now = around.clock.now();
    if state.is_stale(kept.fetched_at(), now) {
        tracing::warn!(issuer, "the kept keys of an issuer are ignored: they are too old");
        return;
    }
    match read(kept.jwks.as_bytes(), &state.source) {
        Ok(set) => {
            state.live.replace(set.into());
            let (text, last_success) = (kept.jwks.as_bytes().into(), Some(kept.fetched_at()));
            *state.known.lock() = Known { text, last_success, problem: None };
            tracing::info!(issuer, age = ?now.since(kept.fetched_at()), "the kept keys of an issuer serve until they are fetched");
        }
        Err(why) => tracing::warn!(issuer, %why, "the kept keys of an issuer are ignored"),
    }
}

/// Fetches again and again, until nobody uses the keys any more.
pub(super) async fn run(state: Arc<State>, mut woken: mpsc::Receiver<()>, around: Surroundings) {
    let mut reports = Reports::new(&state.source.issuer, Arc::clone(&around.telemetry));
    let mut keeping: Option<JoinHandle<()>> = None;
    loop {
        let now = around.clock.now();
        state.forget_if_stale(now, &reports);
        let next = state.schedule.lock().next();
        tokio::select! {
            () = sleep_until(next.min(Instant::now() + state.until_stale(now))) => {}
            more = woken.recv() => if more.is_none() {
                return;
            },
        }
        if state.schedule.lock().begin(Instant::now()) {
            let outcome = attempt(&state, &around).await;
            let text = take(&state, outcome, &around, &mut reports);
            state.finished.send_modify(|count| *count += 1);
            // Not waited for: a disk that hangs must not keep withdrawn keys, or those that are too old, alive.
            if let Some(text) = text
                && keeping.as_ref().is_none_or(JoinHandle::is_finished)
            {
                keeping = Some(tokio::spawn(keep(Arc::clone(&state), text, around.clock.now())));
            }
        }
    }
}

/// One fetch, in a task of its own: if it panics, the next one is as good as this one.
async fn attempt(state: &Arc<State>, around: &Surroundings) -> Result<(Fetched, JwkSet), FetchError> {
    let (shared, fetch) = (Arc::clone(state), Arc::clone(&around.fetch));
    let fetched = tokio::spawn(async move {
        let fetched = timeout(DEADLINE, fetch.fetch(&shared.source)).await.map_err(|_| FetchError::TimedOut)??;
        let set = read(&fetched.text, &shared.source)?;
        Ok((fetched, set))
    });
    fetched.await.unwrap_or(Err(FetchError::Panicked))
}

/// Puts what was fetched in the place of what was there. The text, if it is to be kept.
fn take(
    state: &State,
    outcome: Result<(Fetched, JwkSet), FetchError>,
    around: &Surroundings,
    reports: &mut Reports,
) -> Option<Arc<[u8]>> {
    let [jitter] = entropy::random();
    let now = Instant::now();
    match outcome {
        Ok((fetched, set)) => {
            let (before, left_out) = (Arc::clone(&state.live.now()), set.left_out.clone());
            // It replaces: a key that is not in it any more was withdrawn.
            let changed = state.live.replace(set.into());
            let text: Arc<[u8]> = fetched.text.into();
            *state.known.lock() =
                Known { text: Arc::clone(&text), last_success: Some(around.clock.now()), problem: None };
            state.schedule.lock().succeeded(fetched.fresh_for, changed, now, jitter);
            reports.fetched(&before, &state.live.now(), &left_out);
            Some(text)
        }
        Err(error) => {
            let available = state.live.now().is_available();
            state.schedule.lock().failed(available, now, jitter);
            reports.failed(&error, available, now);
            state.known.lock().problem = Some(error);
            None
        }
    }
}

/// A set that could refuse everybody is none.
fn read(text: &[u8], source: &KeySource) -> Result<JwkSet, FetchError> {
    let set = JwkSet::parse(text, &source.algorithms).map_err(|_| FetchError::Malformed(Document::Keys))?;
    if set.keys.is_empty() { Err(FetchError::NoUsableKey) } else { Ok(set) }
}

async fn keep(state: Arc<State>, text: Arc<[u8]>, now: Timestamp) {
    let (Some(last_good), shared) = (state.last_good.load_full(), Arc::clone(&state)) else { return };
    let saved = tokio::task::spawn_blocking(move || last_good.save(&shared.source, &text, now)).await;
    if let Ok(Err(error)) = saved {
        tracing::warn!(issuer = state.source.issuer, %error, "the keys of an issuer cannot be kept: a restart will need it");
    }
}

/// For all of a fetch: names, connections, TLS, metadata and keys.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// How far the clocks of two runs may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The system's clock may be set while the other one sleeps; it is looked at this often.
const FAR: Duration = Duration::from_secs(60);
