use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::base::{Clock, ManualClock, Secret, Timestamp, base64url};
use crate::gate::credential::Credential;
use crate::grants::{ClientRules, Clients, ScopeClaim};
use crate::issuers::Issuers;
use crate::keys::{Algorithm, KeySet, LiveKeys, ServerKeys, SigningKey, pem};
use crate::policy::{Access, Table};
use crate::revocation::{CacheSettings, MemoryStore, Revocations};
use crate::telemetry::{Sink, Telemetry};
use crate::tokens::{IssuerRules, ScopeSet, TokenType, Verifier};
use crate::users::{
    Candidate, Hasher, HashingSettings, Recheck, StoredHash, ThrottleSettings, Throttles, User, UserStore,
    UserStoreError,
};

const ISSUER: &str = "https://a.example";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A store of users that nobody can reach.
#[derive(Debug)]
struct Down;

#[async_trait]
impl UserStore for Down {
    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        Err(UserStoreError("down".to_owned()))
    }

    async fn find(&self, _: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        Err(UserStoreError("down".to_owned()))
    }
}

/// A store that has to be asked, and has one user.
#[derive(Debug)]
struct Asked(User);

#[async_trait]
impl UserStore for Asked {
    async fn candidate(&self, _: &str, _: u64) -> Result<Candidate, UserStoreError> {
        Err(UserStoreError("not asked here".to_owned()))
    }

    async fn find(&self, _: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        Ok(Some(Arc::new(self.0.clone())))
    }
}

const HASH: &str = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

/// Whether the user is still there, nobody can tell: that is no word against the token.
#[tokio::test]
async fn while_users_cannot_be_looked_up_nothing_is_said_of_their_tokens() {
    let key = SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None).unwrap();
    let endpoints = endpoints(&key).await;
    let token = token(&key, "johndoe", "openid introspect");
    let form = format!("token={token}");
    let asked = exchange("POST", &token, form.as_bytes());
    let reply = endpoints.answer(Endpoint::Introspect, &asked).await.unwrap();
    assert_eq!((reply.status, reply.reason), (503, Some("store-unavailable")));
    assert!(reply.headers.contains(&("Retry-After", "5".to_owned())), "{reply:?}");
    assert!(!String::from_utf8_lossy(&reply.body).contains("active"), "{reply:?}");
    let denial = endpoints.answer(Endpoint::Userinfo, &exchange("GET", &token, b"")).await.unwrap_err();
    assert_eq!((denial.status(), denial.reason.as_str()), (503, "store-unavailable"));
    // Of what is no good token, no user is asked about.
    let asked = exchange("POST", &token, b"token=a.b.c");
    let reply = endpoints.answer(Endpoint::Introspect, &asked).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (200, br#"{"active":false}"#.as_slice()));
}

/// Of whoever asks with a token, nobody can tell whether that is good.
#[tokio::test]
async fn the_reason_for_which_nobody_can_tell_is_the_true_one() {
    let key = SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None).unwrap();
    let endpoints = endpoints_over(&key, Arc::new(Down), Some(Duration::from_secs(30))).await;
    let asking = token(&key, "johndoe", "openid introspect");
    let form = format!("token={asking}");
    let reply = endpoints.answer(Endpoint::Introspect, &exchange("POST", &asking, form.as_bytes())).await.unwrap();
    assert_eq!((reply.status, reply.reason), (503, Some("store-unavailable")));
    // Nor of what is asked about: a client's own token passes.
    let service = token(&key, "client:svc", "introspect");
    let reply = endpoints.answer(Endpoint::Introspect, &exchange("POST", &service, form.as_bytes())).await.unwrap();
    assert_eq!((reply.status, reply.reason), (503, Some("store-unavailable")));
}

/// Without `users.recheck` the gate knows no better; here the user is asked for anyway.
#[tokio::test]
async fn a_token_is_told_to_hold_no_more_than_its_user_has() {
    let key = SigningKey::from_pem(pem::generate(Algorithm::Es256).unwrap().expose(), None).unwrap();
    for (scopes, disabled, told) in [
        ("openid introspect more", false, json!({ "active": true, "scope": "openid introspect" })),
        ("introspect", false, json!({ "active": true, "scope": "introspect" })),
        ("", false, json!({ "active": true })),
        ("openid introspect", true, json!({ "active": false })),
    ] {
        let hash = StoredHash::parse(HASH).unwrap();
        let user = User { disabled, ..User::plain("johndoe", hash, ScopeSet::parse(scopes).unwrap()) };
        let endpoints = endpoints_over(&key, Arc::new(Asked(user)), None).await;
        let token = token(&key, "johndoe", "openid introspect");
        let form = format!("token={token}");
        let asked = exchange("POST", &token, form.as_bytes());
        let reply = endpoints.answer(Endpoint::Introspect, &asked).await.unwrap();
        let mut said: Value = serde_json::from_slice(&reply.body).unwrap();
        said.as_object_mut().unwrap().retain(|name, _| ["active", "scope"].contains(&name.as_str()));
        assert_eq!(said, told, "{scopes}");
    }
}

async fn endpoints(key: &SigningKey) -> Endpoints {
    endpoints_over(key, Arc::new(Down), None).await
}

async fn endpoints_over(key: &SigningKey, users: Arc<dyn UserStore>, every: Option<Duration>) -> Endpoints {
    let live = Arc::new(LiveKeys::new(KeySet::new([key.verifying().clone()])));
    let verifier = Arc::new(Verifier::new([(IssuerRules::own(ISSUER), live)]));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
    let store = Arc::new(MemoryStore::new(None));
    let revocations = Arc::new(Revocations::open(store, Arc::clone(&clock), cache).await.unwrap());
    let telemetry = Arc::new(Telemetry::new(Sink::memory(), &crate::telemetry::Settings::default()));
    let issuers: Arc<Issuers> = Arc::default();
    let table = Table::compile(Vec::new(), Access::Authenticated, false).unwrap();
    let judges = (Arc::clone(&verifier), Arc::clone(&issuers));
    let recheck = Arc::new(Recheck::new(Arc::clone(&users), every, Arc::clone(&clock)));
    let gate = Gate::new(table, judges, Arc::clone(&revocations), Arc::clone(&telemetry));
    let gate = Arc::new(gate.with_users(Arc::clone(&recheck), HashSet::from(["svc".to_owned()])));
    let grants = Arc::new(Grants {
        settings: terms(),
        issuer: None,
        server_keys: Arc::new(ServerKeys::new([&Secret::new("a secret of more than thirty-two bytes")]).unwrap()),
        verifier,
        issuers,
        clients: Clients::new(Vec::new(), ClientRules::compat()),
        recheck,
        users,
        hasher: Arc::new(Hasher::new(HashingSettings { concurrency: None, queue: 1 }, 1)),
        throttle: Throttles::new(ThrottleSettings { per_user: None, per_address: None }),
        revocations,
        clock,
        telemetry,
    });
    let settings = Settings {
        token: None,
        token_aliases: Vec::new(),
        refresh: None,
        revoke: None,
        introspect: Some("/introspect".to_owned()),
        userinfo: Some("/userinfo".to_owned()),
        jwks: None,
        metadata: None,
        resource_metadata: None,
        forms: Forms { multipart: false, json: false, query_tokens: false },
        implied_password_grant: false,
        failed_grant_is_401: false,
        realm: "doorward".to_owned(),
    };
    Endpoints::new(settings, Documents::default(), grants, gate)
}

fn terms() -> crate::grants::Settings {
    let some = Duration::from_secs(60);
    crate::grants::Settings {
        issuer: ISSUER.to_owned(),
        resources: Vec::new(),
        audience: Vec::new(),
        typ: "JWT".to_owned(),
        scope_claim: ScopeClaim::Scope,
        default_scopes: None,
        access_ttl: some,
        refresh_ttl: some,
        refresh_idle: some,
        refresh_grace: some,
        leeway: Duration::ZERO,
        token_types: vec![TokenType::Jwt],
        claims: Vec::new(),
        cascade: false,
    }
}

fn token(key: &SigningKey, subject: &str, scope: &str) -> String {
    let header = json!({ "alg": "ES256", "kid": key.kid() });
    let (now, exp) = (NOW.seconds(), NOW.seconds() + 60);
    let claims = json!({ "iss": ISSUER, "sub": subject, "iat": now, "exp": exp, "scope": scope });
    let part = |value: Value| base64url::encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", base64url::encode(key.sign(signed.as_bytes()).unwrap()))
}

fn exchange<'a>(method: &'a str, token: &'a str, form: &[u8]) -> Exchange<'a> {
    Exchange {
        method,
        path: b"/",
        query: None,
        content_types: vec![b"application/x-www-form-urlencoded"],
        content_encodings: Vec::new(),
        if_none_match: Vec::new(),
        authorizations: Vec::new(),
        credential: Credential::Bearer(token),
        token_bytes: 8192,
        is_from_page: false,
        body: zeroize::Zeroizing::new(form.to_vec()),
        from: None,
    }
}
