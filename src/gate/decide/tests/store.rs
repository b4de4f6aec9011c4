//! A store that others write too: how old what is known of it is, and a clock that is not this machine's.

use super::*;
use crate::base::Uptime;
use crate::gate::Wording;
use crate::revocation::{Bucket, Freshness, OnStoreFailure, StalenessSettings};

/// A gate over own tokens (of A) and those of another issuer (B), and a store that can be out of reach.
struct Shared {
    gate: Gate,
    revocations: Arc<Revocations>,
    freshness: Arc<Freshness>,
    clock: Arc<ManualClock>,
    telemetry: Arc<Telemetry>,
    keys: [SigningKey; 2],
}

impl Shared {
    async fn new() -> Self {
        let key =
            || SigningKey::from_pem(pem::generate(crate::keys::Algorithm::Es256).unwrap().expose(), None).unwrap();
        let keys = [key(), key()];
        let [ours, theirs] =
            [&keys[0], &keys[1]].map(|key| Arc::new(LiveKeys::new(KeySet::new([key.verifying().clone()]))));
        let foreign = IssuerRules { own: false, ..IssuerRules::own(B) };
        let verifier = Verifier::new([(IssuerRules::own(A), ours), (foreign, theirs)]);
        let (store, clock) = (Arc::new(MemoryStore::new(None)), Arc::new(ManualClock::at(NOW)));
        let cache = CacheSettings { capacity: 100, ttl: Duration::from_hours(1) };
        let freshness = Arc::<Freshness>::default();
        let revocations = Revocations::open(store, Arc::clone(&clock) as _, cache).await.unwrap();
        let revocations = Arc::new(revocations.shared(Arc::clone(&freshness)));
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &Settings::default()));
        let table =
            Table::compile(vec![route("/open", |route| route.access = Access::Public)], Access::Authenticated, false);
        let issuers = (Arc::new(verifier), Arc::default());
        let gate = Gate::new(table.unwrap(), issuers, Arc::clone(&revocations), Arc::clone(&telemetry));
        Self { gate, revocations, freshness, clock, telemetry, keys }
    }

    /// A token of A or B, valid for so many seconds of this machine's clock.
    fn token(&self, issuer: usize, jti: &str, from: i64, until: i64) -> String {
        let (key, name, now) = (&self.keys[issuer], [A, B][issuer], NOW.seconds());
        let claims = json!({ "iss": name, "sub": "alice", "jti": jti, "iat": now + from, "exp": now + until });
        let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "at+jwt" }).to_string();
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode(claims.to_string()));
        format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes()).unwrap()))
    }

    async fn mark(&self, jti: &str, expires_at: Timestamp) {
        let (kind, issuer, value) = (MarkKind::Jti, A.to_owned(), jti.to_owned());
        self.revocations.mark(Mark { kind, issuer, value, expires_at, issued_before: None }).await.unwrap();
    }

    fn refresh_view(&self) {
        for bucket in Bucket::all() {
            self.freshness.set(bucket, self.clock.uptime());
        }
    }

    async fn decision(&self, path: &str, token: &str) -> Decision {
        let path = CanonicalPath::parse(path.as_bytes()).unwrap();
        let facts = RequestFacts::new("GET", &path, Credential::Bearer(token));
        self.gate.decide_with_new_keys(&facts).await
    }

    async fn ask(&self, path: &str, token: &str) -> Option<(&'static str, u16)> {
        self.decision(path, token).await.outcome.err().map(|denial| (denial.reason.as_str(), denial.status()))
    }

    fn ended(&self, token: &Arc<Verified>) -> Option<&'static str> {
        let path = CanonicalPath::parse(b"/").unwrap();
        self.gate.ended(("GET", &path), token, Streams::End, self.clock.now()).map(Reason::as_str)
    }

    fn stale(&self) -> bool {
        let line = "doorward_revocation_cache_total{result=\"stale\"} 0\n";
        !self.telemetry.metrics.render().contains(line)
    }
}

const REVOKED: Option<(&str, u16)> = Some(("revoked", 401));
const DOWN: Option<(&str, u16)> = Some(("store-unavailable", 503));

#[tokio::test]
async fn a_view_that_is_too_old_refuses_what_it_knows_and_nobody_can_tell_of_the_rest() {
    use OnStoreFailure::{Allow, Deny};
    // How old the view is, in milliseconds, what is to happen then, and what becomes of a good token.
    for (story, age, then, good) in [
        ("just read", 0, Deny, None),
        ("as old as may be", 10_000, Deny, None),
        ("too old", 10_001, Deny, DOWN),
        ("too old, and it does not matter", 10_001, Allow, None),
        ("far too old", 70_000_000, Deny, DOWN),
    ] {
        let shared = Shared::new().await;
        shared.revocations.set_staleness(StalenessSettings { max: Duration::from_secs(10), then });
        let (good_token, dead) = (shared.token(0, "good", 0, 80_000), shared.token(0, "dead", 0, 80_000));
        let foreign = shared.token(1, "good", 0, 80_000);
        shared.refresh_view();
        shared.mark("dead", NOW.plus(Duration::from_hours(48))).await;
        let stream = shared.decision("/", &good_token).await.verified.unwrap().shared();
        assert_eq!(shared.ask("/", &dead).await, REVOKED, "{story}");
        shared.clock.advance(Duration::from_millis(age));
        for _ in 0..2 {
            assert_eq!(shared.ask("/", &good_token).await, good, "{story}");
            assert_eq!(shared.ask("/", &foreign).await, good, "{story}: whoever issued it");
            assert_eq!(shared.ask("/", &dead).await, REVOKED, "{story}");
        }
        assert_eq!(shared.ended(&stream), good.map(|(reason, _)| reason), "{story}: a stream");
        assert_eq!(shared.ask("/open", "").await, None, "{story}: nobody's token is looked at there");
        assert_eq!(shared.stale(), age > 10_000 && then == Allow, "{story}: those that passed are counted");
        // It heals by itself.
        shared.refresh_view();
        assert_eq!(shared.ask("/", &good_token).await, None, "{story}");
    }
}

#[tokio::test]
async fn a_view_that_never_had_everything_is_too_old() {
    let shared = Shared::new().await;
    let token = shared.token(0, "good", 0, 900);
    assert_eq!(shared.ask("/", &token).await, DOWN);
    let denial = shared.decision("/", &token).await.outcome.unwrap_err();
    assert_eq!(denial.challenge(&Wording::full(), None), None, "no other token would help");
    assert_eq!(denial.retry_after(), Some(5));
    shared.refresh_view();
    assert_eq!(shared.ask("/", &token).await, None);
}

#[tokio::test]
async fn a_clock_that_is_set_makes_no_view_older_or_younger() {
    let shared = Shared::new().await;
    shared.refresh_view();
    let token = shared.token(0, "good", 0, 80_000);
    shared.clock.set(NOW.plus(Duration::from_hours(1)));
    assert_eq!(shared.ask("/", &token).await, None);
    shared.clock.set(NOW);
    shared.clock.advance(Duration::from_secs(11));
    shared.clock.set(NOW);
    assert_eq!(shared.ask("/", &token).await, DOWN, "a machine that slept for eleven seconds");
}

#[tokio::test]
async fn own_tokens_and_marks_go_by_the_stores_clock_and_others_by_this_machines() {
    let expired = Some(("expired", 401));
    let early = Some(("not-yet-valid", 401));
    // By how many seconds the store's clock is ahead; whose token; when it is valid by this machine's clock.
    for (offset, issuer, from, until, refused) in [
        (300, 0, 300, 400, None),
        (300, 0, -300, 100, expired),
        (300, 1, -300, 100, None),
        (300, 1, 300, 400, early),
        (-300, 0, -400, -100, None),
        (-300, 0, 0, 900, early),
        (-300, 1, 0, 900, None),
        (-300, 1, -400, -100, expired),
        (0, 0, 0, 900, None),
        (0, 1, 0, 900, None),
    ] {
        let story = format!("{offset} {issuer} {from} {until}");
        let shared = Shared::new().await;
        shared.refresh_view();
        let server = Timestamp::from_seconds(NOW.seconds() + offset);
        shared.revocations.clock().measured(Uptime::default(), Uptime::default(), server);
        let token = shared.token(issuer, "one", from, until);
        assert_eq!(shared.ask("/", &token).await, refused, "{story}");
        // A mark that is over by the store's clock, and one that is not.
        for (expires, dead) in [(offset, false), (offset + 1, true)] {
            let jti = format!("dead-{expires}");
            shared.mark(&jti, Timestamp::from_seconds(NOW.seconds() + expires)).await;
            let token = shared.token(0, &jti, offset, offset + 100);
            assert_eq!(shared.ask("/", &token).await, if dead { REVOKED } else { None }, "{story}, mark {expires}");
        }
    }
}

/// As where a server takes over whose clock is behind: nobody who has a good token is to blame for it.
#[tokio::test]
async fn what_was_dated_before_the_stores_clock_was_set_back_is_not_from_the_future() {
    // By how many seconds it is set; which issuer's token, dated from when until when; what becomes of it.
    for (set_by, issuer, from, until, refused) in [
        (-300, 0, 0, 900, None),
        (-300, 0, -300, 100, None),
        // What other instances may have dated meanwhile, and the leeway.
        (-300, 0, 41, 900, None),
        (-300, 0, 42, 900, Some(("not-yet-valid", 401))),
        (-300, 0, -900, -330, Some(("expired", 401))),
        (-300, 0, -900, -329, None),
        (-300, 1, 31, 900, Some(("not-yet-valid", 401))),
        (300, 0, 0, 900, None),
        (0, 0, 31, 900, Some(("not-yet-valid", 401))),
    ] {
        let shared = Shared::new().await;
        shared.refresh_view();
        let clock = shared.revocations.clock();
        clock.measured(Uptime::default(), Uptime::default(), NOW);
        let token = shared.token(issuer, "one", from, until);
        clock.measured(Uptime::default(), Uptime::default(), Timestamp::from_seconds(NOW.seconds() + set_by));
        assert_eq!(shared.ask("/", &token).await, refused, "{set_by} {issuer} {from} {until}");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token_by_the_clock_of_its_issuer() {
    for (issuer, offset, ended) in [(0, 300, Some("expired")), (1, 300, None), (0, 0, None), (1, 0, None)] {
        let shared = Shared::new().await;
        shared.refresh_view();
        let token = shared.token(issuer, "one", 0, 100);
        let verified = shared.decision("/", &token).await.verified.unwrap().shared();
        let server = Timestamp::from_seconds(NOW.seconds() + offset);
        shared.revocations.clock().measured(Uptime::default(), Uptime::default(), server);
        assert_eq!(shared.ended(&verified), ended, "{issuer} {offset}");
    }
}

#[tokio::test]
async fn before_the_stores_time_is_known_no_own_token_is_too_early_or_too_late() {
    let unknown = Some(("store-unavailable", 503));
    for (issuer, from, until, refused) in [
        (0, 300, 1200, unknown),
        (0, -400, -100, unknown),
        // By this machine's clock, which is all there is for it.
        (1, 300, 1200, Some(("not-yet-valid", 401))),
        (1, -400, -100, Some(("expired", 401))),
    ] {
        let shared = Shared::new().await;
        shared.refresh_view();
        let token = shared.token(issuer, "one", from, until);
        assert_eq!(shared.ask("/", &token).await, refused, "{issuer} {from}");
        let server = Timestamp::from_seconds(NOW.seconds() + from);
        shared.revocations.clock().measured(Uptime::default(), Uptime::default(), server);
        assert_eq!(
            shared.ask("/", &token).await,
            if issuer == 0 { None } else { refused },
            "{issuer} {from}: it is known"
        );
    }
}
