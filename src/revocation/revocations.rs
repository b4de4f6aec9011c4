//! What the rest asks: is this token dead, and kill that one.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::task::JoinError;

use super::answers::Answers;
use super::endings::Endings;
use super::follower::Pace;
use super::horizon::Horizon;
use super::replicas::ReplicaId;
use super::writing::{Ending, make};
use super::{
    Announcement, Applied, Bucket, CacheSettings, Follower, Freshness, Mark, MarkKey, MarkKind, OnStoreFailure,
    Position, Replicas, Sid, StalenessSettings, Store, StoreClock, StoreError, Swept, Until, View,
};
use crate::base::{Clock, Timestamp, entropy};

/// Revocation as a whole: the store, the view of its marks, and the answers before the view.
#[derive(Debug)]
pub struct Revocations {
    store: Arc<dyn Store>,
    pub(super) view: Arc<View>,
    pub(super) answers: ArcSwapOption<Answers>,
    clock: Arc<StoreClock>,
    /// `None` for a store that only this instance writes: what it has, the view has.
    freshness: Option<Arc<Freshness>>,
    staleness: ArcSwap<StalenessSettings>,
    horizon: Horizon,
    endings: Arc<Endings>,
    /// What this instance is called where several are told apart.
    pub(super) instance: String,
    /// What tells it from another of that name.
    pub(super) id: ReplicaId,
    /// Where others say how far they are; `None` for a store that only this instance writes.
    pub(super) replicas: Option<Arc<dyn Replicas>>,
}

/// How old the view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// `None` if it never had everything.
    pub age: Option<Duration>,
    /// Whether that is too old.
    pub too_old: bool,
    /// What happens then.
    pub then: OnStoreFailure,
}

impl Revocations {
    /// Loads all marks of `store`, page by page. `clock` is this machine's.
    ///
    /// # Errors
    /// [`StoreError`] if one page cannot be read. There is no start with a part of the marks.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>, cache: CacheSettings) -> Result<Self, StoreError> {
        let this = Self::new(store, clock, cache);
        let past = this.clock.now().minus(KEPT_BEYOND);
        let mut after = None;
        loop {
            let page = this.store.marks(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for mark in page.iter().filter(|mark| mark.expires_at > past) {
                this.view.insert(mark);
            }
        }
        Ok(this)
    }

    /// With an empty view, for a store that is [followed](Self::followers).
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, cache: CacheSettings) -> Self {
        let clock = Arc::new(StoreClock::new(clock));
        let answers = ArcSwapOption::from(Answers::new(cache).map(Arc::new));
        let (view, horizon, instance) = (Arc::new(View::new()), Horizon::default(), "this instance".to_owned());
        let staleness = ArcSwap::default();
        let (id, endings) = (ReplicaId(entropy::random()), Arc::default());
        Self { store, view, answers, clock, freshness: None, staleness, horizon, endings, instance, id, replicas: None }
    }

    /// Those that keep the view the same as the store, one for each part of it.
    #[must_use]
    pub fn followers(&self, pace: Pace) -> Vec<Follower> {
        Bucket::all().map(|bucket| Follower::new(bucket, Arc::clone(&self.view), pace)).collect()
    }

    /// The same, of an instance of that name.
    #[must_use]
    pub fn named(self, instance: String) -> Self {
        Self { instance, ..self }
    }

    /// The same over a store that others write too: the view is as old as `freshness` says.
    #[must_use]
    pub fn shared(mut self, freshness: Arc<Freshness>) -> Self {
        self.freshness = Some(freshness);
        self
    }

    /// The same among others, who tell there how far they are.
    #[must_use]
    pub fn among(mut self, replicas: Arc<dyn Replicas>) -> Self {
        self.replicas = Some(replicas);
        self
    }

    /// What this instance, as far as `applied`, tells the others.
    pub fn announcement(&self, applied: Applied) -> Announcement {
        Announcement { id: self.id, name: self.instance.clone(), applied }
    }

    /// Tells the others that this instance serves nobody any more.
    ///
    /// # Errors
    /// [`StoreError`]; they take it for silent then.
    pub async fn leave(&self) -> Result<(), StoreError> {
        if let Some(replicas) = &self.replicas { replicas.leave(self.id).await } else { Ok(()) }
    }

    /// Makes a mark: durable in the store, then effective here with the next request. Returns where other instances find it. Goes on if
    /// the caller goes away.
    ///
    /// # Errors
    /// [`StoreError`]; the mark is not confirmed then, and not effective.
    pub async fn mark(&self, mark: Mark) -> Result<Position, StoreError> {
        let (store, view) = (Arc::clone(&self.store), Arc::clone(&self.view));
        // A task of its own: a client that hangs up between the two must not leave a mark that only a restart would read.
        tokio::spawn(async move { make(&*store, &view, mark).await }).await.map_err(|error| broken(&error))?
    }

    /// Ends a session: a mark on the access tokens of `issuer` that have its `sid`, for as long as the last of them may live
    /// with `leeway`, and then, on the family, that it is over. In this order, so that a session is never over while
    /// its access tokens live on. `false` if there is no such session. Goes on if the caller goes away.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn revoke_session(&self, sid: Sid, issuer: &str, leeway: Duration) -> Result<bool, StoreError> {
        let (store, view, endings) = (Arc::clone(&self.store), Arc::clone(&self.view), Arc::clone(&self.endings));
        let (ending, at) = (Ending { sid, issuer: issuer.to_owned(), leeway }, self.clock.uptime());
        let ended = async move { endings.end(ending, (&*store, &view), at).await };
        tokio::spawn(ended).await.map_err(|error| broken(&error))?
    }

    /// The later cut-off of the marks on everything that `subject` was issued, and on everything that was issued to `client`,
    /// if there is one: what is issued in its second must be dated one later, or it is born dead; and a session that began
    /// until then is over.
    pub fn cutoff(&self, issuer: &str, subject: &str, client: Option<&str>) -> Option<Timestamp> {
        let now = self.clock.now();
        let of = |kind, value| self.view.cutoff(&MarkKey::of(kind, issuer, value), now);
        of(MarkKind::Sub, subject).max(client.and_then(|client| of(MarkKind::Client, client)))
    }

    /// Whether a mark says that the session was ended. The store may have it alive all the same: a server that took over need not have
    /// heard of its end.
    pub fn has_ended(&self, issuer: &str, sid: Sid) -> bool {
        self.view.has(&MarkKey::of(MarkKind::Sid, issuer, &sid.to_string()), self.clock.now())
    }

    /// Sees to it that marks on what is about to be issued can live as long as that: the store knows of ends no earlier than
    /// `until` when this returns. To be called before it is given out; mostly that is known, and costs nothing.
    ///
    /// # Errors
    /// [`StoreError`]; it must not be given out then.
    pub async fn cover(&self, until: Until) -> Result<(), StoreError> {
        self.horizon.cover(&*self.store, until).await
    }

    /// Until when anything may be used that was ever issued, by whatever settings.
    ///
    /// # Errors
    /// [`StoreError`] if it is unknown; a guess could let a mark end before its tokens.
    pub async fn issued_until(&self) -> Result<Until, StoreError> {
        self.horizon.until(&*self.store).await
    }

    /// Forgets what is past for a while, here and in the store, which is told again [how long](Self::cover) what was issued lives, and which
    /// sessions were ended of late, if it may have lost that.
    ///
    /// # Errors
    /// [`StoreError`] of the store. The view is swept all the same.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let past = self.clock.now().minus(KEPT_BEYOND);
        self.view.sweep(past);
        // First: a server that has no room refuses the rest, and not this.
        let swept = self.store.sweep(past).await?;
        self.horizon.cover(&*self.store, Until::default()).await?;
        self.endings.repeat(&*self.store, &self.view, self.clock.uptime()).await?;
        Ok(swept)
    }

    /// Where sessions are kept. Marks are made through [`Revocations::mark`]: one made in the store alone has no effect here.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// All live marks, as they are known here: what follows a shared store adds to it.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The store's time.
    pub fn clock(&self) -> &Arc<StoreClock> {
        &self.clock
    }

    /// Whether the store's time is known: that of one which others share has to be asked for.
    pub fn knows_time(&self) -> bool {
        self.freshness.is_none() || self.clock.is_known()
    }

    /// How old the view is; `None` for a store that only this instance writes, whose view is never old.
    pub fn staleness(&self) -> Option<Staleness> {
        let age = self.freshness.as_ref()?.age(self.clock.uptime());
        let StalenessSettings { max, then } = **self.staleness.load();
        Some(Staleness { age, too_old: age.is_none_or(|age| age > max), then })
    }

    /// Changes how old the view may be.
    pub fn set_staleness(&self, settings: StalenessSettings) {
        self.staleness.store(Arc::new(settings));
    }

    /// Whether the store was exported and takes no writes.
    pub fn is_sealed(&self) -> bool {
        self.store.exports().is_some_and(|exports| exports.sealed_at().is_some())
    }

    /// How many marks the view holds.
    pub fn live_marks(&self) -> usize {
        self.view.len()
    }

    /// Changes how answers are remembered; those there are, are dropped.
    pub fn set_cache(&self, settings: CacheSettings) {
        self.answers.store(Answers::new(settings).map(Arc::new));
        self.view.unsettle();
    }
}

/// The task was stopped, by a panic or by the end of the runtime: the outcome is unknown.
fn broken(error: &JoinError) -> StoreError {
    let how = if error.is_panic() { "panicked" } else { "was cancelled" };
    StoreError::Unavailable(format!("a write {how}"))
}

/// How long what is over is kept: a clock that was set forward by mistake, and is set back, must not have cost a mark.
const KEPT_BEYOND: Duration = Duration::from_mins(10);

/// Marks read at once.
const PAGE: usize = 1000;
