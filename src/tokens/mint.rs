//! Tokens for the application behind: short ones that it can check with a key it knows, in place of the one the client sent.
//!
//! They say nothing that the client's token did not. None of them passes here: the key is no key of ours, and each says what it is
//! for, so that one the application lost is worth nothing at the door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;
use serde_json::{Map, Value, json};

use super::Verified;
use super::issue::RESERVED;
use crate::base::{Times, Timestamp, base64url};
use crate::keys::SigningKey;
use crate::keys::signing::SigningFailed;

/// `upstream.mint`.
#[derive(Clone, Debug)]
pub struct MintSettings {
    /// Known to the application, and used for nothing else.
    pub key: Arc<SigningKey>,
    /// `aud`; `None` = no such claim, which verifiers refuse that were not told of one.
    pub audience: Option<String>,
    /// How long one lives at most.
    pub ttl: Duration,
}

/// Who the tokens are from, and what they say of a user.
#[derive(Clone, Debug)]
pub struct MintTerms<'a> {
    /// `iss`: doorward's own name.
    pub issuer: &'a str,
    /// Whether scopes go into `scopes` as an array, and not into `scope`.
    pub scopes_as_array: bool,
    /// Claims that are copied, beside those that an issuer's are renamed to.
    pub claims: &'a [String],
}

/// Writes such tokens, one for each verified token and ttl: signing is dear, and requests are many. A reload makes a new one of
/// these, so what was signed with an earlier key is forgotten.
pub struct Mint {
    issuer: String,
    scopes_as_array: bool,
    claims: Vec<String>,
    settings: MintSettings,
    header: String,
    made: Cache<[u8; 32], Arc<Made>>,
}

struct Made {
    /// `Bearer TOKEN`.
    authorization: Box<str>,
    at: Timestamp,
    /// From then on the next one is made, if it could be good for longer.
    until: Timestamp,
    expires_at: Timestamp,
}

impl Made {
    /// Whether it still does at `now`, for a token that ends at `latest`. The last one does to its end, and a second for clocks that are
    /// measured ever anew; if this machine's was set right meanwhile, it may have ended too early.
    fn serves(&self, now: Timestamp, latest: Timestamp) -> bool {
        self.at <= now && (now < self.until || latest <= self.expires_at.plus(Duration::from_secs(1)))
    }
}

impl Mint {
    /// A mint that has made nothing yet.
    #[must_use]
    pub fn new(terms: &MintTerms<'_>, settings: MintSettings) -> Self {
        let key = &settings.key;
        // What verifiers that look at it insist on; the claim says the rest.
        let header = json!({ "alg": key.algorithm().name(), "typ": "JWT", "kid": key.kid() });
        let made = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|_, made: &Arc<Made>| u32::try_from(ENTRY + made.authorization.len()).unwrap_or(u32::MAX))
            .time_to_live(settings.ttl)
            .build();
        Self {
            issuer: terms.issuer.to_owned(),
            scopes_as_array: terms.scopes_as_array,
            claims: terms.claims.to_vec(),
            header: base64url::encode(header.to_string()),
            settings,
            made,
        }
    }

    /// The value of `Authorization` for requests with this token. It is signed when none was made, when half of its life is over, and
    /// when the clock was set back before it; requests that come together wait for one signature. `random` is asked for 128 bits for
    /// the `jti`.
    ///
    /// It is dated by this machine's clock, by which the application beside it judges. What is left of the client's token is measured by
    /// the clock that dated that one: own tokens go by the store's.
    ///
    /// # Errors
    /// [`SigningFailed`] if the crypto library refuses.
    pub fn authorization(
        &self,
        verified: &Verified,
        now: impl Into<Times>,
        random: impl FnOnce() -> [u8; 16],
    ) -> Result<String, SigningFailed> {
        let now = now.into();
        let (key, latest, now) = (verified.digest(), end_by_local_clock(verified, now), now.local);
        let serves = |made: &Made| made.serves(now, latest);
        if let Some(made) = self.made.get(key).filter(|made| serves(made)) {
            return Ok(made.authorization.to_string());
        }
        let outcome = self.made.entry_by_ref(key).and_try_compute_with(|entry| {
            if entry.is_some_and(|entry| serves(entry.value())) {
                return Ok(Op::Nop);
            }
            self.make(verified, now, latest, random()).map(|made| Op::Put(Arc::new(made)))
        })?;
        match outcome {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Ok(entry.value().authorization.to_string())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => Err(SigningFailed),
        }
    }

    fn make(
        &self,
        verified: &Verified,
        now: Timestamp,
        latest: Timestamp,
        random: [u8; 16],
    ) -> Result<Made, SigningFailed> {
        let ttl = self.settings.ttl;
        let expires_at = now.plus(ttl).whole_second().min(latest);
        let payload = base64url::encode(Value::Object(self.claims(verified, now, expires_at, random)).to_string());
        let signed = format!("{}.{payload}", self.header);
        let signature = self.settings.key.sign(signed.as_bytes())?;
        let authorization = format!("Bearer {signed}.{}", base64url::encode(signature)).into();
        Ok(Made { authorization, at: now, until: now.plus(ttl / 2), expires_at })
    }

    fn claims(
        &self,
        verified: &Verified,
        now: Timestamp,
        expires_at: Timestamp,
        random: [u8; 16],
    ) -> Map<String, Value> {
        let theirs = verified.claims();
        let renamed = verified.rules().claims.iter().map(|(ours, _)| ours);
        let all = theirs.all.read();
        let mut claims = Map::new();
        for name in self.claims.iter().chain(renamed).filter(|name| !RESERVED.contains(&name.as_str())) {
            if let Some(value) = all.get(name).filter(|value| !value.is_null()) {
                claims.insert(name.clone(), value.clone());
            }
        }
        // After those: none of them may take the place of what says who it is and for how long.
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer.as_str().into());
        set("sub", theirs.user().into());
        if let Some(audience) = &self.settings.audience {
            set("aud", audience.as_str().into());
        }
        set("exp", expires_at.seconds().into());
        set("iat", now.seconds().into());
        set("jti", base64url::encode(random).into());
        if let Some(client) = &theirs.client {
            set("client_id", (&**client).into());
        }
        if self.scopes_as_array {
            set("scopes", theirs.scopes.iter().map(|scope| Value::from(scope.as_str())).collect());
        } else if !theirs.scopes.is_empty() {
            set("scope", theirs.scopes.to_string().into());
        }
        if *theirs.issuer != *self.issuer {
            set(ORIGINAL_ISSUER, (&*theirs.issuer).into());
        }
        set("token_use", FOR_THE_UPSTREAM.into());
        claims
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what was made: those are credentials.
        out.debug_struct("Mint").field("issuer", &self.issuer).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// When `verified` ends, as this machine's clock will show it. A whole second, and not later.
fn end_by_local_clock(verified: &Verified, now: Times) -> Timestamp {
    let end = verified.claims().expires_at;
    let ahead = if verified.rules().own { now.local.millis().saturating_sub(now.store.millis()) } else { 0 };
    Timestamp::from_millis(end.millis().saturating_add(ahead)).whole_second()
}

/// Who issued the client's token, if it was not doorward.
pub const ORIGINAL_ISSUER: &str = "original_iss";

/// What `token_use` says. The gate takes no token that says this, whatever it is signed with: a key that once was the application's
/// must not make old ones good.
const FOR_THE_UPSTREAM: &str = "upstream";

/// What all that was made may weigh, in bytes: some 20,000 tokens.
const MAX_BYTES: u64 = 32 << 20;

/// What an entry costs beside its text: what moka keeps for it, and what the allocator loses.
const ENTRY: usize = 1000;

#[cfg(test)]
mod tests;
