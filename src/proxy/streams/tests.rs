use http::HeaderValue;
use serde_json::Map;

use super::super::request_id::RequestIds;
use super::*;
use crate::base::{ManualClock, Secret};
use crate::keys::{KeyRing, SigningKey};
use crate::policy::{Access, PathPattern, Reason, RouteSpec, Streams, Table};
use crate::revocation::{CacheSettings, Mark, MarkKind, MemoryStore, Revocations};
use crate::telemetry::{Settings, Sink};

use crate::tokens::{AccessToken, Issuer, IssuerRules, ScopeSet, Verifier};

const ISSUER: &str = "https://api.example.com";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LEEWAY: Duration = Duration::from_secs(30);

/// A gate, its marks, and tokens of its issuer.
struct World {
    gate: Gate,
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    sink: Sink,
    verifier: Arc<Verifier>,
    issuer: Issuer,
    ring: KeyRing,
    streams: Arc<OpenStreams>,
}

impl World {
    async fn new() -> Self {
        let ring = ring("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja");
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let (store, clock) = (Arc::new(MemoryStore::new(None)), Arc::new(ManualClock::at(NOW)));
        let revocations = Arc::new(Revocations::open(store, clock, cache).await.unwrap());
        let sink = Sink::memory();
        let telemetry = Arc::new(Telemetry::new(sink.clone(), &Settings::default()));
        let verifier = Arc::new(Verifier::of(rules(), &ring));
        let table = Table::compile(Vec::new(), Access::Authenticated, false).unwrap();
        let gate =
            Gate::new(table, (Arc::clone(&verifier), Arc::default()), Arc::clone(&revocations), Arc::clone(&telemetry));
        let issuer = Issuer::new(ISSUER.to_owned(), Vec::new(), "JWT", false, ring.clone());
        Self { gate, revocations, telemetry, sink, verifier, issuer, ring, streams: Arc::default() }
    }

    /// The gate after a reload.
    fn gate(&self, rules: IssuerRules, ring: &KeyRing, routes: Vec<RouteSpec>, default: Access) -> Gate {
        let table = Table::compile(routes, default, false).unwrap();
        let verifier = Arc::new(Verifier::of(rules, ring));
        Gate::new(table, (verifier, Arc::default()), Arc::clone(&self.revocations), Arc::clone(&self.telemetry))
    }

    /// A stream of `subject`, whose token lives so long.
    fn follow(&self, subject: &str, life: Duration) -> Followed {
        let access = AccessToken {
            subject,
            client: "public",
            scopes: &ScopeSet::parse("read write").unwrap(),
            session: None,
            issued_at: NOW,
            expires_at: NOW.plus(life),
            attributes: &Map::new(),
            random: [7; 16],
        };
        let token = self.issuer.write(&access).unwrap().token;
        let id = HeaderValue::from_str(&format!("request-of-{subject}")).unwrap();
        self.streams.follow(Stream {
            token: self.verifier.verify(&token, NOW).0.unwrap(),
            ongoing: Arc::default(),
            how: End::WebSocket,
            method: Method::GET,
            path: b"/chat/room;x"[..].into(),
            route: self.telemetry.metrics.unmatched().clone(),
            id: RequestIds::default().keep_or_make(Some(&id)),
            address: None,
        })
    }

    fn round(&self, now: Timestamp) {
        self.streams.end_those_due(&self.streams.all(), (&self.gate, Streams::End), now, &self.telemetry);
    }

    fn ended(&self, reason: &str) -> bool {
        self.telemetry.metrics.render().contains(&format!("doorward_streams_ended_total{{reason=\"{reason}\"}} 1\n"))
    }
}

fn ring(secret: &str) -> KeyRing {
    KeyRing::of(Arc::new(SigningKey::from_secret(&Secret::new(secret)).unwrap()))
}

fn rules() -> IssuerRules {
    IssuerRules { leeway: LEEWAY, ..IssuerRules::own(ISSUER) }
}

#[tokio::test]
async fn a_stream_is_judged_by_the_configuration_of_the_moment() {
    let world = World::new().await;
    let route = |path: &str, access| RouteSpec::new(PathPattern::parse(path).unwrap(), access);
    let asks =
        |scope| RouteSpec { scopes: ScopeSet::parse(scope).unwrap(), ..route("/chat/{x}", Access::Authenticated) };
    let says = |path, streams| RouteSpec { streams: Some(streams), ..route(path, Access::Authenticated) };
    let named =
        |method: &str| RouteSpec { methods: vec![method.to_owned()], ..route("/chat/{x}", Access::Authenticated) };
    let same = |routes| world.gate(rules(), &world.ring, routes, Access::Authenticated);
    let another = |rules| world.gate(rules, &world.ring, Vec::new(), Access::Authenticated);
    let limited = |scope| {
        let rules = IssuerRules { scopes: Some(ScopeSet::parse("read").unwrap()), ..rules() };
        world.gate(rules, &world.ring, vec![asks(scope)], Access::Authenticated)
    };
    let stranger = ring("Zk4Rw8Tn2Vb6Qx0Mc3Yd7Hf1Lj5Ps9Ga");
    let (before, after) = (NOW.plus(Duration::from_secs(61)), NOW.plus(Duration::from_secs(90)));
    for (name, gate, default, now, ended) in [
        ("as it was", same(Vec::new()), Streams::End, before, None),
        ("expired", same(Vec::new()), Streams::End, after, Some(Reason::Expired)),
        ("kept by default", same(Vec::new()), Streams::Keep, after, None),
        ("kept by its route", same(vec![says("/chat/**", Streams::Keep)]), Streams::End, after, None),
        ("ended by its route", same(vec![says("/chat/**", Streams::End)]), Streams::Keep, after, Some(Reason::Expired)),
        (
            "kept in one reading",
            same(vec![says("/chat/room", Streams::Keep)]),
            Streams::End,
            after,
            Some(Reason::Expired),
        ),
        (
            "no leeway",
            another(IssuerRules { leeway: Duration::ZERO, ..rules() }),
            Streams::End,
            before,
            Some(Reason::Expired),
        ),
        ("more leeway", another(IssuerRules { leeway: LEEWAY * 2, ..rules() }), Streams::End, after, None),
        (
            "another issuer",
            another(IssuerRules { issuer: "https://b".to_owned(), ..rules() }),
            Streams::End,
            NOW,
            Some(Reason::WrongIssuer),
        ),
        (
            "another audience",
            another(IssuerRules { audience: vec!["b".to_owned()], ..rules() }),
            Streams::End,
            NOW,
            Some(Reason::WrongAudience),
        ),
        (
            "another key",
            world.gate(rules(), &stranger, Vec::new(), Access::Authenticated),
            Streams::End,
            NOW,
            Some(Reason::UnknownKey),
        ),
        ("a closed route", same(vec![route("/chat/**", Access::Deny)]), Streams::End, NOW, Some(Reason::RouteDenied)),
        (
            "one reading closed",
            same(vec![route("/chat/room", Access::Deny)]),
            Streams::End,
            NOW,
            Some(Reason::RouteDenied),
        ),
        (
            "no route",
            world.gate(rules(), &world.ring, Vec::new(), Access::Deny),
            Streams::End,
            NOW,
            Some(Reason::NoRoute),
        ),
        ("no method", same(vec![named("POST")]), Streams::End, NOW, Some(Reason::MethodNotAllowed)),
        ("the method", same(vec![named("GET")]), Streams::End, NOW, None),
        ("its scope", same(vec![asks("write")]), Streams::End, NOW, None),
        (
            "a scope its issuer may not grant any more",
            limited("write"),
            Streams::End,
            NOW,
            Some(Reason::InsufficientScope),
        ),
        ("another one of those", limited("read"), Streams::End, NOW, None),
        ("another scope", same(vec![asks("admin")]), Streams::End, NOW, Some(Reason::InsufficientScope)),
    ] {
        let _stream = world.follow("alice", Duration::from_secs(60));
        let told = world.sink.lines().len();
        world.streams.end_those_due(&world.streams.all(), (&gate, default), now, &world.telemetry);
        assert_eq!(world.streams.all().is_empty(), ended.is_some(), "{name}");
        let lines = world.sink.lines().split_off(told);
        let reasons: Vec<_> =
            lines.iter().map(|line| ended.is_some_and(|reason| line.contains(reason.as_str()))).collect();
        assert_eq!(reasons, vec![true; usize::from(ended.is_some())], "{name}: {lines:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_once_when_its_token_has_expired() {
    let world = World::new().await;
    let _short = world.follow("alice", Duration::from_secs(60));
    let _long = world.follow("bob", Duration::from_secs(600));
    let end = NOW.plus(Duration::from_secs(60)).plus(LEEWAY);
    world.round(end.minus(Duration::from_millis(1)));
    assert_eq!((world.streams.all().len(), world.sink.lines().len()), (2, 0), "good to the last moment of its leeway");
    world.round(end);
    world.round(end);
    assert_eq!(world.streams.all().len(), 1, "the other goes on");
    assert!(world.ended("expired"));
    let [line] = &world.sink.lines()[..] else { panic!("one record") };
    for part in ["stream", "expired", "alice", "request-of-alice"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let world = World::new().await;
    let _revoked = world.follow("alice", Duration::from_secs(600));
    let _other = world.follow("bob", Duration::from_secs(600));
    world.round(NOW);
    assert_eq!(world.streams.all().len(), 2);
    let mark = Mark {
        kind: MarkKind::Sub,
        issuer: ISSUER.to_owned(),
        value: "alice".to_owned(),
        expires_at: NOW.plus(Duration::from_secs(1_000)),
        issued_before: Some(NOW.plus(Duration::from_secs(1))),
    };
    world.revocations.mark(mark).await.unwrap();
    world.round(NOW);
    assert_eq!(world.streams.all().len(), 1);
    assert!(world.ended("revoked"));
}

#[tokio::test]
async fn a_stream_that_ended_by_itself_is_forgotten() {
    let world = World::new().await;
    let streams = [world.follow("alice", Duration::from_secs(60)), world.follow("alice", Duration::from_secs(60))];
    let seen = world.streams.all();
    drop(streams);
    assert_eq!(world.streams.all().len(), 0);
    // A round that had seen them ends nothing, and tells nothing.
    world.streams.end_those_due(
        &seen,
        (&world.gate, Streams::End),
        NOW.plus(Duration::from_hours(1)),
        &world.telemetry,
    );
    assert_eq!(world.sink.lines().len(), 0);
}

#[test]
fn streams_are_told_by_status_and_media_type() {
    for (status, media_type, how) in [
        (101, None, Some(End::WebSocket)),
        (200, Some("text/event-stream"), Some(End::Cut)),
        (200, Some("Text/Event-Stream ; charset=utf-8"), Some(End::Cut)),
        (200, Some("text/event-streams"), None),
        (200, Some("application/octet-stream"), None),
        (200, None, None),
        (100, None, None),
    ] {
        let mut response = ResponseHeader::build(status, None).unwrap();
        if let Some(media_type) = media_type {
            response.insert_header(CONTENT_TYPE, media_type).unwrap();
        }
        assert_eq!(how_to_end(&response), how, "{status} {media_type:?}");
    }
}
