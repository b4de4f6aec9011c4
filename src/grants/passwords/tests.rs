//! Logins and refreshes over a store whose hashes may be replaced.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;
use crate::base::{Clock, ManualClock, Timestamp};
use crate::grants::{Caller, Client, ClientRules, Clients, GrantKind, Login, ScopeClaim, Settings, TokenEnds};
use crate::keys::{KeyRing, ServerKeys, SigningKey};
use crate::revocation::{CacheSettings, MemoryStore, Revocations, Store};
use crate::telemetry::{self, Sink, Telemetry};
use crate::tokens::{Issuer, IssuerRules, RefreshToken, ScopeSet, TokenType, Verifier};
use crate::users::{
    Candidate, Hasher, HashingSettings, Recheck, StoredHash, ThrottleSettings, Throttles, UserStore, UserStoreError,
};

const ISSUER: &str = "https://api.example.com";
const PASSWORD: &str = "secret";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

mod elsewhere;
mod waiting;

/// One user, whose hash is what was put there last.
#[derive(Debug, Default)]
struct Table {
    hash: Mutex<String>,
    disabled: Mutex<bool>,
    unusable: Mutex<bool>,
    rehashes: bool,
    /// What becomes of an UPDATE.
    fails: bool,
    /// Whether the hash is another one by the time that it was checked.
    changed: Mutex<bool>,
    written: AtomicUsize,
    looked_up: AtomicUsize,
}

impl Table {
    fn user(&self) -> Arc<User> {
        let hash = StoredHash::parse(&self.hash.lock()).unwrap();
        let disabled = *self.disabled.lock();
        Arc::new(User { disabled, ..User::plain("alice", hash, ScopeSet::parse("me").unwrap()) })
    }
}

#[async_trait]
impl UserStore for Table {
    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        self.looked_up.fetch_add(1, Ordering::SeqCst);
        let user = self.user();
        Ok(Candidate { hash: Arc::clone(&user.password_hash), user: Some(user) })
    }

    async fn find(&self, _: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        Ok((!*self.unusable.lock()).then(|| self.user()))
    }

    fn is_unusable(&self, _: &str) -> bool {
        *self.unusable.lock()
    }

    fn still_has(&self, _: &User) -> bool {
        !*self.changed.lock()
    }

    fn rehashes(&self) -> bool {
        self.rehashes
    }

    async fn rehash(&self, username: &str, expected: &StoredHash, hash: &str) -> Result<(), UserStoreError> {
        assert_eq!(username, "alice");
        if *self.user().password_hash != *expected {
            return Ok(());
        }
        self.written.fetch_add(1, Ordering::SeqCst);
        if self.fails {
            return Err(UserStoreError("read only".to_owned()));
        }
        hash.clone_into(&mut self.hash.lock());
        Ok(())
    }
}

struct World {
    table: Arc<Table>,
    grants: Grants,
    caller: Caller,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new(hash: &str, rehashes: bool, fails: bool) -> Self {
        Self::over(Arc::new(MemoryStore::new(None)), hash, rehashes, fails).await
    }

    async fn over(store: Arc<dyn Store>, hash: &str, rehashes: bool, fails: bool) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let table = Table { hash: Mutex::new(hash.to_owned()), rehashes, fails, ..Table::default() };
        Self { clock: Arc::clone(&clock), ..Self::by(clock, store, table).await }
    }

    /// By a clock that nothing here moves.
    async fn by(clock: Arc<dyn Clock>, store: Arc<dyn Store>, table: Table) -> Self {
        let table = Arc::new(table);
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let revocations = Arc::new(Revocations::open(store, clock, cache).await.unwrap());
        let clock: Arc<dyn Clock> = Arc::clone(revocations.clock()) as _;
        let ring =
            KeyRing::of(Arc::new(SigningKey::from_secret(&Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja")).unwrap()));
        let users: Arc<dyn UserStore> = Arc::clone(&table) as _;
        let throttle = Throttles::new(ThrottleSettings { per_user: None, per_address: None });
        let grants = Grants {
            settings: settings(),
            issuer: Some(Issuer::new(ISSUER.to_owned(), Vec::new(), "JWT", false, ring.clone())),
            server_keys: Arc::new(ServerKeys::new([&Secret::new([7; 32])]).unwrap()),
            verifier: Arc::new(Verifier::of(IssuerRules::own(ISSUER), &ring)),
            issuers: Arc::default(),
            clients: Clients::new(Vec::new(), ClientRules::compat()),
            recheck: Arc::new(Recheck::new(Arc::clone(&users), None, Arc::clone(&clock))),
            users,
            hasher: Arc::new(Hasher::new(HashingSettings { concurrency: None, queue: 1 }, 3)),
            throttle,
            revocations,
            clock,
            telemetry: Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default())),
        };
        Self { table, grants, caller: Caller::Anonymous, clock: Arc::default() }
    }

    async fn log_in(&self) -> String {
        self.try_log_in().await.unwrap()
    }

    async fn try_log_in(&self) -> Result<String, GrantError> {
        let login =
            Login { caller: &self.caller, username: "alice", password: Secret::new(PASSWORD), scope: None, from: None };
        self.grants.log_in(login).await.map(|minted| minted.refresh_token.unwrap())
    }

    fn ends(&self) -> TokenEnds {
        let Grants { settings, revocations, clock, telemetry, .. } = &self.grants;
        TokenEnds::new(settings, Arc::clone(revocations), Arc::clone(clock), Arc::clone(telemetry))
    }

    async fn family(&self, token: &str) -> Family {
        let token = RefreshToken::read(token, &self.grants.server_keys).unwrap();
        self.grants.revocations.store().family(Sid::of(&token.family)).await.unwrap().unwrap()
    }

    async fn refresh(&self, token: &str) -> Result<String, GrantError> {
        self.grants.refresh(&self.caller, token, None, None).await.map(|minted| minted.refresh_token.unwrap())
    }

    fn put(&self, hash: String) {
        *self.table.hash.lock() = hash;
    }

    /// Until so many UPDATEs were tried; they are made beside the answer.
    async fn written(&self, count: usize) {
        while self.table.written.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

fn settings() -> Settings {
    Settings {
        issuer: ISSUER.to_owned(),
        resources: Vec::new(),
        audience: Vec::new(),
        typ: "JWT".to_owned(),
        token_types: vec![TokenType::Jwt],
        scope_claim: ScopeClaim::Scope,
        default_scopes: None,
        access_ttl: Duration::from_mins(15),
        refresh_ttl: Duration::from_hours(24),
        refresh_idle: Duration::from_hours(24),
        refresh_grace: Duration::ZERO,
        leeway: Duration::ZERO,
        claims: Vec::new(),
        cascade: false,
    }
}

fn weak() -> String {
    let argon2 = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(64, 1, 1, None).unwrap(),
    );
    argon2::PasswordHasher::hash_password(&argon2, PASSWORD.as_bytes()).unwrap().to_string()
}

#[tokio::test]
async fn an_outdated_hash_is_made_anew_at_login_and_sessions_live_on() {
    let world = World::new(&weak(), true, false).await;
    let before = world.log_in().await;
    world.written(1).await;
    let stored = world.table.hash.lock().clone();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    let second = world.log_in().await;
    assert_eq!(*world.table.hash.lock(), stored, "good enough now");
    let mut sessions = vec![before, second];
    for session in &mut sessions {
        *session = world.refresh(session).await.unwrap();
    }
    // Whereas a password that is set ends both, and one at a time.
    world.put(weak());
    for session in sessions {
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::PasswordChanged);
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::InvalidRefreshToken, "it is over");
    }
}

#[tokio::test]
async fn a_hash_is_left_alone_unless_that_is_asked_for_and_needed() {
    let good = crate::users::password::hash(&Secret::new(PASSWORD)).unwrap();
    for (hash, rehashes, begun) in [(weak(), true, true), (weak(), false, false), (good, true, false)] {
        let world = World::new(&hash, rehashes, false).await;
        let renewing = world.grants.renew_outdated(&world.table.user(), &Secret::new(PASSWORD));
        assert_eq!(renewing.is_some(), begun, "{hash} {rehashes}");
        if let Some(renewing) = renewing {
            renewing.await.unwrap();
        }
        assert_eq!(world.table.written.load(Ordering::SeqCst), usize::from(begun));
    }
}

#[tokio::test]
async fn a_login_does_not_hang_on_the_new_hash() {
    let hash = weak();
    let world = World::new(&hash, true, true).await;
    let session = world.log_in().await;
    world.written(1).await;
    assert!(world.refresh(&session).await.is_ok());
    world.log_in().await;
    world.written(2).await;
    assert_eq!(*world.table.hash.lock(), hash);
}

/// The hash that was verified is not the one that is there when the new one is ready.
#[tokio::test]
async fn a_password_that_was_changed_meanwhile_does_not_come_back() {
    let world = World::new(&weak(), true, false).await;
    let user = world.table.user();
    let changed = weak();
    world.put(changed.clone());
    world.grants.renew(&user, Secret::new(PASSWORD)).await;
    assert_eq!((world.table.written.load(Ordering::SeqCst), &*world.table.hash.lock()), (0, &changed));
}

#[tokio::test]
async fn where_there_is_no_room_nobody_is_looked_up() {
    let world = World::new(&weak(), false, false).await;
    let places: Vec<_> = (0..3).map(|_| world.grants.hasher.admit().unwrap()).collect();
    let login =
        || Login { caller: &world.caller, username: "alice", password: Secret::new(PASSWORD), scope: None, from: None };
    assert!(matches!(world.grants.log_in(login()).await, Err(GrantError::Busy(_))));
    assert_eq!(world.table.looked_up.load(Ordering::SeqCst), 0);
    drop(places);
    world.log_in().await;
}

#[tokio::test]
async fn a_user_who_is_disabled_has_no_sessions_afterwards() {
    let world = World::new(&weak(), false, false).await;
    let session = world.log_in().await;
    *world.table.disabled.lock() = true;
    assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::UserDisabled);
    *world.table.disabled.lock() = false;
    assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::InvalidRefreshToken);
}

/// Nobody refreshed it in the meantime, so nobody saw that it is over.
#[tokio::test]
async fn a_session_that_slept_while_its_user_was_disabled_is_over() {
    let world = World::new(&weak(), false, false).await;
    let before = world.log_in().await;
    world.clock.advance(Duration::from_millis(10));
    world.ends().end_all(&["alice".to_owned()], world.clock.now()).await;
    // Logged in anew in the same second.
    world.clock.advance(Duration::from_millis(1));
    let after = world.log_in().await;
    world.clock.advance(Duration::from_hours(23));
    assert!(world.refresh(&after).await.is_ok());
    assert_eq!(world.refresh(&before).await.unwrap_err(), GrantError::InvalidRefreshToken);
    assert_eq!(world.refresh(&before).await.unwrap_err(), GrantError::InvalidRefreshToken, "it is over");
}

#[tokio::test]
async fn a_hash_that_cannot_be_checked_ends_no_session() {
    let world = World::new(&weak(), false, false).await;
    let session = world.log_in().await;
    *world.table.unusable.lock() = true;
    for _ in 0..2 {
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::UserUnusable);
    }
    *world.table.unusable.lock() = false;
    assert!(world.refresh(&session).await.is_ok());
}

#[tokio::test]
async fn a_login_whose_password_was_changed_meanwhile_gets_nothing() {
    let world = World::new(&weak(), false, false).await;
    *world.table.changed.lock() = true;
    assert_eq!(world.try_log_in().await.unwrap_err(), GrantError::WrongLogin);
    assert_eq!(world.grants.revocations.store().latest_access_exp().await.unwrap(), Timestamp::default());
}

/// Of before there were any, or of a server key that is gone.
#[tokio::test]
async fn a_session_without_a_print_gets_one_at_its_next_refresh() {
    let world = World::new(&weak(), false, false).await;
    let lost = ServerKeys::new([&Secret::new([8; 32])]).unwrap();
    for print in [None, Some(world.table.user().password_hash.print(&lost))] {
        let session = world.log_in().await;
        let token = RefreshToken::read(&session, &world.grants.server_keys).unwrap();
        let stored = world.family(&session).await;
        let bare = Family { password: print, ..stored.clone() };
        world.grants.revocations.store().swap(Sid::of(&token.family), &stored, bare).await.unwrap();
        let session = world.refresh(&session).await.unwrap();
        let known = world.family(&session).await.password.unwrap();
        assert_eq!(world.table.user().password_hash.is_of(&known, &world.grants.server_keys), Some(true));
        let before = world.table.hash.lock().clone();
        world.put(weak());
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::PasswordChanged);
        world.put(before);
    }
}

/// A failover can lose the end of a session that nobody's replica had yet; the mark is in the view of whoever saw it.
#[tokio::test]
async fn a_session_that_comes_back_is_over_where_its_mark_is_known() {
    for (what, is_over, stale) in
        [("of its current token", true, false), ("of an old token", true, true), ("without a mark", false, false)]
    {
        let world = World::new(&weak(), false, false).await;
        let (first, revocations) = (world.log_in().await, &world.grants.revocations);
        let session = if stale { world.refresh(&first).await.unwrap() } else { first.clone() };
        let sid = Sid::of(&RefreshToken::read(&first, &world.grants.server_keys).unwrap().family);
        let alive = world.family(&session).await;
        let client = Client {
            id: alive.client.clone().unwrap(),
            secret: None,
            grants: vec![GrantKind::RefreshToken],
            scopes: None,
            default: true,
        };
        assert!(world.grants.live_session(&client, &session).await.unwrap().is_some());
        if is_over {
            assert!(revocations.revoke_session(sid, ISSUER, Duration::ZERO).await.unwrap());
            let ended = world.family(&session).await;
            revocations.store().swap(sid, &ended, alive.clone()).await.unwrap();
        }
        assert!(!world.family(&session).await.revoked, "{what}");
        assert_eq!(world.grants.live_session(&client, &session).await.unwrap().is_none(), is_over, "{what}");
        assert!(!world.family(&session).await.revoked, "{what}: to ask is not to use");
        let shown = if stale { &first } else { &session };
        let answer = world.refresh(shown).await;
        if !is_over {
            assert!(answer.is_ok());
            continue;
        }
        assert_eq!(answer.unwrap_err(), GrantError::InvalidRefreshToken, "{what}");
        assert_eq!(world.family(&session).await, alive.revoke(), "{what}: and for good, beyond the life of the mark");
        world.clock.advance(Duration::from_hours(1));
        assert!(!revocations.has_ended(ISSUER, sid));
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::InvalidRefreshToken, "{what}");
    }
}
