//! A doorward of the test's own, on real sockets, with an upstream, a clock and a store that do as they are told.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use doorward::app::Running;
use doorward::app::serve::Parts;
use doorward::base::{Clock, ManualClock, SystemClock};
use doorward::config::{self, Listen};
use doorward::revocation::{EmbeddedStore, MemoryStore, Store};
use doorward::telemetry::{Level, Settings, Sink, Telemetry};
use parking_lot::Mutex;
use serde_yaml::Value;
use tempfile::TempDir;

use crate::mint;
use crate::store::{Health, SwitchedStore};
use crate::upstream::Upstream;

/// What a doorward of a test is made of, besides the base.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Merged into the base configuration.
    pub(crate) config: Value,
    /// Entries of the users file after the base's, with `password` for `password_hash`; one of a known name replaces it.
    pub(crate) users: Vec<Value>,
    pub(crate) embedded: bool,
    pub(crate) log_everything: bool,
}

/// A doorward that runs, and what stands around it.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) upstream: Upstream,
    /// Another issuer: whatever it is asked for, it answers its keys.
    pub(crate) issuer: Upstream,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) sink: Sink,
    setup: Setup,
    folder: TempDir,
    store: Arc<SwitchedStore>,
    running: Option<Running>,
}

impl Door {
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let (upstream, issuer) = (Upstream::start().await, Upstream::start().await);
        issuer.answer(mint::published());
        write_files(folder.path(), &setup, [&upstream, &issuer]);
        let clock = Arc::new(ManualClock::at(SystemClock.now().whole_second()));
        let sink = Sink::memory();
        let telemetry = telemetry(&sink, &setup);
        let store = store(folder.path(), &setup).await;
        let running = run(folder.path(), &clock, &store, &telemetry).await;
        let (address, admin) = addresses(&running);
        Self { address, admin, upstream, issuer, clock, telemetry, sink, setup, folder, store, running: Some(running) }
    }

    /// Ends this process, as it were, and begins another with the same files and a fresh log.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        // A store in memory dies with its process.
        self.store = Arc::new(SwitchedStore::new(Arc::new(MemoryStore::new(None))));
        self.store = store(self.folder.path(), &self.setup).await;
        self.telemetry = telemetry(&self.sink, &self.setup);
        let running = run(self.folder.path(), &self.clock, &self.store, &self.telemetry).await;
        (self.address, self.admin) = addresses(&running);
        self.running = Some(running);
    }

    /// Reads a new configuration: the base with this in place of what the case had. `raw` is written as it is.
    pub(crate) async fn reload(&mut self, setup: Setup, raw: Option<&str>) {
        write_files(self.folder.path(), &setup, [&self.upstream, &self.issuer]);
        if let Some(raw) = raw {
            fs::write(self.folder.path().join(CONFIG), raw).unwrap();
        }
        self.setup = setup;
        let reloader = Arc::clone(&self.running.as_ref().unwrap().reloader);
        tokio::task::spawn_blocking(move || reloader.reload()).await.unwrap();
    }

    pub(crate) fn set_store(&self, health: Health) {
        self.store.set(health);
    }

    pub(crate) fn running(&mut self) -> Option<Running> {
        self.running.take()
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.close().await;
        }
    }

    /// Every series and its value.
    pub(crate) fn series(&self) -> BTreeMap<String, f64> {
        let text = self.telemetry.metrics.render();
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }
}

/// The base and what a case changes of it.
pub(crate) fn config_text(setup: &Setup, [upstream, issuer]: [SocketAddr; 2]) -> String {
    let mut config: Value = serde_yaml::from_str(BASE).unwrap();
    merge(&mut config, &setup.config);
    let secret = |text: String| text.replace("SECRET", mint::SECRET).replace("ISSUER", mint::ISSUER);
    secret(serde_yaml::to_string(&config).unwrap())
        .replace("UPSTREAM", &upstream.to_string())
        .replace("OTHER", &issuer.to_string())
}

fn write_files(folder: &Path, setup: &Setup, around: [&Upstream; 2]) {
    let mut users: Vec<Value> = serde_yaml::from_str(USERS).unwrap();
    for user in &setup.users {
        users.retain(|known| known["username"] != user["username"]);
        users.push(user.clone());
    }
    for user in &mut users {
        if let Some(password) = user.as_mapping_mut().unwrap().remove("password") {
            user["password_hash"] = cheap_hash(password.as_str().unwrap()).into();
        }
    }
    write_private(&folder.join("users.yaml"), &serde_yaml::to_string(&users).unwrap());
    let config = config_text(setup, around.map(|server| server.address));
    for (name, text) in [("rs.pem", mint::rs_pem as fn() -> &'static str), ("es.pem", mint::es_pem)] {
        if config.contains(name) {
            write_private(&folder.join(name), text());
        }
    }
    write_private(&folder.join(CONFIG), &config);
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn merge(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Mapping(base), Value::Mapping(more)) => {
            for (key, value) in more {
                match base.get_mut(key) {
                    Some(known) if value.is_null() => *known = Value::Null,
                    Some(known) => merge(known, value),
                    None => drop(base.insert(key.clone(), value.clone())),
                }
            }
        }
        (_, Value::Null) => {}
        (base, more) => *base = more.clone(),
    }
}

/// As weak as argon2 goes: these tests are about what is done with a hash, not about what it costs.
fn cheap_hash(password: &str) -> String {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let hash = || {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        argon2.hash_password(password.as_bytes()).unwrap().to_string()
    };
    KNOWN.lock().entry(password.to_owned()).or_insert_with(hash).clone()
}

fn telemetry(sink: &Sink, setup: &Setup) -> Arc<Telemetry> {
    let log = if setup.log_everything { Level::Trace } else { Level::Info };
    Arc::new(Telemetry::new(sink.clone(), &Settings { log, ..Settings::default() }))
}

async fn store(folder: &Path, setup: &Setup) -> Arc<SwitchedStore> {
    let inner: Arc<dyn Store> =
        if setup.embedded { open(folder.join("store.redb")).await } else { Arc::new(MemoryStore::new(None)) };
    Arc::new(SwitchedStore::new(inner))
}

/// The process before may still be letting go of the file.
async fn open(path: PathBuf) -> Arc<dyn Store> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match EmbeddedStore::open(&path) {
            Ok(store) => return Arc::new(store),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

async fn run(
    folder: &Path,
    clock: &Arc<ManualClock>,
    store: &Arc<SwitchedStore>,
    telemetry: &Arc<Telemetry>,
) -> Running {
    let path = folder.join(CONFIG);
    let loaded = config::load(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let mut parts = Parts::new(path, Box::new(|_| None), Arc::clone(telemetry));
    parts.clock = Arc::<ManualClock>::clone(clock);
    parts.store = Some(Arc::<SwitchedStore>::clone(store));
    Running::start(loaded, parts).await.unwrap()
}

fn addresses(running: &Running) -> (SocketAddr, SocketAddr) {
    match (running.bound.public.as_slice(), &running.bound.admin) {
        ([Listen::Tcp(public)], Listen::Tcp(admin)) => (*public, *admin),
        other => panic!("{other:?}"),
    }
}

const CONFIG: &str = "doorward.yaml";

const BASE: &str = include_str!("base.yaml");
const USERS: &str = include_str!("users.yaml");
