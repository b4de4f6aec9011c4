//! Own tokens of users who are not what they were, from a store that answers as it is told.

use std::collections::HashSet;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;
use crate::gate::Wording;
use crate::keys::KeyRing;
use crate::tokens::{AccessToken, Issuer, ScopeSet};
use crate::users::{Candidate, FileUsers, StoredHash, User, UserStore, UserStoreError};

const EVERY: Duration = Duration::from_secs(30);
const HASH: &str = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

fn alice(scopes: &str, disabled: bool) -> User {
    let hash = StoredHash::parse(HASH).unwrap();
    User { disabled, ..User::plain("alice", hash, ScopeSet::parse(scopes).unwrap()) }
}

/// A store that has to be asked.
#[derive(Debug)]
struct Asked(Mutex<Result<Option<User>, UserStoreError>>);

#[async_trait]
impl UserStore for Asked {
    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        Err(UserStoreError("not asked here".to_owned()))
    }

    async fn find(&self, _: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        self.0.lock().clone().map(|user| user.map(Arc::new))
    }
}

/// A gate over own tokens and those of another issuer.
struct Gated {
    gate: Gate,
    clock: Arc<ManualClock>,
    issuers: [Issuer; 2],
}

impl Gated {
    async fn new(users: Arc<dyn UserStore>, every: Option<Duration>) -> Self {
        let ring = || {
            let pem = pem::generate(crate::keys::Algorithm::Es256).unwrap();
            KeyRing::of(Arc::new(SigningKey::from_pem(pem.expose(), None).unwrap()))
        };
        let rings = [ring(), ring()];
        let live = |ring: &KeyRing| Arc::new(LiveKeys::new(KeySet::from(ring)));
        let theirs = IssuerRules { own: false, ..IssuerRules::own(B) };
        let verifier = Verifier::new([(IssuerRules::own(A), live(&rings[0])), (theirs, live(&rings[1]))]);
        let clock = Arc::new(ManualClock::at(NOW));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
        let store = Arc::new(MemoryStore::new(None));
        let revocations = Arc::new(Revocations::open(store, Arc::clone(&clock) as _, cache).await.unwrap());
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let table = Table::compile(routes(), Access::Authenticated, false).unwrap();
        let recheck = Recheck::new(users, every, Arc::clone(&clock) as _);
        let gate = Gate::new(table, (Arc::new(verifier), Arc::default()), revocations, telemetry)
            .with_users(Arc::new(recheck), HashSet::from(["web".to_owned()]));
        let [own, other] = rings;
        let issuers =
            [(A, own), (B, other)].map(|(name, ring)| Issuer::new(name.to_owned(), Vec::new(), "JWT", false, ring));
        Self { gate, clock, issuers }
    }

    async fn decision(&self, path: &str, (issuer, subject): (usize, &str)) -> Decision {
        let scopes = ScopeSet::parse("me items").unwrap();
        let token = self.issuers[issuer].write(&AccessToken {
            subject,
            client: "public",
            scopes: &scopes,
            session: None,
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(900)),
            attributes: json!({ "roles": ["staff", "admin"] }).as_object().unwrap(),
            random: [1; 16],
        });
        let token = token.unwrap().token;
        let path = CanonicalPath::parse(path.as_bytes()).unwrap();
        let facts = RequestFacts::new("GET", &path, Credential::Bearer(&token));
        self.gate.decide_with_new_keys(&facts).await
    }

    async fn ask(&self, path: &str, whose: (usize, &str)) -> Option<(&'static str, u16)> {
        let decision = self.decision(path, whose).await;
        decision.outcome.err().map(|denial| (denial.reason.as_str(), denial.status()))
    }

    fn ended(&self, token: &Arc<Verified>, path: &[u8]) -> Option<&'static str> {
        let path = CanonicalPath::parse(path).unwrap();
        self.gate.ended(("GET", &path), token, Streams::End, self.clock.now()).map(Reason::as_str)
    }
}

const OWN: (usize, &str) = (0, "alice");
const DISABLED: Option<(&str, u16)> = Some(("user-disabled", 401));
const LESS: Option<(&str, u16)> = Some(("insufficient-scope", 403));
const DOWN: Option<(&str, u16)> = Some(("store-unavailable", 503));

#[tokio::test]
async fn users_in_memory_are_looked_at_on_every_request() {
    for (users, at_root, at_items) in [
        (FileUsers::new(vec![alice("me items more", false)]), None, None),
        (FileUsers::new(vec![alice("me", false)]), None, LESS),
        (FileUsers::new(vec![alice("me items", true)]), DISABLED, DISABLED),
        (FileUsers::new(Vec::new()), DISABLED, DISABLED),
        // A list that vanished says nothing.
        (FileUsers::missing(), None, None),
    ] {
        let name = format!("{users:?}");
        let gated = Gated::new(Arc::new(users), None).await;
        for _ in 0..2 {
            assert_eq!(gated.ask("/", OWN).await, at_root, "{name}");
            assert_eq!(gated.ask("/items", OWN).await, at_items, "{name}");
        }
        // Neither a client that acts for itself nor another issuer's user is one of ours.
        for whose in [(0, "client:web"), (1, "alice"), (1, "nobody")] {
            assert_eq!(gated.ask("/items", whose).await, None, "{whose:?} {name}");
        }
    }
}

#[tokio::test]
async fn what_was_taken_from_a_user_is_not_shown_to_the_upstream() {
    let demoted = User { roles: vec!["staff".to_owned(), "new".to_owned()], ..alice("me", false) };
    let asked = Asked(Mutex::new(Ok(Some(demoted.clone()))));
    let stores: [Arc<dyn UserStore>; 2] = [Arc::new(FileUsers::new(vec![demoted])), Arc::new(asked)];
    for store in stores {
        let gated = Gated::new(store, Some(EVERY)).await;
        let permit = gated.decision("/", OWN).await.outcome.unwrap();
        let claims = permit.identity().unwrap();
        assert_eq!((claims.scopes.to_string().as_str(), &claims.all.read()["scope"]), ("me", &json!("me")));
        assert_eq!(claims.all.read()["roles"], json!(["staff"]));
        // Another issuer's are its own to give.
        let theirs = gated.decision("/", (1, "alice")).await.outcome.unwrap();
        assert_eq!(theirs.identity().unwrap().all.read()["roles"], json!(["staff", "admin"]));
    }
}

#[tokio::test]
async fn a_client_that_is_gone_acts_no_more_for_itself() {
    let gated = Gated::new(Arc::new(FileUsers::new(Vec::new())), None).await;
    for (whose, refused) in [
        ((0, "client:web"), None),
        ((0, "client:gone"), DISABLED),
        ((0, "client:"), DISABLED),
        ((1, "client:gone"), None),
    ] {
        assert_eq!(gated.ask("/", whose).await, refused, "{whose:?}");
    }
}

#[tokio::test]
async fn a_disabled_user_is_answered_as_a_revoked_token() {
    let gated = Gated::new(Arc::new(FileUsers::new(Vec::new())), None).await;
    let denial = gated.decision("/", OWN).await.outcome.unwrap_err();
    assert!(
        denial
            .challenge(&Wording::full(), None)
            .unwrap()
            .contains("error_description=\"The access token was revoked\"")
    );
    assert_eq!(denial.body(&Wording::full())["detail"], "Could not validate credentials");
}

#[tokio::test]
async fn a_store_that_is_asked_decides_within_the_time() {
    let store = Arc::new(Asked(Mutex::new(Ok(Some(alice("me items", false))))));
    let say = |answer| *store.0.lock() = answer;
    let gated = Gated::new(Arc::clone(&store) as _, Some(EVERY)).await;
    assert_eq!(gated.ask("/items", OWN).await, None, "the first one waits");
    let stream = gated.decision("/items", OWN).await.verified.unwrap().shared();
    for (answer, refused, ends) in [
        (Ok(Some(alice("me", false))), LESS, Some("insufficient-scope")),
        (Ok(Some(alice("me items", true))), DISABLED, Some("user-disabled")),
        (Ok(None), DISABLED, Some("user-disabled")),
        // Requests are refused while nobody can tell. Streams go on: an outage is no news of their users.
        (Err(UserStoreError("down".to_owned())), DOWN, None),
        (Ok(Some(alice("me items", true))), DISABLED, Some("user-disabled")),
        (Ok(Some(alice("me items", false))), None, None),
    ] {
        say(answer);
        gated.clock.advance(EVERY);
        // What is too old ends no stream before the answer.
        assert_eq!(gated.ended(&stream, b"/items"), None);
        assert_eq!(gated.ask("/items", OWN).await, refused);
        assert_eq!(gated.ended(&stream, b"/items"), ends);
        assert_eq!(gated.ask("/items", (0, "client:web")).await, None);
    }
    let unavailable = Denial::new(Reason::StoreUnavailable);
    assert!(unavailable.retry_after().is_some() && unavailable.challenge(&Wording::full(), None).is_none());
}
