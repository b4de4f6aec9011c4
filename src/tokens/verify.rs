//! From a text to a token that is ours, whole, in time and meant for this API.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::cache::{CacheResult, Digest, VerifiedCache, digest_of};
use super::claims::Held;
use super::kind::is_access_token;
use super::known::{Known, Remembered};
use super::{Claims, IssuerRules, RawToken, Rejected, ScopeSet, VerifyError, weight};
use crate::base::{Times, Timestamp, base64url};
use crate::keys::{Algorithm, KeyRing, KeySet, LiveKeys, NoKey, VerifyingKey};

/// The most that `leeway` may be. Revocation marks live this much longer than what they match, whatever the setting was
/// when they were made: it may be raised later, and must not bring a revoked token back.
pub const MAX_LEEWAY: Duration = Duration::from_mins(5);

/// The longest life of an own access token, and so how far ahead its `exp` may be. A shorter setting today does not touch
/// what was issued under a longer one; this bounds what a key that leaked, or that an application shares, can make.
pub const LONGEST_OWN_LIFE: Duration = Duration::from_hours(365 * 24);

/// Checks tokens: organised by issuer, then by key. A key of one issuer never verifies another's token.
#[derive(Debug)]
pub struct Verifier {
    issuers: HashMap<Box<str>, Arc<TrustedIssuer>>,
    cache: VerifiedCache,
}

#[derive(Debug)]
struct TrustedIssuer {
    rules: Arc<IssuerRules>,
    keys: Arc<LiveKeys>,
}

/// A token whose signature, issuer, kind, audience and times were checked. Only [`Verifier`] makes one.
#[derive(Debug)]
pub struct Verified {
    claims: Claims,
    issuer: Arc<TrustedIssuer>,
    key: VerifyingKey,
    /// The keys of its issuer when it was verified. Once they are others it is verified anew, or a key that was withdrawn would
    /// live on here (attacks.md K07).
    keys: Arc<KeySet>,
    identifier: Box<str>,
    /// Of all that was signed, and of what it was cut to.
    digest: Digest,
}

impl Verifier {
    /// A verifier for the issuers given, each with its keys.
    #[must_use]
    pub fn new(issuers: impl IntoIterator<Item = (IssuerRules, Arc<LiveKeys>)>) -> Self {
        let trusted = |(rules, keys): (IssuerRules, Arc<LiveKeys>)| {
            (rules.issuer.as_str().into(), Arc::new(TrustedIssuer { rules: Arc::new(rules), keys }))
        };
        Self { issuers: issuers.into_iter().map(trusted).collect(), cache: VerifiedCache::new() }
    }

    /// What holds for the tokens of `issuer`; `None` if nobody trusts it.
    #[must_use]
    pub fn rules(&self, issuer: &str) -> Option<&Arc<IssuerRules>> {
        self.issuers.get(issuer).map(|trusted| &trusted.rules)
    }

    /// A verifier for own tokens alone, with the keys of `ring`.
    #[must_use]
    pub fn of(rules: IssuerRules, ring: &KeyRing) -> Self {
        Self::new([(rules, Arc::new(LiveKeys::new(ring.into())))])
    }

    /// The `iss` values that are trusted.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.keys().map(|issuer| &**issuer)
    }

    /// Checks a compact JWS at the time `now`, own tokens by the store's and others by this machine's, in the order of RFC 8725 and with every check it asks for.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(&self, token: &str, now: impl Into<Times>) -> (Result<Arc<Verified>, Rejected>, CacheResult) {
        let (known, cached) = self.know(token, &digest_of(token), now.into());
        (known.map(|known| known.shared()), cached)
    }

    /// The same by its [digest](digest_of), for who remembers it as long as it [counts](Known::counts).
    ///
    /// # Errors
    /// The first check that failed.
    pub fn know(&self, token: &str, digest: &Digest, now: Times) -> (Result<Known, Rejected>, CacheResult) {
        let (remembered, cached) = match self.cache.get(digest, now.local) {
            Some(remembered) => (remembered, CacheResult::Hit),
            None => match self.verify_uncached(token) {
                Ok(verified) => (Remembered { verified: Arc::new(verified), at: now.local }, CacheResult::Miss),
                Err(error) => return (Err(error), CacheResult::Miss),
            },
        };
        let known = Known::new(remembered).timely(now);
        if let (Ok(known), CacheResult::Miss) = (&known, cached) {
            self.cache.insert(*digest, known.remembered());
        }
        (known, cached)
    }

    /// A token that was verified, maybe by the rules and keys of an earlier configuration, as it is by those of this one: its issuer
    /// and its key are still trusted, it is meant for us and has not expired, and it grants no more than its issuer may grant now. A
    /// clock that was set back changes nothing, nor does an issuer whose keys nobody knows at the moment: it has withdrawn none.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn still_trusts(&self, token: &Arc<Verified>, now: impl Into<Times>) -> Result<Arc<Verified>, VerifyError> {
        let issuer = self.issuers.get(&*token.claims.issuer).ok_or(VerifyError::WrongIssuer)?;
        let keys = issuer.keys.now();
        if keys.is_available() && !keys.has(&token.key) {
            return Err(VerifyError::UnknownKey);
        }
        issuer.rules.check_audience(&token.claims)?;
        if issuer.rules.now(now.into()) >= token.claims.expires_at.plus(issuer.rules.leeway) {
            return Err(VerifyError::Expired);
        }
        Ok(match &issuer.rules.scopes {
            Some(limit) if !limit.contains_all(&token.claims.scopes) => Arc::new(token.limited(issuer, limit)),
            _ => Arc::clone(token),
        })
    }

    /// Everything but the times, which are no property of the token alone; nothing is remembered.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify_uncached(&self, token: &str) -> Result<Verified, Rejected> {
        let nobody = |error| Rejected { error, issuer: None, kid: None };
        let raw = RawToken::parse(token).map_err(|_| nobody(VerifyError::Malformed))?;
        refuse_extensions(raw.header()).map_err(nobody)?;
        let issuer = self.issuer_of(&raw).map_err(nobody)?;
        issuer.verify(raw)
    }

    /// The unverified `iss` only selects whose keys are tried.
    fn issuer_of(&self, raw: &RawToken<'_>) -> Result<&Arc<TrustedIssuer>, VerifyError> {
        let issuer = raw.unverified_claims().get("iss").and_then(Value::as_str).ok_or(VerifyError::WrongIssuer)?;
        self.issuers.get(issuer).ok_or(VerifyError::WrongIssuer)
    }
}

impl TrustedIssuer {
    fn verify(self: &Arc<Self>, raw: RawToken<'_>) -> Result<Verified, Rejected> {
        let rejected = |error| Rejected { error, issuer: Some(Arc::clone(&self.rules)), kid: None };
        // Before its key is looked for: one that no key could save must not have keys fetched, nor be our fault while they cannot be.
        if !self.rules.allows_algorithm(raw.header()) {
            return Err(rejected(VerifyError::WrongAlgorithm));
        }
        let keys = Arc::clone(&self.keys.now());
        let key = key_for(&keys, raw.header())
            .map_err(|error| Rejected { kid: unknown_kid(error, &raw), ..rejected(error) })?;
        if !key.verifies(raw.signed().as_bytes(), raw.signature()) {
            return Err(rejected(VerifyError::BadSignature));
        }
        let rules = &self.rules;
        if !is_access_token(raw.header(), raw.unverified_claims(), rules) {
            return Err(rejected(VerifyError::WrongType));
        }
        let digest = digest_of(raw.signed());
        let claims = Claims::read(raw.into_claims(), rules).map_err(|_| rejected(VerifyError::Malformed))?;
        rules.check_audience(&claims).map_err(rejected)?;
        // A token without a `jti` is named by what was signed, never by its signature: ECDSA's can be respelled.
        let identifier = claims.token_id.clone().unwrap_or_else(|| base64url::encode(digest).into());
        let key = key.clone();
        Ok(Verified { claims, issuer: Arc::clone(self), key, keys, identifier, digest })
    }
}

/// What to look for among newer keys.
fn unknown_kid(error: VerifyError, raw: &RawToken<'_>) -> Option<Box<str>> {
    let kid = || raw.header().get("kid").and_then(Value::as_str).map(Box::from);
    matches!(error, VerifyError::UnknownKey | VerifyError::KeysUnavailable).then(kid).flatten()
}

fn key_for<'k>(keys: &'k KeySet, header: &Map<String, Value>) -> Result<&'k VerifyingKey, VerifyError> {
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(VerifyError::Malformed),
    };
    keys.find(kid, algorithm).map_err(|none| match none {
        NoKey::Unavailable => VerifyError::KeysUnavailable,
        NoKey::Unknown => VerifyError::UnknownKey,
        NoKey::WrongAlgorithm => VerifyError::WrongAlgorithm,
    })
}

impl Verified {
    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What a revocation mark names it by: its `jti`, or a hash of `header.payload` if it has none.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The tolerance that applies to its times.
    #[must_use]
    pub fn leeway(&self) -> Duration {
        self.issuer.rules.leeway
    }

    /// SHA-256 of what it says: of all that was signed, and of what is left of that where it was cut. Whatever is made of a token is
    /// remembered by this, or it would outlive what the user has lost.
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The rules of its issuer.
    #[must_use]
    pub fn rules(&self) -> &Arc<IssuerRules> {
        &self.issuer.rules
    }

    /// The same token with no other scopes and roles than its user has now; `None` if it names no others. For own tokens alone: what
    /// another issuer's claims mean is its own to say.
    #[must_use]
    pub fn cut_to(&self, held: Held<'_>) -> Option<Self> {
        (!self.claims.within(held)).then(|| self.with(self.claims.held(held), &self.issuer))
    }

    fn limited(&self, issuer: &Arc<TrustedIssuer>, limit: &ScopeSet) -> Self {
        self.with(self.claims.limited(limit), issuer)
    }

    fn with(&self, claims: Claims, issuer: &Arc<TrustedIssuer>) -> Self {
        let said = [&self.digest[..], claims.all.as_json().as_bytes()].concat();
        Self {
            digest: digest_of(said),
            claims,
            issuer: Arc::clone(issuer),
            key: self.key.clone(),
            keys: Arc::clone(&self.keys),
            identifier: self.identifier.clone(),
        }
    }

    /// Whether its issuer has the keys it was verified with. Of an unchanged set that was fetched again this is still so.
    pub(super) fn is_of_current_keys(&self) -> bool {
        Arc::ptr_eq(&self.keys, &self.issuer.keys.now())
    }

    /// Bytes it takes in memory, all but what it shares with others of its issuer.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + weight::block(self.identifier.len()) + self.claims.weight()
    }

    /// Evaluated on every request, cached or not: valid while now < exp + leeway.
    ///
    /// # Errors
    /// [`VerifyError::Expired`]; [`VerifyError::NotYetValid`]; [`VerifyError::Malformed`] if it would live too long.
    pub fn in_time(&self, now: Times) -> Result<(), VerifyError> {
        let rules = &self.issuer.rules;
        let (leeway, latest) = (rules.leeway, rules.dated_until(now));
        if rules.now(now) >= self.claims.expires_at.plus(leeway) {
            return Err(VerifyError::Expired);
        }
        // From its beginning too: a mark on all that somebody was issued lives as long as this, and must not be outlived by a token that
        // was too long for it when it was made.
        let too_long = |from: Timestamp| self.claims.expires_at > from.plus(rules.max_lifetime).plus(leeway);
        if too_long(latest) || self.claims.issued_at.is_some_and(too_long) {
            return Err(VerifyError::Malformed);
        }
        // A login in the second of a subject's mark is dated one second later, whatever the leeway.
        let ahead = latest.plus(leeway.max(Duration::from_secs(1)));
        let too_early = |date: Option<Timestamp>| date.is_some_and(|date| date > ahead);
        if too_early(self.claims.not_before) || too_early(self.claims.issued_at) {
            return Err(VerifyError::NotYetValid);
        }
        Ok(())
    }
}

/// Extensions change what a token means (RFC 7515 §4.1.11); none is understood here, so none may be present. `jku`, `jwk`,
/// `x5u` and `x5c` are not read at all: they name keys of the sender's choice.
fn refuse_extensions(header: &Map<String, Value>) -> Result<(), VerifyError> {
    let extended = ["crit", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name));
    let nested = header.get("cty").is_some_and(|cty| cty.as_str().is_none_or(|cty| cty.eq_ignore_ascii_case("JWT")));
    if extended || nested { Err(VerifyError::Malformed) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
