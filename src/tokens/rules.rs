//! What tokens of an issuer must be, and how they are read.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Claims, ScopeSet, VerifyError};
use crate::base::{Times, Timestamp};
use crate::keys::Algorithm;

/// What one issuer's tokens must be, and what their claims mean here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// Whether they are doorward's own.
    pub own: bool,
    /// One of these must be in `aud`; empty = none is asked for (own tokens only: an issuer of others must name one).
    pub audience: Vec<String>,
    /// What its tokens may be signed with, whatever their keys are; `None` = what those are for.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The kinds of JWT that are access tokens here.
    pub token_types: Vec<TokenType>,
    /// The claim that holds the scopes: text of words between blanks, or a list of words. No other claim adds to it.
    pub scope_claim: ClaimPath,
    /// Claims of ours and where the issuer has them. One that the issuer calls so itself is not ours: without the claim named here it
    /// is absent. None of [`FIXED`] can be named.
    pub claims: Vec<(String, ClaimPath)>,
    /// The only scopes it may grant, the others are cut off; `None` = any.
    pub scopes: Option<ScopeSet>,
    /// In front of `sub` wherever users of several issuers meet.
    pub subject_prefix: String,
    /// Tolerance for clocks.
    pub leeway: Duration,
    /// An `exp` further ahead than this is refused; bounds how long a revocation mark must live.
    pub max_lifetime: Duration,
}

/// What `typ` may say (RFC 8725 §3.11); compared without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// `at+jwt` or `application/at+jwt` (RFC 9068 §2.1).
    AccessToken,
    /// `JWT`.
    Jwt,
    /// No `typ` at all.
    Absent,
}

impl TokenType {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::AccessToken, Self::Jwt, Self::Absent];

    /// What a header names; `None` for another kind.
    pub(super) fn of(typ: &str) -> Option<Self> {
        let is = |known: &str| typ.eq_ignore_ascii_case(known);
        match () {
            () if is("at+jwt") || is("application/at+jwt") => Some(Self::AccessToken),
            () if is("JWT") => Some(Self::Jwt),
            () => None,
        }
    }

    /// As the configuration names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt => "JWT",
            Self::Absent => "absent",
        }
    }
}

/// Where a claim stands: `scope`, or `realm_access.roles` within an object. A claim whose own name has a dot
/// (`https://example.com/roles`) is found by its whole name first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// A path, as the configuration writes it.
    pub fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there.
    #[must_use]
    pub fn find<'v>(&self, claims: &'v Map<String, Value>) -> Option<&'v Value> {
        find(claims, &self.0)
    }
}

fn find<'v>(claims: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    claims.get(path).or_else(|| {
        path.match_indices('.').find_map(|(at, _)| {
            let (outer, inner) = path.split_at_checked(at)?;
            find(claims.get(outer)?.as_object()?, inner.strip_prefix('.')?)
        })
    })
}

/// Claims that mean the same in every token: no other claim is taken for one of these. Scopes are read by `scope_claim`.
pub const FIXED: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "cnf", "scope"];

impl IssuerRules {
    /// Rules for doorward's own tokens: every kind of access token, scopes in `scope`, half a minute of leeway and a day of life.
    #[must_use]
    pub fn own(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            own: true,
            audience: Vec::new(),
            algorithms: None,
            token_types: TokenType::ALL.into(),
            scope_claim: ClaimPath::new("scope"),
            claims: Vec::new(),
            scopes: None,
            subject_prefix: String::new(),
            leeway: Duration::from_secs(30),
            max_lifetime: Duration::from_hours(24),
        }
    }

    /// Whether a token with this header is signed with one of its `algorithms`.
    pub(super) fn allows_algorithm(&self, header: &Map<String, Value>) -> bool {
        let Some(allowed) = &self.algorithms else { return true };
        let named = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        named.is_some_and(|named| allowed.contains(&named))
    }
}

impl IssuerRules {
    /// The time by the clock that its tokens are dated by.
    pub(super) const fn now(&self, times: Times) -> Timestamp {
        if self.own { times.store } else { times.local }
    }

    /// The latest time that its tokens may have been dated with.
    pub(super) const fn dated_until(&self, times: Times) -> Timestamp {
        if self.own { times.dated_until } else { times.local }
    }

    pub(super) fn check_audience(&self, claims: &Claims) -> Result<(), VerifyError> {
        let meant_for_us = |audience: &str| self.audience.iter().any(|ours| ours == audience);
        if self.audience.is_empty() || claims.audience.iter().any(|audience| meant_for_us(audience)) {
            Ok(())
        } else {
            Err(VerifyError::WrongAudience)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_and_then_by_its_path() {
        let claims = r#"{"a":1,"a.b":2,"a.b.c":{"d":3},"realm_access":{"roles":4,"x.y":5,"x":{"y":6}},
            "https://example.com/roles":7,"https://example":{"com/roles":8},"list":[{"a":9}],"":{"":10}}"#;
        let claims = crate::base::json::object(claims.as_bytes()).unwrap();
        for (path, found) in [
            ("a", Some(1)),
            ("a.b", Some(2)),
            ("a.b.c.d", Some(3)),
            ("realm_access.roles", Some(4)),
            ("realm_access.x.y", Some(5)),
            ("https://example.com/roles", Some(7)),
            (".", Some(10)),
            ("a.c", None),
            ("realm_access.Roles", None),
            ("realm_access.", None),
            (".roles", None),
            ("list.a", None),
            ("list.0.a", None),
            ("b", None),
        ] {
            assert_eq!(ClaimPath::new(path).find(&claims).and_then(Value::as_i64), found, "{path}");
        }
    }
}
