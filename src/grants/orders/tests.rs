//! What is marked, and for how long, by what was issued and not by what is set.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::*;
use crate::base::{Clock, ManualClock, Secret, Uptime};
use crate::grants::{Caller, ClientRules, Clients, Login, ScopeClaim, Settings};
use crate::keys::{Algorithm, KeyNumber, KeyRing, KeySet, LiveKeys, ServerKeys, SigningKey, pem};
use crate::revocation::{
    CacheSettings, Family, Identifiers, MemoryStore, Revocations, SessionLife, Standing, Store, StoredMark,
};
use crate::telemetry::{self, Sink, Telemetry};
use crate::tokens::{AccessToken, FamilyId, Issuer, IssuerRules, ScopeSet, TokenType, Verifier};
use crate::users::{
    Candidate, Hasher, HashingSettings, Recheck, ThrottleSettings, Throttles, User, UserStore, UserStoreError,
};

const OWN: &str = "https://api.example.com";
const OTHER: &str = "https://other.example.com";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// What every mark lives longer than its tokens.
const MORE: u64 = 5 * MINUTE;
/// And than those of another issuer, which end by the clocks of all instances.
const CLOCKS: u64 = HOUR;

/// Nobody asks for users here.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl UserStore for Nobody {
    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        Err(UserStoreError("nobody".to_owned()))
    }

    async fn find(&self, _: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        Ok(None)
    }
}

struct World {
    grants: Grants,
    store: Arc<MemoryStore>,
    sink: Sink,
    own: Issuer,
    other: Issuer,
}

impl World {
    /// Today tokens live a minute, and sessions two.
    async fn new(store: MemoryStore) -> Self {
        let store = Arc::new(store);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let revocations = Revocations::open(Arc::clone(&store) as _, clock, cache).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::clone(revocations.clock()) as _;
        let keys: Vec<_> =
            (0..2).map(|_| SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None)).collect();
        let [own, other] = keys.try_into().unwrap();
        let [own, other] = [own, other].map(|key: Result<SigningKey, _>| Arc::new(key.unwrap()));
        let live = |key: &SigningKey| Arc::new(LiveKeys::new(KeySet::new([key.verifying().clone()])));
        let rules = IssuerRules { own: false, max_lifetime: Duration::from_secs(30 * DAY), ..IssuerRules::own(OTHER) };
        let verifier = Verifier::new([(IssuerRules::own(OWN), live(&own)), (rules, live(&other))]);
        let issuer = |name: &str, key| Issuer::new(name.to_owned(), Vec::new(), "JWT", false, KeyRing::of(key));
        let sink = Sink::memory();
        let users: Arc<dyn UserStore> = Arc::new(Nobody);
        let grants = Grants {
            settings: settings(),
            issuer: None,
            server_keys: Arc::new(ServerKeys::new([&Secret::new([7; 32])]).unwrap()),
            verifier: Arc::new(verifier),
            issuers: Arc::default(),
            clients: Clients::new(Vec::new(), ClientRules::compat()),
            recheck: Arc::new(Recheck::new(Arc::clone(&users), None, Arc::clone(&clock))),
            users,
            hasher: Arc::new(Hasher::new(HashingSettings { concurrency: None, queue: 1 }, 1)),
            throttle: Throttles::new(ThrottleSettings { per_user: None, per_address: None }),
            revocations: Arc::new(revocations),
            clock,
            telemetry: Arc::new(Telemetry::new(sink.clone(), &telemetry::Settings::default())),
        };
        Self { grants, store, sink, own: issuer(OWN, own), other: issuer(OTHER, other) }
    }

    /// The text of an access token of johndoe, with a `jti`.
    fn token(issuer: &Issuer, life: u64) -> (String, String) {
        let issued = issuer
            .write(&AccessToken {
                subject: "johndoe",
                client: "web",
                scopes: &ScopeSet::default(),
                session: None,
                issued_at: NOW,
                expires_at: after(life),
                attributes: &serde_json::Map::default(),
                random: [3; 16],
            })
            .unwrap();
        (issued.token, issued.token_id)
    }

    /// A session whose last access token lives so long.
    async fn session(&self, access: u64) -> (Sid, String) {
        let id = FamilyId([9; 16]);
        let life = SessionLife { now: NOW, absolute: Duration::from_secs(DAY), idle: Duration::from_secs(DAY) };
        let key = self.grants.server_keys.current();
        let family =
            Family::begin("johndoe", Some("web"), ScopeSet::default(), KeyNumber(key.0), life).issued(after(access));
        self.store.create(Sid::of(&id), family).await.unwrap();
        let token = RefreshToken { key, family: id, generation: 0 };
        (Sid::of(&id), token.write(&self.grants.server_keys).unwrap())
    }

    async fn order(&self, kind: OrderKind, value: &str, issuer: Option<&str>) -> Result<Ordered, OrderError> {
        let value = Zeroizing::new(value.to_owned());
        let order = Order { kind, value, issuer: issuer.map(str::to_owned), reason: Some("why not".to_owned()) };
        self.grants.order(&order, None).await
    }

    async fn marks(&self) -> Vec<StoredMark> {
        self.store.marks(None, 100).await.unwrap()
    }
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn settings() -> Settings {
    Settings {
        issuer: OWN.to_owned(),
        audience: Vec::new(),
        resources: Vec::new(),
        typ: "JWT".to_owned(),
        token_types: vec![TokenType::Jwt],
        scope_claim: ScopeClaim::Scope,
        default_scopes: None,
        access_ttl: Duration::from_secs(MINUTE),
        refresh_ttl: Duration::from_secs(10 * DAY),
        refresh_idle: Duration::from_secs(2 * MINUTE),
        refresh_grace: Duration::ZERO,
        leeway: Duration::ZERO,
        claims: Vec::new(),
        cascade: false,
    }
}

#[tokio::test]
async fn marks_live_as_long_as_what_they_can_match() {
    // Kind, whose, until when; before it, tokens alone that live so long and sessions that idle so long were issued.
    let cases = [
        // Nothing was: what is issued at this moment is matched all the same.
        (OrderKind::Jti, None, (0, 0), MINUTE + MORE),
        (OrderKind::Session, None, (0, 0), MINUTE + MORE),
        (OrderKind::Subject, None, (0, 0), MINUTE + MORE),
        (OrderKind::Client, None, (0, 0), MINUTE + MORE),
        // Longer than today's setting.
        (OrderKind::Jti, None, (HOUR, 0), HOUR + 15 * MINUTE + MORE),
        (OrderKind::Subject, None, (HOUR, 0), HOUR + 15 * MINUTE + MORE),
        (OrderKind::Client, None, (HOUR, 0), HOUR + 15 * MINUTE + MORE),
        // A session could be refreshed until then; a token has none.
        (OrderKind::Jti, None, (HOUR, DAY), HOUR + 15 * MINUTE + MORE),
        (OrderKind::Session, None, (HOUR, DAY), HOUR + 15 * MINUTE + MORE),
        (OrderKind::Subject, None, (HOUR, DAY), DAY + 15 * MINUTE),
        (OrderKind::Client, None, (HOUR, DAY), DAY + 15 * MINUTE),
        // Of what another issuer issues only the longest is known.
        (OrderKind::Jti, Some(OTHER), (0, 0), 30 * DAY + MORE + CLOCKS),
        (OrderKind::Session, Some(OTHER), (0, 0), 30 * DAY + MORE + CLOCKS),
        (OrderKind::Subject, Some(OTHER), (HOUR, DAY), 30 * DAY + MORE + CLOCKS),
        (OrderKind::Client, Some(OTHER), (HOUR, DAY), 30 * DAY + MORE + CLOCKS),
    ];
    for (kind, issuer, (tokens, sessions), until) in cases {
        let world = World::new(MemoryStore::new(None)).await;
        let end = |life| if life == 0 { Timestamp::default() } else { after(life) };
        world.grants.revocations.cover(Until { tokens: end(tokens), sessions: end(sessions) }).await.unwrap();
        let value = if kind == OrderKind::Session { Sid::from_bytes([5; 16]).to_string() } else { "name".to_owned() };
        let done = world.order(kind, &value, issuer).await.unwrap();
        let case = format!("{kind:?} {issuer:?} {tokens} {sessions}");
        assert_eq!(done.expires_at, after(until), "{case}");
        let [mark] = world.marks().await.try_into().unwrap();
        let name = mark.name.unwrap();
        assert_eq!((OrderKind::of_mark(name.kind), name.issuer.as_str()), (kind, issuer.unwrap_or(OWN)), "{case}");
        assert_eq!((name.value, mark.expires_at), (value, after(until)), "{case}");
        let cut_off = matches!(kind, OrderKind::Subject | OrderKind::Client).then_some(NOW);
        assert_eq!(mark.issued_before, cut_off, "{case}");
        let log = world.sink.lines().concat();
        assert!(log.contains("audit=revoked") && log.contains("reason=\"why not\""), "{case}: {log}");
    }
}

#[tokio::test]
async fn a_token_is_marked_by_its_name_until_its_own_end() {
    let world = World::new(MemoryStore::new(None)).await;
    // Longer than the gate takes it today: that may change.
    for (issuer, of, life, more) in
        [(&world.own, OWN, 7 * MINUTE, MORE), (&world.other, OTHER, 100 * DAY, MORE + CLOCKS)]
    {
        let (token, jti) = World::token(issuer, life);
        for named in [None, Some(of)] {
            let done = world.order(OrderKind::Token, &token, named).await.unwrap();
            assert_eq!(done.expires_at, after(life + more), "{of}");
        }
        let marks = world.marks().await;
        let mark = marks.iter().find(|mark| mark.name.as_ref().is_some_and(|name| name.issuer == of)).unwrap();
        assert_eq!((mark.name.as_ref().unwrap().value.as_str(), mark.issued_before), (jti.as_str(), None));
        assert!(!world.sink.lines().concat().contains(&token), "in the log");
    }
    assert_eq!(world.marks().await.len(), 2, "to mark again changes nothing");
    let (token, _) = World::token(&world.own, MINUTE);
    assert_eq!(world.order(OrderKind::Token, &token, Some(OTHER)).await, Err(OrderError::OtherIssuer));
}

#[tokio::test]
async fn tokens_of_others_are_marked_by_the_clock_that_judges_them() {
    // By how many seconds the store's clock is ahead. The token has a minute left by this machine's.
    for ahead in [6 * 60, 0, -5 * 60, -3 * 60 * 60] {
        for by_order in [true, false] {
            let world = World::new(MemoryStore::new(None)).await;
            let server = Timestamp::from_seconds(NOW.seconds() + ahead);
            world.grants.revocations.clock().measured(Uptime::default(), Uptime::default(), server);
            let (token, jti) = World::token(&world.other, MINUTE);
            if by_order {
                world.order(OrderKind::Token, &token, None).await.unwrap();
            } else {
                world.grants.revoke(&Caller::Anonymous, &token, None).await.unwrap();
            }
            let revoked = Identifiers {
                issuer: OTHER,
                jti: Some(&jti),
                sid: None,
                subject: "johndoe",
                client: None,
                issued_at: Some(NOW),
            };
            // Also where its clock is half an hour behind this one's.
            for local in [0, MINUTE + MORE, MINUTE + MORE + HOUR / 2] {
                let now = world.grants.revocations.clock().at(after(local));
                let (standing, _) = world.grants.revocations.standing(&revoked, now);
                assert_eq!(standing, Standing::Revoked(MarkKind::Jti), "{ahead} {by_order} {local}");
            }
        }
    }
}

#[tokio::test]
async fn what_we_issued_is_cut_off_by_the_stores_clock_and_what_others_did_by_the_later_of_it_and_this_machines() {
    for ahead in [6 * 60, 0, -5 * 60] {
        let world = World::new(MemoryStore::new(None)).await;
        let server = Timestamp::from_seconds(NOW.seconds() + ahead);
        let sent = Uptime::default();
        // There and back in 20 ms, so that it is known to ten or so.
        world.grants.revocations.clock().measured(sent, Uptime::after_start(Duration::from_millis(20)), server);
        let now = world.grants.clock.now();
        for (kind, issuer) in [
            (OrderKind::Subject, OTHER),
            (OrderKind::Client, OTHER),
            (OrderKind::Subject, OWN),
            (OrderKind::Client, OWN),
        ] {
            world.order(kind, issuer, Some(issuer)).await.unwrap();
            let marks = world.marks().await;
            let named = |mark: &&StoredMark| {
                mark.name.as_ref().is_some_and(|name| name.issuer == issuer && OrderKind::of_mark(name.kind) == kind)
            };
            let cutoff = marks.iter().find(named).unwrap().issued_before.unwrap();
            let expected = if issuer == OTHER { now.max(NOW) } else { now.plus(Duration::from_millis(12)) };
            assert_eq!(cutoff, expected, "{ahead} {kind:?} {issuer}: no later than it may be");
        }
        assert_eq!(world.grants.issuing(), now.minus(Duration::from_millis(12)), "no earlier than it may be");
    }
}

#[tokio::test]
async fn a_session_ends_by_its_refresh_token_and_by_its_name() {
    for by_token in [true, false] {
        let world = World::new(MemoryStore::new(None)).await;
        let (sid, token) = world.session(HOUR).await;
        let name = sid.to_string();
        let (kind, value) = if by_token { (OrderKind::Token, &token) } else { (OrderKind::Session, &name) };
        for _ in 0..2 {
            let done = world.order(kind, value, None).await.unwrap();
            assert_eq!(done.expires_at, after(HOUR + MORE), "as its last access token");
        }
        assert!(world.store.family(sid).await.unwrap().unwrap().revoked);
        let [mark] = world.marks().await.try_into().unwrap();
        assert_eq!(mark.name.unwrap().value, name);
        let log = world.sink.lines().concat();
        assert!(log.contains(&format!("sid={name}")) && !log.contains(&token), "{log}");
        assert_eq!(world.order(OrderKind::Token, &token, Some(OTHER)).await, Err(OrderError::OtherIssuer));
    }
}

#[tokio::test]
async fn what_nobody_would_take_is_not_said_to_be_revoked() {
    let world = World::new(MemoryStore::new(None)).await;
    let (token, _) = World::token(&world.own, MINUTE);
    let (_, refresh) = world.session(HOUR).await;
    let forged = format!("{}A", &refresh[..refresh.len() - 1]);
    let cut = &token[..token.len() - 4];
    for (kind, value, issuer, error) in [
        (OrderKind::Token, "garbage", None, OrderError::NoToken),
        (OrderKind::Token, cut, None, OrderError::NoToken),
        (OrderKind::Token, "dwr_garbage", None, OrderError::NoToken),
        (OrderKind::Token, forged.as_str(), None, OrderError::NoToken),
        (OrderKind::Session, "johndoe", None, OrderError::NoSession),
        (OrderKind::Subject, "johndoe", Some("https://api.example.com/"), OrderError::UnknownIssuer),
        (OrderKind::Client, "web", Some(""), OrderError::UnknownIssuer),
    ] {
        assert_eq!(world.order(kind, value, issuer).await, Err(error), "{kind:?} {value}");
    }
    assert_eq!(world.marks().await, []);
    assert!(!world.sink.lines().concat().contains("audit=revoked"));
}

#[tokio::test]
async fn a_store_that_has_no_room_confirms_nothing() {
    let world = World::new(MemoryStore::new(Some(0))).await;
    let (token, _) = World::token(&world.own, MINUTE);
    for (kind, value) in
        [(OrderKind::Token, token.as_str()), (OrderKind::Subject, "johndoe"), (OrderKind::Client, "web")]
    {
        let refused = world.order(kind, value, None).await.unwrap_err();
        assert!(matches!(refused, OrderError::Grant(GrantError::Store(_))), "{refused:?}");
    }
    let log = world.sink.lines().concat();
    assert!(log.contains("reason=store-unavailable") && !log.contains("audit=revoked"), "{log}");
}

#[tokio::test]
async fn before_the_stores_time_is_known_nothing_is_issued_or_revoked() {
    let mut world = World::new(MemoryStore::new(None)).await;
    let (store, clock) = (Arc::clone(&world.store) as _, Arc::clone(&world.grants.clock));
    let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
    world.grants.revocations = Arc::new(Revocations::new(store, clock, cache).shared(Arc::default()));
    let (access, _) = World::token(&world.own, HOUR);
    let (sid, refresh) = world.session(HOUR).await;
    let (anybody, session) = (Caller::Anonymous, sid.to_string());
    let password = || Secret::new(*b"secret");
    let orders = [
        (OrderKind::Token, access.as_str()),
        (OrderKind::Token, &refresh),
        (OrderKind::Session, &session),
        (OrderKind::Subject, "johndoe"),
        (OrderKind::Client, "web"),
    ];
    for (kind, value) in orders {
        assert_eq!(world.order(kind, value, None).await, Err(GrantError::TimeUnknown.into()), "{kind:?}");
    }
    for token in [&access, &refresh] {
        assert_eq!(world.grants.revoke(&anybody, token, None).await, Err(GrantError::TimeUnknown));
    }
    assert_eq!(world.grants.refresh(&anybody, &refresh, None, None).await.err(), Some(GrantError::TimeUnknown));
    let login = Login { caller: &anybody, username: "johndoe", password: password(), scope: None, from: None };
    assert_eq!(world.grants.log_in(login).await.err(), Some(GrantError::TimeUnknown));
    assert!(world.marks().await.is_empty() && !world.store.family(sid).await.unwrap().unwrap().revoked);

    let clock = world.grants.revocations.clock();
    clock.measured(clock.uptime(), clock.uptime(), NOW);
    for (kind, value) in orders {
        assert!(world.order(kind, value, None).await.is_ok(), "{kind:?}");
    }
}
