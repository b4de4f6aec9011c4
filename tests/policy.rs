//! Runs every file of `tests/cases/policy/`: a policy and what the gate makes of requests under it, or what becomes of headers.
//! The files say what they hold themselves; one more needs no Rust.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test needs is there, or the test fails")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use doorward::base::{ManualClock, Secret, Timestamp};
use doorward::gate::credential::Credential;
use doorward::gate::{Gate, RequestFacts, websocket};
use doorward::keys::{KeyRing, SigningKey};
use doorward::policy::{
    Access, CanonicalPath, ConflictKind, HeaderPlan, HeaderSettings, PathPattern, Reason, RouteSpec, Table,
};
use doorward::revocation::{CacheSettings, MemoryStore, Revocations};
use doorward::telemetry::{Settings, Sink, Telemetry};
use doorward::tokens::{AccessToken, Issuer, IssuerRules, ScopeSet, Verifier};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// `policy.default`.
    default: Option<String>,
    /// `policy.ignore_case`.
    #[serde(default, rename = "ignore_case")]
    folded: bool,
    #[serde(default)]
    routes: Vec<RouteCase>,
    /// `tie 2 0`: kind, route, other. With conflicts there is no table to send requests to.
    #[serde(default)]
    conflicts: Vec<String>,
    #[serde(default)]
    requests: Vec<RequestCase>,
    identity: Option<IdentityCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteCase {
    path: String,
    #[serde(default)]
    methods: Vec<String>,
    access: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    any_scope: Vec<String>,
    #[serde(default)]
    encoded_slash: bool,
    #[serde(default)]
    websocket_bearer: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestCase {
    /// Where it is from: an attack, a case or rule of the conformance sheet.
    #[serde(default)]
    id: String,
    /// Method and target.
    request: String,
    /// The method that a complete preflight asks about.
    preflight: Option<String>,
    /// `Sec-WebSocket-Protocol` of a request for a WebSocket; `TOKEN` is the token, which stands in no other place then.
    protocols: Option<String>,
    /// The route by its pattern, or `default`, or `none` where the path does not get as far as a table.
    route: Option<String>,
    /// `Allow` of a 405.
    allow: Option<String>,
    /// Whether a permit is for somebody.
    identified: Option<bool>,
    /// The scopes that a refusal names.
    scope: Option<String>,
    /// By the scopes of the token (`none`: no token), `allow` or the reason.
    decisions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityCase {
    headers: BTreeMap<String, String>,
    #[serde(default)]
    stripped: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    kept: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    values: Vec<ValuesCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValuesCase {
    #[serde(default)]
    id: String,
    claims: Map<String, Value>,
    expected: BTreeMap<String, String>,
}

#[test]
fn every_case_gives_what_it_says() {
    let mut failures = String::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir("tests/cases/policy").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let case: Case = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for failure in run(&case) {
            writeln!(failures, "{}: {failure}", file.display()).unwrap();
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn reason_codes_are_a_contract() {
    let golden = fs::read_to_string("tests/golden/reasons.txt").unwrap();
    let codes = Reason::ALL.map(Reason::as_str);
    assert_eq!(codes.as_slice(), golden.lines().collect::<Vec<_>>(), "codes are added, never renamed");
}

fn run(case: &Case) -> Vec<String> {
    let mut failures = Vec::new();
    let default = case.default.as_deref().map_or(Access::Authenticated, |word| Access::from_name(word).unwrap());
    match Table::compile(case.routes.iter().map(RouteCase::spec).collect(), default, case.folded) {
        Ok(table) => {
            let world = World::with(table);
            failures.extend(case.requests.iter().flat_map(|request| world.failures_of(request)));
            if !case.conflicts.is_empty() {
                failures.push("there is no conflict".to_owned());
            }
        }
        Err(conflicts) => {
            let kind = |kind| match kind {
                ConflictKind::Tie => "tie",
                ConflictKind::Unreachable => "unreachable",
            };
            let conflicts: Vec<String> = conflicts
                .iter()
                .map(|conflict| format!("{} {} {}", kind(conflict.kind), conflict.route, conflict.other))
                .collect();
            if conflicts != case.conflicts {
                failures.push(format!("conflicts {conflicts:?}"));
            }
        }
    }
    if let Some(identity) = &case.identity {
        failures.extend(identity.failures());
    }
    failures
}

impl RouteCase {
    fn spec(&self) -> RouteSpec {
        let path = PathPattern::parse(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let access = self.access.as_deref().map_or(Access::Authenticated, |word| Access::from_name(word).unwrap());
        RouteSpec {
            methods: self.methods.clone(),
            scopes: ScopeSet::parse(&self.scopes.join(" ")).unwrap(),
            any_scope: ScopeSet::parse(&self.any_scope.join(" ")).unwrap(),
            encoded_slash: self.encoded_slash,
            websocket_bearer: self.websocket_bearer,
            ..RouteSpec::new(path, access)
        }
    }
}

/// The gate, as the proxy asks it, and an issuer it trusts.
struct World {
    gate: Gate,
    issuer: Issuer,
}

impl World {
    fn with(table: Table) -> Self {
        let secret = Secret::new("p7Qm2xVf9Lr4Tz8Wc1Ky6Hd3Nb5Sg0Ja");
        let ring = KeyRing::of(Arc::new(SigningKey::from_secret(&secret).unwrap()));
        let rules = IssuerRules { leeway: Duration::ZERO, ..IssuerRules::own(ISSUER) };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let cache = CacheSettings { capacity: 0, ttl: Duration::from_secs(30) };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = runtime.block_on(Revocations::open(store, clock, cache)).unwrap();
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let verifier = Arc::new(Verifier::of(rules, &ring));
        let issuer = Issuer::new(ISSUER.to_owned(), Vec::new(), "JWT", false, ring);
        Self { gate: Gate::new(table, (verifier, Arc::default()), Arc::new(revocations), telemetry), issuer }
    }

    fn failures_of(&self, case: &RequestCase) -> Vec<String> {
        let (method, target) = case.request.split_once(' ').unwrap();
        let path = target.split('?').next().unwrap_or_default();
        let mut failures = Vec::new();
        let mut compare = |what: &str, expected: &str, found: &str| {
            if expected != found {
                failures.push(format!("{} {}: {what} is `{found}`, not `{expected}`", case.id, case.request));
            }
        };
        for (scopes, expected) in &case.decisions {
            let token = (scopes != "none").then(|| self.token(scopes));
            let Ok(path) = CanonicalPath::parse(path.as_bytes()) else {
                compare(scopes, expected, Reason::AmbiguousPath.as_str());
                compare("route", case.route.as_deref().unwrap_or("none"), "none");
                continue;
            };
            let bearer = token.as_deref().map_or(Credential::None, Credential::Bearer);
            let protocols =
                case.protocols.as_ref().map(|text| text.replace("TOKEN", token.as_deref().unwrap_or_default()));
            let (credential, websocket) = match &protocols {
                Some(protocols) => (Credential::None, websocket::credential([protocols.as_bytes()], MAX_TOKEN_BYTES)),
                None => (bearer, Credential::None),
            };
            let preflight = case.preflight.as_deref();
            let facts = RequestFacts { websocket, preflight, ..RequestFacts::new(method, &path, credential) };
            let decision = self.gate.decide(&facts, NOW);
            let route = decision.route.and_then(|index| self.gate.table().routes().get(index));
            let route = route.map_or("default", |route| route.label());
            compare("route", case.route.as_deref().unwrap_or(route), route);
            match decision.outcome {
                Ok(permit) => {
                    compare(scopes, expected, "allow");
                    assert!(permit.identity().is_none() || token.is_some());
                    let identified = permit.identity().is_some();
                    let expected = case.identified.unwrap_or(identified);
                    compare("identified", &expected.to_string(), &identified.to_string());
                    assert_eq!(permit.is_preflight(), preflight.is_some());
                    assert_eq!(permit.has_websocket_token(), permit.identity().is_some() && protocols.is_some());
                }
                Err(denial) => {
                    compare(scopes, expected, denial.reason.as_str());
                    compare("allow", case.allow.as_deref().unwrap_or_default(), &denial.allow.unwrap_or_default());
                    if let Some(scope) = &case.scope {
                        compare("scope", scope, &denial.scope.unwrap_or_default());
                    }
                }
            }
        }
        failures
    }

    fn token(&self, scopes: &str) -> String {
        let access = AccessToken {
            subject: "johndoe",
            client: "public",
            scopes: &ScopeSet::parse(scopes).unwrap(),
            session: None,
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_mins(1)),
            attributes: &Map::new(),
            random: [7; 16],
        };
        self.issuer.write(&access).unwrap().token
    }
}

impl IdentityCase {
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let identity = self.headers.iter().map(|(name, claim)| (name.as_str(), claim.as_str())).collect();
        let plan = HeaderPlan::new(&HeaderSettings { identity, keep: &[], budget: 8 * 1024 }).unwrap();
        for (names, stripped) in [(&self.stripped, true), (&self.kept, false)] {
            for (id, name) in names.iter().flat_map(|(id, names)| names.iter().map(move |name| (id, name))) {
                if plan.strips(name) != stripped {
                    failures.push(format!("{id} {name}: {}", if stripped { "gets through" } else { "is stripped" }));
                }
            }
        }
        for case in &self.values {
            let values = plan.values(&case.claims).unwrap();
            let values: BTreeMap<String, String> =
                values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            if values != case.expected {
                failures.push(format!("{} {:?}: {values:?}", case.id, case.claims));
            }
        }
        failures
    }
}

const ISSUER: &str = "https://api.example.com";

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The default of `server.limits.token_bytes`.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
