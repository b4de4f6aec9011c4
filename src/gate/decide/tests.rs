mod new_keys;
mod store;
mod users;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::base::{Clock, ManualClock, base64url};
use crate::keys::{KeySet, LiveKeys, SigningKey, pem};
use crate::policy::{PathPattern, RouteSpec};
use crate::revocation::{CacheSettings, Mark, MarkKind, MemoryStore};
use crate::telemetry::{Settings, Sink};
use crate::tokens::IssuerRules;

const A: &str = "https://a.example";
const B: &str = "https://b.example";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A gate that trusts two issuers, whose keys can be set.
struct World {
    gate: Gate,
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    keys: [SigningKey; 2],
    live: [Arc<LiveKeys>; 2],
}

impl World {
    async fn new(routes: Vec<RouteSpec>) -> Self {
        let key =
            || SigningKey::from_pem(pem::generate(crate::keys::Algorithm::Es256).unwrap().expose(), None).unwrap();
        let keys = [key(), key()];
        let live = [&keys[0], &keys[1]].map(|key| Arc::new(LiveKeys::new(KeySet::new([key.verifying().clone()]))));
        let rules = |issuer: &str| IssuerRules {
            own: false,
            audience: vec!["api".to_owned(), "web".to_owned()],
            subject_prefix: format!("{issuer}|"),
            ..IssuerRules::own(issuer)
        };
        let verifier = Verifier::new([(rules(A), Arc::clone(&live[0])), (rules(B), Arc::clone(&live[1]))]);
        let (store, clock) = (Arc::new(MemoryStore::new(None)), Arc::new(ManualClock::at(NOW)));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let revocations = Arc::new(Revocations::open(store, clock, cache).await.unwrap());
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let table = Table::compile(routes, Access::Authenticated, false).unwrap();
        let issuers = (Arc::new(verifier), Arc::default());
        let gate = Gate::new(table, issuers, Arc::clone(&revocations), Arc::clone(&telemetry));
        Self { gate, revocations, telemetry, keys, live }
    }

    fn token(&self, issuer: usize, claims: &Value) -> String {
        let (key, name) = (&self.keys[issuer], [A, B][issuer]);
        let mut all = json!({ "iss": name, "sub": "admin", "aud": "api", "exp": NOW.seconds() + 600, "iat": NOW.seconds(), "scope": "me" });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let header = json!({ "alg": "ES256", "kid": key.kid() }).to_string();
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(all.to_string()));
        format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes()).unwrap()))
    }

    fn decide(&self, path: &str, token: &str, seconds: u64) -> Decision {
        let path = CanonicalPath::parse(path.as_bytes()).unwrap();
        let facts = RequestFacts::new("GET", &path, Credential::Bearer(token));
        self.gate.decide(&facts, NOW.plus(Duration::from_secs(seconds)))
    }

    fn refused(&self, path: &str, token: &str) -> Option<&'static str> {
        self.decide(path, token, 0).outcome.err().map(|denial| denial.reason.as_str())
    }

    fn counted(&self, line: &str) -> bool {
        let rendered = self.telemetry.metrics.render();
        rendered.lines().any(|known| known == line)
    }
}

fn route(path: &str, more: impl FnOnce(&mut RouteSpec)) -> RouteSpec {
    let mut route = RouteSpec::new(PathPattern::parse(path).unwrap(), Access::Authenticated);
    more(&mut route);
    route
}

fn routes() -> Vec<RouteSpec> {
    vec![
        route("/web", |route| route.audience = vec!["other".to_owned(), "web".to_owned()]),
        route("/a", |route| route.issuers = vec![A.to_owned()]),
        route("/b", |route| route.issuers = vec![B.to_owned()]),
        route("/any", |route| route.issuers = vec![A.to_owned(), B.to_owned()]),
        route("/optional", |route| {
            route.access = Access::Optional;
            route.issuers = vec![B.to_owned()];
        }),
        route("/items", |route| route.scopes = crate::tokens::ScopeSet::parse("items").unwrap()),
    ]
}

/// What was once allowed for one route is not remembered for another, in whichever order they are asked for.
#[tokio::test]
async fn what_a_route_asks_for_is_asked_on_every_request() {
    let world = World::new(routes()).await;
    let token = world.token(0, &json!({}));
    let web = world.token(0, &json!({ "aud": ["web", "api"] }));
    for _ in 0..2 {
        for (path, token, refused) in [
            ("/", &token, None),
            ("/web", &token, Some("wrong-audience")),
            ("/a", &token, None),
            ("/b", &token, Some("issuer-not-allowed")),
            ("/any", &token, None),
            ("/optional", &token, Some("issuer-not-allowed")),
            ("/items", &token, Some("insufficient-scope")),
            ("/web", &web, None),
            ("/b", &web, Some("issuer-not-allowed")),
        ] {
            assert_eq!(world.refused(path, token), refused, "{path}");
        }
    }
    assert!(world.counted("doorward_verified_token_cache_total{result=\"miss\"} 2"), "each was verified once");
    let statuses = ["/web", "/b"].map(|path| world.decide(path, &token, 0).outcome.unwrap_err());
    assert_eq!(statuses.each_ref().map(Denial::status), [401, 403]);
    assert_eq!(statuses.map(|denial| denial.challenge(&crate::gate::Wording::full(), None).is_some()), [true, false]);
}

/// attacks.md J43: an identity is an issuer and a subject.
#[tokio::test]
async fn a_user_of_one_issuer_is_nobody_at_another() {
    let world = World::new(Vec::new()).await;
    let [of_a, of_b] = [0, 1].map(|issuer| world.token(issuer, &json!({ "jti": "one", "sid": "s" })));
    let seen = |token: &str| {
        let permit = world.decide("/", token, 0).outcome.unwrap();
        let claims = permit.identity().unwrap();
        ["sub", "iss"].map(|name| claims.all.read().get(name).and_then(Value::as_str).unwrap().to_owned())
    };
    assert_eq!(seen(&of_a), ["https://a.example|admin", A]);
    assert_eq!(seen(&of_b), ["https://b.example|admin", B]);
    for (kind, value) in [(MarkKind::Jti, "one"), (MarkKind::Sid, "s"), (MarkKind::Sub, "admin")] {
        let world = World::new(Vec::new()).await;
        let [of_a, of_b] = [0, 1].map(|issuer| world.token(issuer, &json!({ "jti": "one", "sid": "s" })));
        assert_eq!([&of_a, &of_b].map(|token| world.refused("/", token)), [None, None], "{kind:?}");
        let mark = Mark {
            kind,
            issuer: A.to_owned(),
            value: value.to_owned(),
            expires_at: NOW.plus(Duration::from_hours(1)),
            issued_before: (kind == MarkKind::Sub).then(|| NOW.plus(Duration::from_secs(1))),
        };
        world.revocations.mark(mark).await.unwrap();
        assert_eq!([&of_a, &of_b].map(|token| world.refused("/", token)), [Some("revoked"), None], "{kind:?}");
    }
}

#[tokio::test]
async fn each_token_is_counted_once_for_its_issuer() {
    let world = World::new(Vec::new()).await;
    let token = world.token(0, &json!({}));
    assert_eq!(world.refused("/x;y", &token), None, "a path with two readings");
    assert_eq!(world.refused("/", &world.token(1, &json!({ "aud": "x" }))), Some("wrong-audience"));
    assert_eq!(world.refused("/", &world.token(1, &json!({ "iss": "https://c" }))), Some("wrong-issuer"));
    world.live[0].replace(KeySet::unavailable());
    assert_eq!(world.refused("/", &token), Some("keys-unavailable"));
    world.live[0].replace(KeySet::new([]));
    assert_eq!(world.refused("/", &token), Some("unknown-key"));
    for line in [
        "doorward_token_validations_total{issuer=\"https://a.example\",result=\"ok\"} 1",
        "doorward_token_validations_total{issuer=\"https://b.example\",result=\"wrong-audience\"} 1",
        "doorward_token_validations_total{issuer=\"https://a.example\",result=\"keys-unavailable\"} 1",
        "doorward_token_validations_total{issuer=\"https://a.example\",result=\"unknown-key\"} 1",
    ] {
        assert!(world.counted(line), "{line} in {}", world.telemetry.metrics.render());
    }
}

/// An issuer that is down has withdrawn nothing; one that publishes other keys has.
#[tokio::test]
async fn a_stream_outlives_an_outage_of_its_issuer_and_not_its_key() {
    let world = World::new(routes()).await;
    let token = world.token(0, &json!({ "jti": "one" }));
    let verified = world.decide("/a", &token, 0).verified.unwrap().shared();
    let path = CanonicalPath::parse(b"/a").unwrap();
    let ended = |seconds| {
        world
            .gate
            .ended(("GET", &path), &verified, Streams::End, NOW.plus(Duration::from_secs(seconds)))
            .map(Reason::as_str)
    };
    assert_eq!(ended(0), None);
    world.live[0].replace(KeySet::unavailable());
    assert_eq!((ended(0), ended(629), ended(630)), (None, None, Some("expired")));
    world.live[0].replace(KeySet::new([world.keys[1].verifying().clone()]));
    assert_eq!(ended(0), Some("unknown-key"));
    world.live[0].replace(KeySet::unavailable());
    let mark = Mark {
        kind: MarkKind::Jti,
        issuer: A.to_owned(),
        value: "one".to_owned(),
        expires_at: NOW.plus(Duration::from_hours(1)),
        issued_before: None,
    };
    world.revocations.mark(mark).await.unwrap();
    assert_eq!(ended(0), Some("revoked"), "an outage hides no mark");
    let path = CanonicalPath::parse(b"/b").unwrap();
    let ended = world.gate.ended(("GET", &path), &verified, Streams::End, NOW);
    assert!(ended.is_some(), "and opens no route");
}
