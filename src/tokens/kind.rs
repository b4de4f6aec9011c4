//! Whether a signed JWT is an access token. Issuers sign others with the same keys, and each kind has a name of its own in each
//! product, so what says that it is another kind is refused wherever it stands (RFC 8725 §3.11 and §3.12, RFC 9068 §4).

use serde_json::{Map, Value};

use super::{IssuerRules, TokenType};

/// Access tokens of an issuer, by what they say of themselves:
///
/// - `typ` in the header is one of the issuer's `token_types`.
/// - No `at_hash` or `c_hash` (OIDC Core §3.3.2.11: ID tokens), `events` (RFC 8417: logout tokens, security events) or
///   `cnf` (RFC 7800: bound to a key, whose possession nobody proves here).
/// - No `nonce`, which ID tokens bring back from the login; but older Keycloak wrote it into access tokens, too. So another issuer's
///   may have one if it names its client (`azp` or `client_id`) and is not meant for that: ID tokens are.
/// - A `typ` among the claims, where Keycloak names the kind, and `token_use`, as Cognito's, say nothing else than an access token.
///   `token_type` and `type`, as frameworks write them, do not name another kind; their other values are anybody's.
pub(super) fn is_access_token(header: &Map<String, Value>, claims: &Map<String, Value>, rules: &IssuerRules) -> bool {
    let typ = match header.get("typ") {
        None => Some(TokenType::Absent),
        Some(typ) => typ.as_str().and_then(TokenType::of),
    };
    typ.is_some_and(|typ| rules.token_types.contains(&typ))
        && !["at_hash", "c_hash", "events", "cnf"].iter().any(|name| claims.contains_key(*name))
        && (!claims.contains_key("nonce") || (!rules.own && is_meant_for_others_than_its_client(claims)))
        && ["typ", "token_use"].iter().all(|name| claims.get(*name).is_none_or(|kind| is_among(kind, &ACCESS)))
        && !["token_type", "type"].iter().any(|name| claims.get(*name).is_some_and(|kind| is_among(kind, &OTHERS)))
}

fn is_meant_for_others_than_its_client(claims: &Map<String, Value>) -> bool {
    let clients: Vec<&Value> = ["azp", "client_id"].iter().filter_map(|name| claims.get(*name)).collect();
    let audience = match claims.get("aud") {
        None => return false,
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    !clients.is_empty() && !audience.is_empty() && !clients.iter().any(|client| audience.contains(client))
}

fn is_among(kind: &Value, kinds: &[&str]) -> bool {
    kind.as_str().is_some_and(|kind| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)))
}

const ACCESS: [&str; 6] = ["Bearer", "access", "access_token", "at+jwt", "application/at+jwt", "JWT"];

const OTHERS: [&str; 7] = ["id", "id_token", "refresh", "refresh_token", "offline", "logout", "logout_token"];

#[cfg(test)]
mod tests;
