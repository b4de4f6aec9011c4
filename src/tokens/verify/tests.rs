mod refused;
mod remembered;

use std::sync::OnceLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;
use crate::keys::{JwkSet, SigningKey, pem};
use crate::tokens::TokenType;

const A: &str = "https://a.example";
const B: &str = "https://b.example/";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// Keys that are made once: two of every issuer's, and one nobody knows.
fn key(name: &'static str) -> &'static Arc<SigningKey> {
    static KEYS: OnceLock<HashMap<&'static str, Arc<SigningKey>>> = OnceLock::new();
    let make = |name| {
        let text = pem::generate(Algorithm::Es256).unwrap();
        (name, Arc::new(SigningKey::from_pem(text.expose(), None).unwrap()))
    };
    &KEYS.get_or_init(|| ["a1", "a2", "b1", "b2", "nobody"].map(make).into())[name]
}

/// A set of one key, if it can be used.
fn published(jwk: &Value) -> KeySet {
    let text = json!({ "keys": [jwk] }).to_string();
    JwkSet::parse(text.as_bytes(), &[Algorithm::Es256, Algorithm::EdDsa]).unwrap().into()
}

fn set(names: &[&'static str]) -> KeySet {
    KeySet::new(names.iter().map(|name| key(name).verifying().clone()))
}

fn foreign(issuer: &str) -> IssuerRules {
    IssuerRules {
        own: false,
        audience: vec!["api".to_owned()],
        max_lifetime: Duration::from_hours(24),
        ..IssuerRules::own(issuer)
    }
}

/// Two issuers whose keys can be set.
struct World {
    verifier: Verifier,
    a: Arc<LiveKeys>,
    b: Arc<LiveKeys>,
}

impl World {
    fn new() -> Self {
        Self::with(foreign(A), foreign(B))
    }

    fn with(a: IssuerRules, b: IssuerRules) -> Self {
        let [of_a, of_b] = [set(&["a1", "a2"]), set(&["b1", "b2"])].map(|set| Arc::new(LiveKeys::new(set)));
        Self { verifier: Verifier::new([(a, Arc::clone(&of_a)), (b, Arc::clone(&of_b))]), a: of_a, b: of_b }
    }

    fn refused(&self, token: &str) -> Option<VerifyError> {
        self.verifier.verify(token, NOW).0.err().map(|rejected| rejected.error)
    }

    fn cached(&self, token: &str) -> CacheResult {
        self.verifier.verify(token, NOW).1
    }
}

/// A good token of A; `claims` and `header` replace what it says, null takes it out.
fn token(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let mut all = json!({
        "iss": A, "sub": "alice", "aud": "api", "exp": NOW.seconds() + 600, "iat": NOW.seconds(), "jti": "one", "scope": "read",
    });
    let mut head = json!({ "alg": key.algorithm().name(), "typ": "JWT", "kid": key.kid() });
    for (object, more) in [(&mut head, header), (&mut all, claims)] {
        let object = object.as_object_mut().unwrap();
        for (name, value) in more.as_object().unwrap() {
            object.insert(name.clone(), value.clone());
        }
        object.retain(|_, value| *value != "absent");
    }
    signed(key, &head.to_string(), &all.to_string())
}

fn signed(key: &SigningKey, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
    let signature = base64url::encode(key.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

fn of(name: &'static str, claims: &Value) -> String {
    token(key(name), &json!({}), claims)
}

/// The same token with `n - s` in place of `s`, which verifies just as well (attacks.md J29).
fn respelled(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD,
        0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = base64url::decode(signature).unwrap();
    let mut borrow = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", base64url::encode(bytes))
}
