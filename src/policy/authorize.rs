//! Whether a token is one that a route takes, and what was granted is enough for it.

use std::fmt;

use super::{Reason, RouteSpec};
use crate::tokens::{Claims, ScopeSet};

/// Why a route does not take a token: first what another token would help against, for then it is the token that is wrong here (401);
/// then whose it is, and what it grants.
pub(super) fn refusal(route: &RouteSpec, claims: &Claims) -> Option<Reason> {
    let is_for = |audience: &String| claims.audience.iter().any(|own| **own == **audience);
    if !route.audience.is_empty() && !route.audience.iter().any(is_for) {
        return Some(Reason::WrongAudience);
    }
    if !route.issuers.is_empty() && !route.issuers.iter().any(|issuer| **issuer == *claims.issuer) {
        return Some(Reason::IssuerNotAllowed);
    }
    scopes_suffice(route, &claims.scopes).is_err().then_some(Reason::InsufficientScope)
}

/// A scope is missing. Displays as the `scope` of the challenge (RFC 6750 §3): all that the route asks for, not only the missing
/// ones, so that one step up is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing<'a>(&'a RouteSpec);

/// Compares the scopes a route asks for with those that were granted: all of `scopes`, and one of `any_scope` where there is any.
///
/// # Errors
/// [`Missing`] if they are not enough.
pub fn scopes_suffice<'a>(route: &'a RouteSpec, granted: &ScopeSet) -> Result<(), Missing<'a>> {
    let one = route.any_scope.is_empty() || granted.contains_any(&route.any_scope);
    if one && granted.contains_all(&route.scopes) { Ok(()) } else { Err(Missing(route)) }
}

/// All scopes a route asks for, each once.
pub(super) fn wanted(route: &RouteSpec) -> ScopeSet {
    route.scopes.iter().chain(&route.any_scope).cloned().collect()
}

impl fmt::Display for Missing<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        wanted(self.0).fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Access, PathPattern};
    use crate::tokens::IssuerRules;

    #[test]
    fn a_route_says_for_whom_and_by_whom_a_token_must_be() {
        use Reason::{InsufficientScope, IssuerNotAllowed, WrongAudience};
        let both: &[&str] = &["https://a", "https://b"];
        for (audience, issuers, scopes, refused) in [
            (&[][..], &[][..], "", None),
            (&["api"], &[], "", None),
            (&["other", "api"], &[], "", None),
            (&["other"], &[], "", Some(WrongAudience)),
            (&["API"], &[], "", Some(WrongAudience)),
            (&["ap", "api2", "api web"], &[], "", Some(WrongAudience)),
            (&[], &["https://a"], "", None),
            (&[], both, "", None),
            (&[], &["https://b"], "", Some(IssuerNotAllowed)),
            (&[], &["https://a/", "HTTPS://A", "https://"], "", Some(IssuerNotAllowed)),
            (&["web"], &["https://a"], "me", None),
            (&["web"], &["https://a"], "items", Some(InsufficientScope)),
            (&["web"], &["https://b"], "items", Some(IssuerNotAllowed)),
            (&["x"], &["https://b"], "items", Some(WrongAudience)),
        ] {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let route = RouteSpec {
                audience: own(audience),
                issuers: own(issuers),
                scopes: ScopeSet::parse(scopes).unwrap(),
                ..RouteSpec::new(PathPattern::parse("/").unwrap(), Access::Authenticated)
            };
            let claims = r#"{"iss":"https://a","sub":"s","exp":5,"aud":["api","web"],"scope":"me"}"#;
            let claims = crate::base::json::object(claims.as_bytes()).unwrap();
            let claims = Claims::read(claims, &IssuerRules::own("https://a")).unwrap();
            assert_eq!(refusal(&route, &claims), refused, "{audience:?} {issuers:?} {scopes}");
        }
    }

    #[test]
    fn all_of_the_scopes_and_one_of_the_others() {
        for (scopes, any_scope, granted, missing) in [
            ("", "", "", None),
            ("", "", "a", None),
            ("a", "", "a", None),
            ("a b", "", "b c a", None),
            ("a b", "", "a", Some("a b")),
            ("a", "", "", Some("a")),
            ("a", "", "A", Some("a")),
            ("a", "", "a:b", Some("a")),
            ("a:b", "", "a", Some("a:b")),
            ("", "a b", "b", None),
            ("", "a b", "c", Some("a b")),
            ("", "a b", "", Some("a b")),
            ("a", "b c", "a c", None),
            ("a", "b c", "a", Some("a b c")),
            ("a", "b a", "b", Some("a b")),
        ] {
            let set = |text| ScopeSet::parse(text).unwrap();
            let route = RouteSpec {
                scopes: set(scopes),
                any_scope: set(any_scope),
                ..RouteSpec::new(PathPattern::parse("/").unwrap(), Access::Authenticated)
            };
            let text = scopes_suffice(&route, &set(granted)).err().map(|missing| missing.to_string());
            assert_eq!(text.as_deref(), missing, "`{scopes}` and one of `{any_scope}`, granted `{granted}`");
        }
    }
}
