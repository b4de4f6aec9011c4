//! A gate with as many routes, marks and tokens as are wanted, and what is asked of it.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use doorward::base::{Clock, Secret, SystemClock, Timestamp};
use doorward::gate::credential::Credential;
use doorward::gate::{Decision, Gate, RequestFacts};
use doorward::keys::{KeyRing, SigningKey};
use doorward::policy::{Access, CanonicalPath, Found, PathPattern, RouteSpec, Table};
use doorward::revocation::{
    CacheSettings, Identifiers, LookUp, Mark, MarkKey, MarkKind, MemoryStore, Revocations, Standing, StoredMark,
};
use doorward::telemetry::{self, Format, Listener, Method, Request, RouteLabel, Settings, Sink, Telemetry};
use doorward::tokens::{ScopeSet, Verified, Verifier};
use doorward::users::{FileUsers, Recheck, StoredHash, User};

use super::fixture;

/// How large all of it is.
#[derive(Clone, Copy)]
pub struct Setting {
    pub routes: usize,
    pub marks: usize,
    pub tokens: usize,
}

/// All that takes part in a decision.
pub struct World {
    gate: Gate,
    verifier: Arc<Verifier>,
    revocations: Arc<Revocations>,
    users: Arc<Recheck>,
    telemetry: Arc<Telemetry>,
    text: Telemetry,
    json: Telemetry,
    labels: [RouteLabel; 3],
    path: String,
    tokens: Vec<(String, Arc<Verified>)>,
    revoked: String,
    now: Timestamp,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        let secret = Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja");
        let ring = KeyRing::of(Arc::new(SigningKey::from_secret(&secret).unwrap()));
        let now = SystemClock.now();
        let verifier = Arc::new(Verifier::of(fixture::rules(), &ring));
        let verified = |number| {
            let token = fixture::token_of(&ring, number);
            let verified = verifier.verify(&token, now).0.unwrap();
            (token, verified)
        };
        let tokens = (1..=setting.tokens as u64).map(verified).collect();
        let revocations = revocations(setting.marks as u64, now);
        let (revoked, dead) = verified(0);
        mark(&revocations, &dead, now);
        let quiet = Settings { access_log: false, ..Settings::default() };
        let loud = |format| Telemetry::new(sink(), &Settings { access_log: true, format, ..Settings::default() });
        let telemetry = Arc::new(Telemetry::new(sink(), &quiet));
        let (text, json) = (loud(Format::Text), loud(Format::Json));
        let path = format!("/api/items{:05}/4711/tags/red", setting.routes / 2 / 3 * 3 + 1);
        let table = Table::compile(routes(setting.routes), Access::Authenticated, false).unwrap();
        let issuers = (Arc::clone(&verifier), Arc::default());
        let users = Arc::new(Recheck::new(Arc::new(FileUsers::new(vec![user()])), None, Arc::new(SystemClock)));
        let gate = Gate::new(table, issuers, Arc::clone(&revocations), Arc::clone(&telemetry))
            .with_users(Arc::clone(&users), HashSet::new());
        let labels = [&*telemetry, &text, &json].map(|telemetry| telemetry.metrics.route("/api/items/{id}/tags/{tag}"));
        Self { gate, verifier, revocations, users, telemetry, text, json, labels, path, tokens, revoked, now }
    }

    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    pub fn path(&self) -> CanonicalPath<'_> {
        CanonicalPath::parse(self.path.as_bytes()).unwrap()
    }

    pub fn route(&self) -> Found<'_> {
        self.gate.table().find(&self.path(), "GET")
    }

    pub fn token(&self, at: usize) -> Arc<Verified> {
        self.verifier.verify(&self.at(at).0, self.now).0.unwrap()
    }

    pub fn revocation(&self, at: usize) -> (Standing, LookUp) {
        self.revocations.standing(&Identifiers::of(&self.at(at).1), self.now)
    }

    pub fn user(&self, at: usize) -> doorward::users::Standing<'_> {
        self.users.standing(&self.at(at).1.claims().subject, self.now)
    }

    pub fn decide(&self, at: usize) -> Decision {
        let decision = self.asked(Credential::Bearer(&self.at(at).0));
        assert!(decision.outcome.is_ok());
        decision
    }

    pub fn refuse_without_token(&self) -> Decision {
        self.asked(Credential::None)
    }

    pub fn refuse_revoked(&self) -> Decision {
        let decision = self.asked(Credential::Bearer(&self.revoked));
        assert!(decision.outcome.is_err());
        decision
    }

    pub fn tell(&self, at: usize) {
        self.request(at, &self.telemetry, &self.labels[0]);
    }

    pub fn write_text(&self, at: usize) {
        self.request(at, &self.text, &self.labels[1]);
    }

    pub fn write_json(&self, at: usize) {
        self.request(at, &self.json, &self.labels[2]);
    }

    pub fn tell_refusal(&self) {
        let refused = Request {
            status: 401,
            decision: telemetry::Decision::Deny,
            reason: Some("no-credential"),
            ..request(&self.labels[0], &self.path, None, self.now)
        };
        self.telemetry.request(&refused);
    }

    fn request(&self, at: usize, telemetry: &Telemetry, label: &RouteLabel) {
        telemetry.request(&request(label, &self.path, Some(&self.at(at).1), self.now));
    }

    /// All but the waiting of what the proxy does.
    fn asked(&self, credential: Credential<'_>) -> Decision {
        let path = self.path();
        self.gate.decide(&RequestFacts::new("GET", &path, credential), self.now)
    }

    fn at(&self, at: usize) -> &(String, Arc<Verified>) {
        &self.tokens[at % self.tokens.len()]
    }
}

fn request<'a>(route: &'a RouteLabel, path: &'a str, token: Option<&'a Verified>, at: Timestamp) -> Request<'a> {
    let claims = token.map(Verified::claims);
    Request {
        at,
        id: "0192f0c1-7d1c-7000-8000-0123456789ab",
        listener: Listener::Public,
        route,
        method: Method::Get,
        path,
        status: 200,
        decision: telemetry::Decision::Allow,
        reason: None,
        subject: claims.map(|claims| &*claims.subject),
        client: claims.and_then(|claims| claims.client.as_deref()),
        issuer: claims.map(|claims| &*claims.issuer),
        client_address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        duration: Duration::from_micros(640),
        decision_duration: Some(Duration::from_nanos(1900)),
        upstream_duration: token.map(|_| Duration::from_micros(520)),
        upstream_error: None,
    }
}

/// A third each of exact paths, templates and prefixes, all below `/api`, so that they share their beginning. As long whatever their
/// number, or the path of a request would be longer where there are more.
fn routes(count: usize) -> Vec<RouteSpec> {
    let route = |index: usize| {
        let path = PathPattern::parse(&match index % 3 {
            0 => format!("/api/exact/{index:05}"),
            1 => format!("/api/items{index:05}/{{item_id}}/tags/{{tag}}"),
            _ => format!("/api/prefix{index:05}/**"),
        })
        .unwrap();
        RouteSpec { scopes: ScopeSet::parse("items").unwrap(), ..RouteSpec::new(path, Access::Authenticated) }
    };
    (0..count).map(route).collect()
}

fn revocations(marks: u64, now: Timestamp) -> Arc<Revocations> {
    let cache = CacheSettings { capacity: 100_000, ttl: Duration::from_secs(3600) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = Arc::new(MemoryStore::new(None));
    let revocations = runtime.block_on(Revocations::open(store, Arc::new(SystemClock), cache)).unwrap();
    for number in 1..=marks {
        // Spread as hashes are, by a generator that repeats (splitmix64).
        let mixed = |salt: u64| {
            let mixed = (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            u128::from(mixed ^ (mixed >> 27))
        };
        let key = MarkKey::from_bytes((mixed(0) << 64 | mixed(1 << 63)).to_be_bytes());
        let expires_at = now.plus(Duration::from_secs(3600));
        revocations.view().insert(&StoredMark { key, name: None, expires_at, issued_before: None });
    }
    Arc::new(revocations)
}

fn mark(revocations: &Revocations, dead: &Verified, now: Timestamp) {
    let mark = Mark {
        kind: MarkKind::Jti,
        issuer: dead.claims().issuer.to_string(),
        value: dead.identifier().to_owned(),
        expires_at: now.plus(Duration::from_secs(3600)),
        issued_before: None,
    };
    revocations.view().insert(&mark.into());
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
        claims: serde_json::Map::new(),
    }
}

/// To nowhere, as the process writes to a pipe: in memory all lines would be kept.
fn sink() -> Sink {
    let (sink, guard) = Sink::to(std::io::sink()).unwrap();
    // Kept to the end of the process.
    Box::leak(Box::new(guard));
    sink
}
