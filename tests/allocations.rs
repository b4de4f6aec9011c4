//! What a decision allocates: nothing, for a token that is remembered. Counted, so that a clone that slips in shows itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use doorward::base::{Clock, Secret, SystemClock, Timestamp};
use doorward::gate::credential::Credential;
use doorward::gate::{Gate, RequestFacts};
use doorward::keys::{KeyRing, SigningKey};
use doorward::policy::{Access, CanonicalPath, PathPattern, RouteSpec, Table};
use doorward::revocation::{CacheSettings, Mark, MarkKind, MemoryStore, Revocations};
use doorward::telemetry::{Decision, Listener, Method, Request, Settings, Sink, Telemetry};
use doorward::tokens::{AccessToken, Issuer, IssuerRules, ScopeSet, Verifier};
use doorward::users::{FileUsers, Recheck, StoredHash, User};
use serde_json::Map;

const ISSUER: &str = "https://api.example.com";

struct World {
    gate: Gate,
    telemetry: Arc<Telemetry>,
    issuer: Issuer,
    revocations: Arc<Revocations>,
    now: Timestamp,
}

impl World {
    async fn new() -> Self {
        let secret = Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja");
        let ring = KeyRing::of(Arc::new(SigningKey::from_secret(&secret).unwrap()));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(3600) };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = Arc::new(Revocations::open(store, Arc::new(SystemClock), cache).await.unwrap());
        let settings = Settings { access_log: false, ..Settings::default() };
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &settings));
        let verifier = Arc::new(Verifier::of(IssuerRules::own(ISSUER), &ring));
        let users = Recheck::new(Arc::new(FileUsers::new(vec![user()])), None, Arc::new(SystemClock));
        let table = Table::compile(routes(), Access::Authenticated, false).unwrap();
        let gate = Gate::new(table, (verifier, Arc::default()), Arc::clone(&revocations), Arc::clone(&telemetry))
            .with_users(Arc::new(users), HashSet::new());
        let issuer = Issuer::new(ISSUER.to_owned(), Vec::new(), "JWT", false, ring);
        Self { gate, telemetry, issuer, revocations, now: SystemClock.now() }
    }

    fn token(&self, number: u8, issued_at: Timestamp) -> String {
        let token = AccessToken {
            subject: "johndoe",
            client: "public",
            scopes: &ScopeSet::parse("me items").unwrap(),
            session: Some("0123456789abcdef012345"),
            issued_at,
            expires_at: issued_at.plus(Duration::from_secs(600)),
            attributes: &Map::new(),
            random: [number; 16],
        };
        self.issuer.write(&token).unwrap().token
    }

    /// Allocations of one decision, and what it came to.
    fn decide(&self, method: &str, path: &str, credential: Credential<'_>) -> (u64, &'static str) {
        let mut found = "";
        let counted = allocation_counter::measure(|| {
            let path = CanonicalPath::parse(path.as_bytes()).unwrap();
            let decision = self.gate.decide(&RequestFacts::new(method, &path, credential), self.now);
            found = decision.outcome.map_or_else(|denial| denial.reason.as_str(), |_| "allow");
        });
        (counted.count_total, found)
    }
}

fn routes() -> Vec<RouteSpec> {
    let route = |path: &str, access, scopes: &str| {
        let scopes = ScopeSet::parse(scopes).unwrap();
        RouteSpec { scopes, ..RouteSpec::new(PathPattern::parse(path).unwrap(), access) }
    };
    let reading = |mut route: RouteSpec| {
        route.methods = vec!["GET".to_owned()];
        route
    };
    vec![
        route("/exact", Access::Authenticated, ""),
        route("/items/{item_id}", Access::Authenticated, "items"),
        route("/users/{user_id}/tags/{tag}", Access::Authenticated, "me items"),
        route("/files/**", Access::Authenticated, "items"),
        route("/admin", Access::Authenticated, "admin"),
        route("/health", Access::Public, ""),
        route("/maybe", Access::Optional, ""),
        route("/closed", Access::Deny, ""),
        reading(route("/reading", Access::Authenticated, "")),
    ]
}

fn user() -> User {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE";
    User {
        username: "johndoe".to_owned(),
        password_hash: Arc::new(StoredHash::parse(hash).unwrap()),
        disabled: false,
        scopes: ScopeSet::parse("me items").unwrap(),
        roles: Vec::new(),
        email: None,
        full_name: None,
        claims: Map::new(),
    }
}

#[tokio::test]
async fn a_decision_on_a_remembered_token_allocates_nothing() {
    let world = World::new().await;
    let (good, dead) = (world.token(1, world.now), world.token(2, world.now));
    let expired = world.token(3, world.now.minus(Duration::from_secs(3600)));
    let mark = Mark {
        kind: MarkKind::Jti,
        issuer: ISSUER.to_owned(),
        value: jti(&dead),
        expires_at: world.now.plus(Duration::from_secs(3600)),
        issued_before: None,
    };
    world.revocations.mark(mark).await.unwrap();
    let [good, dead, expired] = [&good, &dead, &expired].map(|token| Credential::Bearer(token));
    let none = Credential::None;
    for (method, path, credential, found, allocations) in [
        ("GET", "/exact", good, "allow", 0),
        ("HEAD", "/exact/", good, "allow", 0),
        ("GET", "/items/42", good, "allow", 0),
        ("POST", "/users/johndoe/tags/red", good, "allow", 0),
        ("GET", "/files/a/b/c/d", good, "allow", 0),
        ("GET", "/no/route/names/this", good, "allow", 0),
        ("GET", "/maybe", good, "allow", 0),
        ("GET", "/maybe", none, "allow", 0),
        ("GET", "/health", none, "allow", 0),
        ("GET", "/health", good, "allow", 0),
        ("GET", "/exact", none, "no-credential", 0),
        ("GET", "/items/42", none, "no-credential", 0),
        ("GET", "/items/42", Credential::Malformed, "malformed-token", 0),
        ("GET", "/items/42", Credential::Multiple, "multiple-credentials", 0),
        ("GET", "/admin", good, "insufficient-scope", 0),
        ("GET", "/closed", good, "route-denied", 0),
        ("GET", "/items/42", dead, "revoked", 0),
        // The value of `Allow`: the list that it is joined from, its words, and itself.
        ("PUT", "/reading", good, "method-not-allowed", 5),
        // Decoded once, and then a copy of it decoded again, to see where that would lead.
        ("GET", "/items/caf%C3%A9", good, "allow", 3),
        // The second reading.
        ("GET", "/items/42;v=1", good, "allow", 1),
    ] {
        for _ in 0..2 {
            world.decide(method, path, credential);
        }
        assert_eq!(world.decide(method, path, credential), (allocations, found), "{method} {path}");
    }
    // What nobody remembers is read anew: an attacker has any number of them, and each must stay cheap.
    let (allocations, found) = world.decide("GET", "/items/42", expired);
    assert_eq!(found, "expired");
    assert!(allocations < 80, "{allocations}");
}

#[tokio::test]
async fn what_is_told_of_a_request_allocates_nothing() {
    let world = World::new().await;
    let route = world.telemetry.metrics.route("/items/{item_id}");
    let request = Request {
        at: world.now,
        id: "0192f0c1",
        listener: Listener::Public,
        route: &route,
        method: Method::Get,
        path: "/items/42",
        status: 200,
        decision: Decision::Allow,
        reason: None,
        subject: Some("johndoe"),
        client: None,
        issuer: Some(ISSUER),
        client_address: None,
        duration: Duration::from_micros(700),
        decision_duration: Some(Duration::from_micros(2)),
        upstream_duration: Some(Duration::from_micros(500)),
        upstream_error: None,
    };
    let refused = Request { status: 401, decision: Decision::Deny, reason: Some("no-credential"), ..request.clone() };
    for request in [&request, &refused] {
        world.telemetry.request(request);
        let told = allocation_counter::measure(|| world.telemetry.request(request));
        assert_eq!(told.count_total, 0, "{:?}", request.reason);
    }
    drop(world.telemetry.metrics.request_started());
    let held = allocation_counter::measure(|| drop(world.telemetry.metrics.request_started()));
    assert_eq!(held.count_total, 0);
}

fn jti(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let payload = doorward::base::base64url::decode(payload).unwrap();
    let claims: Map<String, serde_json::Value> = serde_json::from_slice(&payload).unwrap();
    claims.get("jti").and_then(|jti| jti.as_str()).unwrap().to_owned()
}
