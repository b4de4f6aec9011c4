//! Time as a value. The pure modules take a [`Timestamp`]; only the edges own a [`Clock`].

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::Uptime;

/// A point in time, in milliseconds since the Unix epoch.
///
/// Milliseconds, because the refresh grace is finer than a second; JWT's NumericDate (RFC 7519 §2) is
/// [`Timestamp::seconds`]. Arithmetic saturates: a hostile `exp` can be large, never wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest representable time; used where something never ends.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch, saturating.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time, less its fraction of a second: what a NumericDate can hold.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// Later by `duration`, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)))
    }

    /// Earlier by `duration`, saturating.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)))
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The whole seconds from `now` until this time, rounded up; zero if it is past.
    #[must_use]
    pub fn seconds_after(self, now: Self) -> u64 {
        self.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

/// The present by two clocks, of which each judges what was dated by its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The store's, which all instances share: for own tokens, sessions and marks.
    pub store: Timestamp,
    /// The latest that anything may have been dated with by the store's. Later than that after it was set back: what was dated before does not come
    /// from the future.
    pub dated_until: Timestamp,
    /// This machine's: for what others have dated.
    pub local: Timestamp,
}

impl From<Timestamp> for Times {
    /// Both show the same, and were never set back.
    fn from(now: Timestamp) -> Self {
        Self { store: now, dated_until: now, local: now }
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where the present comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present. Not monotonic: the system's clock may be set back.
    fn now(&self) -> Timestamp;

    /// How long the machine is up, in a suspended state too. For how old something is, whatever is done to the clock.
    fn uptime(&self) -> Uptime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis_of(since_epoch))
    }

    fn uptime(&self) -> Uptime {
        Uptime::of_the_machine()
    }
}

/// A clock that moves only when told to, for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicI64,
    /// In milliseconds.
    uptime: AtomicU64,
}

impl ManualClock {
    /// A clock standing at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.millis()), uptime: AtomicU64::default() }
    }

    /// Moves the clock forward: time passes.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(millis_of(by), Ordering::SeqCst);
        self.uptime.fetch_add(by.as_millis().try_into().unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock, forward or back. No time passes.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Uptime {
        Uptime::after_start(Duration::from_millis(self.uptime.load(Ordering::SeqCst)))
    }
}
