//! A running doorward, from its first bind to its last request.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use arc_swap::access::Map;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::data_dir;
use super::identity::{instance_name, issuer_at};
use super::listen::{self, ADMIN_MODE};
use super::operators::admin_token;
use super::reload::{Environment, Live, Reloader};
use super::run_loop::{self, Terms};
use super::start_error::StartError;
use super::throttling::FailuresInRedis;
use super::{Core, build, descriptors, following, store, sweeping};
use crate::admin::{Admin, Health};
use crate::base::{Clock, Stopwatch, SystemClock};
use crate::config::{Listen, Loaded, Settings, Shutdown, StoreKind};
use crate::connection::{Registry, ServerTls};
use crate::endpoints::Operators;
use crate::issuers::{Fetch, HttpFetch};
use crate::proxy::streams::OpenStreams;
use crate::proxy::{Door, Refusals, Site, Upstream};
use crate::revocation::{Revocations, Store, StoreClock};
use crate::telemetry::Telemetry;
use crate::users::{Hasher, PostgresUsers, SharedFailures};

/// What a start needs besides the configuration.
pub struct Parts {
    /// The configuration's file, to read it again.
    pub path: PathBuf,
    /// Gives environment variables, to read it again.
    pub environment: Box<Environment>,
    /// The time; the system's unless a test moves it.
    pub clock: Arc<dyn Clock>,
    /// A store in place of the configured one, for tests.
    pub store: Option<Arc<dyn Store>>,
    /// Fetches the keys of other issuers; over HTTP unless a test answers.
    pub fetch: Arc<dyn Fetch>,
    /// Log and metrics.
    pub telemetry: Arc<Telemetry>,
}

impl Parts {
    /// The parts of a real process.
    #[must_use]
    pub fn new(path: PathBuf, environment: Box<Environment>, telemetry: Arc<Telemetry>) -> Self {
        Self { path, environment, clock: Arc::new(SystemClock), store: None, fetch: Arc::new(HttpFetch), telemetry }
    }
}

/// Where a running doorward listens.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The public listeners.
    pub public: Vec<Listen>,
    /// The admin listener.
    pub admin: Listen,
}

/// A doorward that serves.
pub struct Running {
    /// Where.
    pub bound: Bound,
    /// Reads the configuration again.
    pub reloader: Arc<Reloader>,
    health: Arc<Health>,
    telemetry: Arc<Telemetry>,
    /// The public connections.
    registry: Arc<Registry>,
    /// The public ones and the admin one.
    listeners: [Listening; 2],
    background: JoinSet<()>,
    revocations: Arc<Revocations>,
}

/// Listeners that can be told to stop.
struct Listening {
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Listening {
    /// They have stopped when this returns; what they accepted goes on.
    async fn close(&mut self) {
        // Nobody listens any more if this fails.
        let _ = self.stop.send(true);
        if !self.served.is_finished() {
            let _ = (&mut self.served).await;
        }
    }
}

impl Running {
    /// Opens the store, binds and serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is served then.
    pub async fn start(loaded: Loaded, parts: Parts) -> Result<Self, StartError> {
        let Loaded { settings, users, watched, .. } = loaded;
        descriptors::take_all();
        descriptors::check(&settings.server.limits);
        let bind = |listen| listen::bind(listen, settings.server.socket_mode);
        let (public, listeners): (Vec<_>, Vec<_>) =
            settings.server.listen.iter().map(bind).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let (admin, admin_listener) = listen::bind(&settings.admin.listen, ADMIN_MODE)?;
        let bound = Bound { public, admin };
        let (core, shared) = core(&settings, &bound, &parts).await?;
        let token = admin_token(&settings, &core)?;
        let built = build(&settings, users, &core, None)?;
        built.site.upstream.resolve_first().await;
        built.issuers.begin().await;
        let live = Live {
            site: Arc::new(ArcSwap::new(Arc::clone(&built.site))),
            hasher: Arc::new(ArcSwap::new(Arc::clone(&built.hasher))),
            limits: Arc::new(ArcSwap::from_pointee(settings.server.limits)),
            operators: Arc::new(ArcSwap::from_pointee(Operators::new(Arc::clone(&built.grants), token))),
            tls: settings.server.tls.as_ref().map(ServerTls::new).transpose()?.map(Arc::new),
        };
        let (stop, stopped) = watch::channel(false);
        let (stop_admin, admin_stopped) = watch::channel(false);
        let Core { health, telemetry, clock, .. } = &core;
        let streams = Arc::<OpenStreams>::default();
        let (site, ending) = (Arc::clone(&live.site), Arc::clone(&streams));
        let watched_streams = ending.watch(Arc::clone(&site), Arc::clone(clock), Arc::clone(telemetry));
        let door = Door::new(site, Arc::clone(clock), Arc::clone(telemetry), streams, health.draining());
        let collect = collector(&core, &live.hasher);
        let admin = Admin::new(Arc::clone(health), Arc::clone(telemetry), collect, Arc::clone(&live.operators));
        let registry = Arc::<Registry>::default();
        let cors = Map::new(Arc::clone(&live.site), |site: &Site| &site.cors);
        let wording = Map::new(Arc::clone(&live.site), |site: &Site| &site.wording);
        let terms = Terms {
            limits: Arc::clone(&live.limits),
            tls: live.tls.clone(),
            h2c: settings.server.h2c,
            registry: Arc::clone(&registry),
            refuse: Arc::new(Refusals::new(cors, wording, Arc::clone(telemetry), Arc::clone(clock))),
        };
        let public = run_loop::start_public(door, listeners, terms, stopped, Arc::clone(telemetry));
        let admin = run_loop::start(admin, admin_listener, Some(Arc::clone(&registry)), admin_stopped);
        let listeners = [Listening { stop, served: public }, Listening { stop: stop_admin, served: admin }];
        telemetry.metrics.configuration_loaded(clock.now());
        telemetry.metrics.set_store_up(true);
        telemetry.metrics.set_insecure_settings(settings.weakened());
        health.set_issuers(Arc::clone(&built.issuers), !settings.issues);
        health.set_open(settings.policy.is_open());
        health.set_revocations(Arc::clone(&core.revocations));
        health.started();
        let mut background = JoinSet::new();
        background.spawn(Upstream::follow_name(Arc::downgrade(&built.site.upstream)));
        if let Some(users) = &built.postgres {
            health.set_users(Some(Arc::clone(users.status())));
            background.spawn(PostgresUsers::watch(Arc::downgrade(users)));
        }
        if let Some(shared) = shared {
            following::start(&mut background, &core, &shared);
        }
        background.spawn(sweeping::sweep(core.clone()));
        background.spawn(watched_streams);
        let (health, telemetry, revocations) =
            (Arc::clone(health), Arc::clone(telemetry), Arc::clone(&core.revocations));
        let source = (parts.path, parts.environment);
        let reloader = Arc::new(Reloader::new(source, core, live, built, (settings, watched)));
        background.spawn(poll(Arc::clone(&reloader)));
        Ok(Self { bound, reloader, health, telemetry, registry, listeners, background, revocations })
    }

    /// Stops as a pod does: says so on `/readyz` while requests still come, then takes no more and finishes those in flight.
    /// Returns how many were not finished in time.
    pub async fn drain(mut self) -> u64 {
        self.health.drain();
        let Shutdown { lame_duck, drain } = self.reloader.shutdown();
        tracing::info!(?lame_duck, "draining: not ready any more, still serving");
        tokio::time::sleep(lame_duck).await;
        let [public, admin] = &mut self.listeners;
        public.close().await;
        tracing::info!(in_flight = self.telemetry.metrics.in_flight(), "no new requests; finishing those in flight");
        let watch = Stopwatch::start();
        // Answers over HTTP/2 may not have left when their requests have ended.
        while (self.telemetry.metrics.in_flight() > 0 || self.registry.busy() > 0) && watch.elapsed() < drain {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Last, so that probes and scrapes see the drain.
        admin.close().await;
        self.leave().await;
        self.telemetry.metrics.in_flight()
    }

    /// Stops accepting, and waits for no request.
    pub async fn close(&mut self) {
        for listening in &mut self.listeners {
            listening.close().await;
        }
        self.leave().await;
    }

    /// Whoever waits for confirmations needs none of an instance that serves nobody any more.
    async fn leave(&mut self) {
        // Ended, and not only told to: what announces this instance would put it back.
        self.background.shutdown().await;
        if let Err(error) = self.revocations.leave().await {
            tracing::warn!(%error, "other instances cannot be told that this one has ended: for an hour they name it as missing");
        }
    }
}

async fn core(settings: &Settings, bound: &Bound, parts: &Parts) -> Result<(Core, Option<store::Shared>), StartError> {
    let needs_key = settings.issues && settings.keys.is_empty();
    // What is kept of other issuers is authenticated, so that nobody who can write there can put in keys of his own.
    let needs_server_key = !settings.issues && settings.server_keys.is_empty();
    let embedded = settings.store == StoreKind::Embedded && parts.store.is_none();
    if needs_key || needs_server_key || embedded || !settings.trusted.is_empty() {
        data_dir::create(&settings.data_dir)?;
    }
    let generated_key = needs_key.then(|| data_dir::signing_key(&settings.data_dir)).transpose()?;
    let generated_server_key = needs_server_key.then(|| data_dir::server_key(&settings.data_dir)).transpose()?;
    let (store, shared) = store::open(settings, parts.store.as_ref()).await?;
    let clock = Arc::clone(&parts.clock);
    let revocations = match &shared {
        // Its followers read everything, whenever it answers.
        Some(shared) => Revocations::new(store, clock, settings.cache)
            .shared(Arc::clone(&shared.freshness))
            .among(Arc::clone(&shared.replicas)),
        None => Revocations::open(store, clock, settings.cache).await?,
    };
    if let Some(shared) = &shared {
        following::begin(&revocations, shared).await;
    }
    let revocations = revocations.named(instance_name(&bound.public));
    let failures = shared.as_ref().map(|shared| {
        let clock: Arc<dyn Clock> = Arc::<StoreClock>::clone(revocations.clock());
        let counts = FailuresInRedis::new(Arc::clone(&shared.redis), clock, Arc::clone(&parts.telemetry));
        Arc::new(counts) as Arc<dyn SharedFailures>
    });
    let core = Core {
        revocations: Arc::new(revocations),
        failures,
        clock: Arc::clone(&parts.clock),
        telemetry: Arc::clone(&parts.telemetry),
        health: Arc::default(),
        generated_key,
        generated_server_key,
        data_dir: settings.data_dir.clone(),
        fetch: Arc::clone(&parts.fetch),
        issuer_from_listen: issuer_at(&bound.public, settings.server.tls.is_some()),
        with_tls: settings.server.tls.is_some(),
        admin_is_private: matches!(bound.admin, Listen::Unix(_)),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
    };
    Ok((core, shared))
}

fn collector(core: &Core, hasher: &Arc<ArcSwap<Hasher>>) -> Box<dyn Fn() + Send + Sync> {
    let (core, hasher) = (core.clone(), Arc::clone(hasher));
    Box::new(move || {
        let metrics = &core.telemetry.metrics;
        metrics.set_denylist_entries(core.revocations.live_marks());
        metrics.following.set_sealed(core.revocations.is_sealed());
        let staleness = core.revocations.staleness();
        metrics.following.set_staleness(staleness.map_or(Some(Duration::ZERO), |staleness| staleness.age));
        metrics.following.set_clock_offset(core.revocations.clock().offset_millis());
        metrics.set_password_queue(hasher.load().waiting());
        core.health.issuers().collect();
    })
}

async fn poll(reloader: Arc<Reloader>) {
    loop {
        tokio::time::sleep(POLL_EVERY).await;
        let reloader = Arc::clone(&reloader);
        let _ = tokio::task::spawn_blocking(move || reloader.poll()).await;
    }
}

pub(super) const STORE_FILE: &str = "doorward.redb";
/// So that a user who was disabled in the file has lost access within a second.
const POLL_EVERY: Duration = Duration::from_millis(500);
