//! Tokens that name a key nobody knows yet, with an issuer that answers as it is told.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use parking_lot::Mutex;

use super::*;
use crate::issuers::{Document, Fetch, FetchError, Fetched, KeySource, Surroundings};
use crate::keys::{Algorithm, KeyRing};

/// A key id and a public key of Ed25519.
type Published = (&'static str, Vec<u8>);

#[derive(Debug, Default)]
struct Scripted {
    /// The keys it publishes; `None` = it is down.
    published: Mutex<Option<Vec<Published>>>,
    fetches: Mutex<usize>,
}

#[async_trait]
impl Fetch for Scripted {
    async fn fetch(&self, _: &KeySource) -> Result<Fetched, FetchError> {
        *self.fetches.lock() += 1;
        let published = self.published.lock();
        let Some(keys) = &*published else { return Err(FetchError::Status(Document::Keys, 500)) };
        let jwk =
            |(kid, x): &Published| json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url::encode(x) });
        let keys: Vec<Value> = keys.iter().map(jwk).collect();
        Ok(Fetched { text: json!({ "keys": keys }).to_string().into_bytes(), fresh_for: None })
    }
}

struct Rotating {
    gate: Gate,
    issuer: Arc<Scripted>,
    keys: HashMap<&'static str, Ed25519KeyPair>,
    telemetry: Arc<Telemetry>,
    _issuers: Arc<Issuers>,
}

impl Rotating {
    async fn new(published: Option<&[&'static str]>) -> Self {
        let keys: HashMap<_, _> = ["k1", "k2"].map(|kid| (kid, Ed25519KeyPair::generate().unwrap())).into();
        let (issuer, clock) = (Arc::new(Scripted::default()), Arc::new(ManualClock::at(NOW)));
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let around = Surroundings {
            clock: Arc::clone(&clock) as _,
            telemetry: Arc::clone(&telemetry),
            fetch: Arc::clone(&issuer) as _,
            last_good: None,
        };
        let source = KeySource {
            issuer: A.to_owned(),
            jwks_url: None,
            algorithms: vec![Algorithm::EdDsa],
            max_stale: Duration::from_hours(24),
            roots: Vec::new(),
            allow_http: false,
        };
        let issuers = Arc::new(Issuers::new(vec![source], None, around));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = Arc::new(Revocations::open(store, Arc::clone(&clock) as _, cache).await.unwrap());
        let ring = KeyRing::of(Arc::new(
            SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None).unwrap(),
        ));
        let theirs = IssuerRules { own: false, audience: vec!["api".to_owned()], ..IssuerRules::own(A) };
        let live = Arc::clone(issuers.get(A).unwrap().live());
        let own = (IssuerRules::own(B), Arc::new(LiveKeys::new(KeySet::from(&ring))));
        let verifier = Arc::new(Verifier::new([(theirs, live), own]));
        let table = Table::compile(Vec::new(), Access::Authenticated, false).unwrap();
        let gate = Gate::new(table, (verifier, Arc::clone(&issuers)), revocations, Arc::clone(&telemetry));
        let world = Self { gate, issuer, keys, telemetry, _issuers: Arc::clone(&issuers) };
        world.publish(published);
        issuers.begin().await;
        world
    }

    fn publish(&self, kids: Option<&[&'static str]>) {
        let public = |kid: &&'static str| (*kid, self.keys[kid].public_key().as_ref().to_vec());
        *self.issuer.published.lock() = kids.map(|kids| kids.iter().map(public).collect());
    }

    async fn ask(&self, issuer: &str, kid: &str) -> Option<(&'static str, u16)> {
        let header = json!({ "alg": "EdDSA", "kid": kid }).to_string();
        let claims = json!({ "iss": issuer, "sub": "s", "aud": "api", "exp": NOW.seconds() + 600 }).to_string();
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
        let key = self.keys.get(kid).unwrap_or(&self.keys["k1"]);
        let token = format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes())));
        let path = CanonicalPath::parse(b"/").unwrap();
        let facts = RequestFacts::new("GET", &path, Credential::Bearer(&token));
        let decision = self.gate.decide_with_new_keys(&facts).await;
        decision.outcome.err().map(|denial| (denial.reason.as_str(), denial.status()))
    }

    fn counted(&self, result: &str) -> bool {
        let line = format!("doorward_token_validations_total{{issuer=\"{A}\",result=\"{result}\"}} 1\n");
        self.telemetry.metrics.render().contains(&line)
    }

    fn fetches(&self) -> usize {
        *self.issuer.fetches.lock()
    }
}

const UNKNOWN: Option<(&str, u16)> = Some(("unknown-key", 401));
const UNAVAILABLE: Option<(&str, u16)> = Some(("keys-unavailable", 503));

#[tokio::test(start_paused = true)]
async fn a_new_key_is_learnt_with_its_first_token() {
    let world = Rotating::new(Some(&["k1"])).await;
    world.publish(Some(&["k1", "k2"]));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(world.ask(A, "k2").await, None, "after one fetch");
    assert_eq!(world.fetches(), 2);
    assert!(world.counted("ok") && !world.counted("unknown-key"), "once, as what it was in the end");
    assert_eq!(world.ask(A, "k1").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_key_nobody_has_is_the_clients_fault_while_the_issuer_answers() {
    let world = Rotating::new(Some(&["k1"])).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(world.ask(A, "k9").await, UNKNOWN);
    assert!(world.counted("unknown-key"), "once");
    for number in 0..100 {
        assert_eq!(world.ask(A, &format!("made-up-{number}")).await, UNKNOWN);
    }
    assert_eq!(world.fetches(), 2, "one each ten seconds");
    assert_eq!(world.ask(B, "k1").await, UNKNOWN, "an own key is never fetched");
    assert_eq!(world.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_could_not_be_learnt_is_nobodys_fault() {
    let world = Rotating::new(Some(&["k1"])).await;
    world.publish(None);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(world.ask(A, "k2").await, UNAVAILABLE, "the fetch for it failed");
    assert!(world.counted("keys-unavailable") && !world.counted("unknown-key"));
    assert_eq!(world.ask(A, "k2").await, UNAVAILABLE, "and has not been tried again");
    assert_eq!(world.ask(A, "k1").await, None, "what is known is known");
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_no_token_is_the_clients_fault() {
    let world = Rotating::new(None).await;
    assert_eq!(world.ask(A, "k1").await, UNAVAILABLE);
    world.publish(Some(&["k1"]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.ask(A, "k1").await, None, "it heals");
}
