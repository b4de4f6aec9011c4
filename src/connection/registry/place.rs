//! A connection's place, and whether it may be taken away.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::Registry;

/// Microseconds since the registry was made; 48 bits hold nine years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticks(u64);

impl From<Duration> for Ticks {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX) & SINCE)
    }
}

/// A connection as others see it.
#[derive(Debug)]
pub(super) struct Entry {
    /// From the top: whether it gave way, how many requests it has in flight, and since when it has none.
    state: AtomicU64,
    waits: Mutex<Option<Waker>>,
}

const GONE: u64 = 1 << 63;
const REQUEST: u64 = 1 << 48;
const SINCE: u64 = REQUEST - 1;

impl Entry {
    pub(super) fn idle_since(now: Ticks) -> Self {
        Self { state: AtomicU64::new(now.0), waits: Mutex::default() }
    }

    /// `None` if it has a request in flight, or gave way already.
    pub(super) fn is_idle_since(&self) -> Option<Ticks> {
        let state = self.state.load(Ordering::Acquire);
        (state <= SINCE).then_some(Ticks(state))
    }

    /// Has it give way if it has been idle since then. From this moment none of its requests begins.
    pub(super) fn displace(&self, since: Ticks) -> bool {
        self.state.compare_exchange(since.0, GONE, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(super) fn close(&self) {
        self.state.store(GONE, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        // It stays: whoever is woken while it runs runs once more.
        if let Some(waker) = &*self.waits.lock() {
            waker.wake_by_ref();
        }
    }

    fn is_gone(&self) -> bool {
        self.state.load(Ordering::Acquire) & GONE != 0
    }

    fn wait(&self, context: &Context<'_>) {
        let mut waits = self.waits.lock();
        if !waits.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waits = Some(context.waker().clone());
        }
    }
}

/// A place in the registry. Free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    entry: Arc<Entry>,
    slot: usize,
}

impl Place {
    pub(super) fn new(registry: Arc<Registry>, entry: Arc<Entry>, slot: usize) -> Self {
        Self { registry, entry, slot }
    }

    /// A request is in flight from now until what this gives is dropped; `None` if the connection gave way, and then nothing
    /// of the request must be forwarded.
    pub fn begin(&self) -> Option<InFlight<&Self>> {
        self.count().then_some(InFlight(self))
    }

    /// [`Place::begin`], for what outlives the borrow.
    pub fn begin_shared(this: &Arc<Self>) -> Option<InFlight<Arc<Self>>> {
        this.count().then(|| InFlight(Arc::clone(this)))
    }

    fn count(&self) -> bool {
        self.entry.state.fetch_add(REQUEST, Ordering::AcqRel) & GONE == 0
    }

    /// Waits until nothing was in flight for so long. From then on no request begins.
    pub async fn until_idle_for(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            pingora_timeout::sleep(left).await;
            // Whatever is in flight now, or ended since it was looked last, cannot have been idle for long enough before.
            left = self.entry.is_idle_since().map_or(time, |since| {
                let idle = Duration::from_micros(self.registry.now().0.saturating_sub(since.0));
                let left = time.saturating_sub(idle);
                if left.is_zero() && !self.entry.displace(since) { time } else { left }
            });
        }
    }

    /// Has whoever waits in one of the following look again.
    pub(in crate::connection) fn wake(&self) {
        self.entry.wake();
    }

    /// Waits for `future` until the connection has to give way: `None` then.
    pub async fn until_displaced<F: Future>(&self, future: F) -> Option<F::Output> {
        self.until(future, || self.entry.is_gone()).await
    }

    /// Waits for `future` until the connection has to give way, or the listener has stopped: `None` then. What is ready
    /// at that moment is still given.
    pub async fn until_told<F: Future>(&self, future: F) -> Option<F::Output> {
        self.until(future, || self.entry.is_gone() || self.registry.stopping.load(Ordering::Acquire)).await
    }

    async fn until<F: Future>(&self, future: F, told: impl Fn() -> bool) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // In this order: whoever tells first and wakes then is either seen here or finds the waker.
            self.entry.wait(context);
            if told() { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.inner.lock().leave(self.slot, &self.entry);
        // Who remembers the entry must not keep the task.
        self.entry.waits.lock().take();
    }
}

/// A request that is in flight.
#[derive(Debug)]
#[must_use = "the request is in flight only while it is kept"]
pub struct InFlight<P: Deref<Target = Place>>(P);

impl<P: Deref<Target = Place>> Drop for InFlight<P> {
    fn drop(&mut self) {
        let now = self.0.registry.now().0;
        let state = &self.0.entry.state;
        // Never gone: who has a request in flight does not give way.
        let _ = state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            let requests = (state & !SINCE).saturating_sub(REQUEST);
            Some(if requests == 0 { now } else { requests | (state & SINCE) })
        });
    }
}
