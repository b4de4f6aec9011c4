//! Whether what was granted is enough for a route.

use std::fmt;

use super::RouteSpec;
use crate::tokens::ScopeSet;

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
