//! Writing access tokens (RFC 9068 §2).

use std::fmt;

use serde_json::{Map, Value, json};

use super::ScopeSet;
use crate::base::{Timestamp, base64url};
use crate::keys::KeyRing;
use crate::keys::signing::SigningFailed;

/// Writes access tokens under one issuer's name.
pub struct Issuer {
    name: String,
    audience: Vec<String>,
    scopes_as_array: bool,
    keys: KeyRing,
    header: String,
}

/// What an access token is to say.
#[derive(Clone, Debug)]
pub struct AccessToken<'a> {
    /// `sub`.
    pub subject: &'a str,
    /// `client_id`.
    pub client: &'a str,
    /// The granted scopes.
    pub scopes: &'a ScopeSet,
    /// `sid`, if it belongs to a login session.
    pub session: Option<&'a str>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// Copied in; none of them can take the place of a claim doorward writes itself.
    pub attributes: &'a Map<String, Value>,
    /// 128 random bits for the `jti`.
    pub random: [u8; 16],
}

/// A token that was written.
pub struct Issued {
    /// The compact JWS.
    pub token: String,
    /// Its `jti`.
    pub token_id: String,
}

impl Issuer {
    /// An issuer. `typ` goes into the header; the scopes into `scope`, or into `scopes` as an array.
    #[must_use]
    pub fn new(issuer: String, audience: Vec<String>, typ: &str, scopes_as_array: bool, keys: KeyRing) -> Self {
        let signing = keys.signing();
        let header = json!({ "alg": signing.algorithm().name(), "typ": typ, "kid": signing.kid() });
        let header = base64url::encode(header.to_string());
        Self { name: issuer, audience, scopes_as_array, keys, header }
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.name
    }

    /// Its keys, the first of which signs.
    #[must_use]
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Writes and signs one.
    ///
    /// # Errors
    /// [`SigningFailed`] if the crypto library refuses.
    pub fn write(&self, token: &AccessToken<'_>) -> Result<Issued, SigningFailed> {
        let token_id = base64url::encode(token.random);
        let payload = base64url::encode(Value::Object(self.claims(token, &token_id)).to_string());
        let mut text = format!("{}.{payload}", self.header);
        let signature = self.keys.signing().sign(text.as_bytes())?;
        text.push('.');
        text.push_str(&base64url::encode(signature));
        Ok(Issued { token: text, token_id })
    }

    fn claims(&self, token: &AccessToken<'_>, token_id: &str) -> Map<String, Value> {
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.name.as_str().into());
        set("sub", token.subject.into());
        match self.audience.as_slice() {
            [] => None,
            [one] => set("aud", one.as_str().into()),
            several => set("aud", several.into()),
        };
        set("exp", token.expires_at.seconds().into());
        set("iat", token.issued_at.seconds().into());
        set("jti", token_id.into());
        set("client_id", token.client.into());
        if let Some(session) = token.session {
            set("sid", session.into());
        }
        if self.scopes_as_array {
            set("scopes", token.scopes.iter().map(|scope| Value::from(scope.as_str())).collect());
        } else if !token.scopes.is_empty() {
            set("scope", token.scopes.to_string().into());
        }
        for (name, value) in token.attributes {
            // An attribute called `exp` or `scope` must not grant what doorward did not.
            if !RESERVED.contains(&name.as_str()) && !value.is_null() {
                set(name, value.clone());
            }
        }
        claims
    }
}

/// Claims that only doorward writes.
pub const RESERVED: [&str; 18] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "sid",
    "scope",
    "scopes",
    "azp",
    "cnf",
    "typ",
    "nonce",
    "at_hash",
    "c_hash",
    "events",
];

impl fmt::Debug for Issuer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Issuer").field("issuer", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Issued").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}
