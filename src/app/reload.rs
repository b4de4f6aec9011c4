//! A new configuration while the old one serves.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::build::Built;
use super::operators::admin_token;
use super::watch::Watched;
use super::{Core, build, data_dir, descriptors};
use crate::base::Clock;
use crate::config::{self, Loaded, Problem, Settings, Shutdown, look};
use crate::connection::{Limits, ServerTls};
use crate::endpoints::Operators;
use crate::proxy::{Site, Upstream};
use crate::revocation::StoreClock;
use crate::telemetry::Audit;
use crate::users::{Hasher, PostgresUsers};

/// Reads the configuration again and swaps the site, or keeps the old one and says why.
pub struct Reloader {
    path: PathBuf,
    environment: Box<Environment>,
    core: Core,
    live: Live,
    /// Apart from the rest, which is locked while files are read.
    shutdown: Mutex<Shutdown>,
    state: Mutex<State>,
}

/// Gives a variable's value.
pub type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a reload replaces.
#[derive(Clone, Debug)]
pub struct Live {
    /// What answers requests.
    pub site: Arc<ArcSwap<Site>>,
    /// Whose queue is shown.
    pub hasher: Arc<ArcSwap<Hasher>>,
    /// What new connections must keep to.
    pub limits: Arc<ArcSwap<Limits>>,
    /// What operators may do.
    pub operators: Arc<ArcSwap<Operators>>,
    /// What new handshakes get; `None` = the listeners are plain.
    pub tls: Option<Arc<ServerTls>>,
}

struct State {
    /// As of the start: what it says of listeners, store and log holds until the end.
    started: Settings,
    built: Built,
    watched: Watched,
    generation: u64,
}

impl Reloader {
    /// A reloader over what was loaded and built at the start.
    #[must_use]
    pub fn new(
        (path, environment): (PathBuf, Box<Environment>),
        core: Core,
        live: Live,
        built: Built,
        (started, watched): (Settings, Vec<look::Watched>),
    ) -> Self {
        let shutdown = Mutex::new(started.server.shutdown);
        let state = State { started, built, watched: Watched::new(watched), generation: 1 };
        Self { path, environment, core, live, shutdown, state: Mutex::new(state) }
    }

    /// How to stop, as the configuration says it now.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        *self.shutdown.lock()
    }

    /// Reloads if one of the files has changed. Blocks on the disk: not for the request path.
    pub fn poll(&self) {
        let mut state = self.state.lock();
        if state.watched.changed() {
            tracing::info!("a configuration file has changed");
            self.reload_into(&mut state);
        }
    }

    /// Reloads. Blocks on the disk: not for the request path.
    pub fn reload(&self) {
        self.reload_into(&mut self.state.lock());
    }

    fn reload_into(&self, state: &mut State) {
        match config::load(&self.path, &*self.environment) {
            Ok(loaded) => self.take(state, loaded),
            Err(problems) => {
                for problem in &problems {
                    let help = &problem.help;
                    tracing::error!(problem = problem.line(), help, "configuration refused, the one before stays");
                }
                // The files it names now: one of them may be all that is missing.
                state.watched = Watched::new(problems.watched().to_vec());
                let first = problems.iter().next().map(Problem::line).unwrap_or_default();
                self.refused(state, problems.len(), &first);
            }
        }
    }

    fn take(&self, state: &mut State, loaded: Loaded) {
        for warning in &loaded.warnings {
            tracing::warn!(problem = warning.line(), help = warning.help, "configuration");
        }
        state.watched = Watched::new(loaded.watched);
        let has_users = state.built.file.as_ref().is_some_and(|users| !users.is_empty());
        if loaded.users.usable.is_none() && has_users {
            // Emptied by a full disk, or between two steps of an editor; `[]` is how to mean it.
            let problem = "the users file is gone or empty, the users before stay; write `[]` if nobody is to log in";
            tracing::error!(problem, "configuration refused, the one before stays");
            return self.refused(state, 1, problem);
        }
        let restart = config::restart_needed(&state.started, &loaded.settings);
        if !restart.is_empty() {
            tracing::warn!(keys = ?restart, "these settings take effect at the next start only");
        }
        if !loaded.settings.trusted.is_empty()
            && let Err(error) = data_dir::create(&self.core.data_dir)
        {
            tracing::error!(%error, "configuration refused, the one before stays");
            return self.refused(state, 1, &error.to_string());
        }
        let token = match admin_token(&loaded.settings, &self.core) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, "configuration refused, the one before stays");
                return self.refused(state, 1, &error.to_string());
            }
        };
        let built = match build(&loaded.settings, loaded.users, &self.core, Some(&state.built)) {
            Ok(built) => built,
            Err(error) => {
                tracing::error!(%error, "configuration refused, the one before stays");
                return self.refused(state, 1, &error.to_string());
            }
        };
        if let (Some(tls), Some(settings)) = (&self.live.tls, &loaded.settings.server.tls) {
            match tls.replace(settings) {
                Ok(true) => tracing::info!("new connections get the new `server.tls`"),
                Ok(false) => {}
                Err(error) => {
                    let problem = format!("`server.tls`: {error}");
                    tracing::error!(problem, "configuration refused, the one before stays");
                    return self.refused(state, 1, &problem);
                }
            }
        }
        if !Arc::ptr_eq(&built.site.upstream, &state.built.site.upstream) {
            // Before the swap: no request shall meet an upstream whose address nobody has asked for yet.
            let runtime = tokio::runtime::Handle::current();
            runtime.block_on(built.site.upstream.resolve_first());
            runtime.spawn(Upstream::follow_name(Arc::downgrade(&built.site.upstream)));
        }
        // Before the swap too: the first request of an issuer that was added should find its keys.
        tokio::runtime::Handle::current().block_on(built.issuers.begin());
        Self::end_tokens(&built, &state.built, self.core.revocations.clock());
        let users = built.ended.len();
        if users > 0 && built.file.as_ref().is_some_and(|users| users.is_empty()) {
            let help = "if that was not meant, put them back; they log in anew then";
            tracing::warn!(users, help, "nobody is in the users file any more, and all who were are logged out");
        }
        self.live.site.store(Arc::clone(&built.site));
        self.live.operators.store(Arc::new(Operators::new(Arc::clone(&built.grants), token)));
        self.take_postgres(built.postgres.as_ref(), state.built.postgres.as_ref());
        self.core.health.set_issuers(Arc::clone(&built.issuers), !loaded.settings.issues);
        self.core.health.set_open(loaded.settings.policy.is_open());
        self.core.telemetry.metrics.set_insecure_settings(loaded.settings.weakened());
        self.live.hasher.store(Arc::clone(&built.hasher));
        self.live.limits.store(Arc::new(loaded.settings.server.limits));
        descriptors::check(&loaded.settings.server.limits);
        *self.shutdown.lock() = loaded.settings.server.shutdown;
        state.built = built;
        state.generation += 1;
        self.core.health.set_reload_problem(None);
        let audit = Audit::Reloaded { ok: true, generation: state.generation, problems: 0, restart: &restart };
        self.core.telemetry.audit(self.core.clock.now(), &audit);
        tracing::info!(generation = state.generation, "configuration reloaded");
    }

    /// Ends the tokens of users who are not who they were. First nobody is let in any more by what they were, then the time is taken, and
    /// only then is somebody let in by what they are: so no token falls on the wrong side. `clock` is the store's, by which tokens are dated.
    fn end_tokens(built: &Built, before: &Built, clock: &StoreClock) {
        if let (Some(before), Some(users)) = (&before.file, &built.file) {
            before.succeeded_by(Arc::clone(users));
        }
        if built.ended.is_empty() {
            return;
        }
        let (at, ends, ended) = (clock.now(), Arc::clone(&built.token_ends), built.ended.clone());
        let runtime = tokio::runtime::Handle::current();
        let mut ending = runtime.spawn(async move { ends.end_all(&ended, at).await });
        // What is issued in the second of a mark is dated behind it, if the mark is there by then.
        let _late = runtime.block_on(async { tokio::time::timeout(FOR_MARKS, &mut ending).await });
    }

    fn take_postgres(&self, users: Option<&Arc<PostgresUsers>>, before: Option<&Arc<PostgresUsers>>) {
        self.core.health.set_users(users.map(|users| Arc::clone(users.status())));
        if let Some(users) = users.filter(|users| before.is_none_or(|before| !Arc::ptr_eq(users, before))) {
            tokio::runtime::Handle::current().spawn(PostgresUsers::watch(Arc::downgrade(users)));
        }
    }

    fn refused(&self, state: &State, problems: usize, first: &str) {
        self.core.health.set_reload_problem(Some(first.to_owned()));
        let audit = Audit::Reloaded { ok: false, generation: state.generation, problems, restart: &[] };
        self.core.telemetry.audit(self.core.clock.now(), &audit);
    }
}

/// How long a reload waits for marks. Whatever is left of them is made beside what is served.
const FOR_MARKS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
