//! How refusals are worded: the `wire` section, for what the gate refuses.

use serde_json::{Value, json};

/// How challenges and bodies look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// How much is said.
    pub style: ChallengeStyle,
    /// The protection space (RFC 9110 §11.5): printable ASCII without `"` and `\`.
    pub realm: String,
    /// The status of a refusal for want of scopes: 403 (RFC 6750 §3.1), or 401 as the tutorials have it.
    pub insufficient_scope_status: u16,
}

/// How much a refusal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeStyle {
    /// All that RFC 6750 §3 has, and the reason.
    Full,
    /// FastAPI's bytes, for clients that compare: `Bearer`, or `Bearer scope="…"`, and `detail` alone. Who needs more
    /// (an MCP client that looks for `resource_metadata`) finds nothing.
    Minimal,
}

impl ChallengeStyle {
    /// The challenge of FastAPI, with the scopes of the route that `scope` has.
    pub(super) fn minimal_challenge(scope: Option<&str>) -> String {
        scope.map_or_else(|| "Bearer".to_owned(), |scope| format!("Bearer scope=\"{scope}\""))
    }

    /// FastAPI's body.
    pub(super) fn minimal_body(detail: &str) -> Value {
        json!({ "detail": detail })
    }
}

#[cfg(test)]
impl Wording {
    /// As it is where nothing is configured.
    pub(crate) fn full() -> Self {
        Self { style: ChallengeStyle::Full, realm: "doorward".to_owned(), insufficient_scope_status: 403 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Denial;
    use crate::policy::Reason;

    #[test]
    fn minimal_is_what_fastapi_says() {
        let minimal = Wording { style: ChallengeStyle::Minimal, ..Wording::full() };
        let bearer = Some("Bearer");
        for (reason, scope, challenge, detail) in [
            (Reason::NoCredential, None, bearer, "Not authenticated"),
            (Reason::NoCredential, Some("me items"), bearer, "Not authenticated"),
            (Reason::Expired, None, bearer, "Could not validate credentials"),
            (Reason::Revoked, Some("me"), Some(r#"Bearer scope="me""#), "Could not validate credentials"),
            (Reason::InsufficientScope, Some("me items"), Some(r#"Bearer scope="me items""#), "Not enough permissions"),
            (Reason::MultipleCredentials, Some("me"), bearer, "More than one Authorization header"),
            (Reason::RouteDenied, None, None, "Forbidden"),
            (Reason::StoreUnavailable, None, None, "Authentication temporarily unavailable"),
        ] {
            let denial = Denial { scope: scope.map(Into::into), ..Denial::new(reason) };
            let found = denial.challenge(&minimal, Some("https://a/.well-known/x"));
            assert_eq!(found.as_deref(), challenge, "{reason:?}");
            assert_eq!(denial.body(&minimal), json!({ "detail": detail }), "{reason:?}");
        }
    }

    #[test]
    fn the_realm_is_the_one_given() {
        let wording = Wording { realm: "my api".to_owned(), ..Wording::full() };
        let challenge = Denial::new(Reason::NoCredential).challenge(&wording, None);
        assert_eq!(challenge.as_deref(), Some(r#"Bearer realm="my api""#));
    }
}
