//! Whole replies by name: what `conformance` asks of every reply of a kind, so that no case has to repeat it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::mint;
use crate::wire::Response;

/// A grant's success (RFC 6749 §5.1) with `scope`; empty = no member of that name.
pub(crate) fn granted(response: &Response, scope: &str, problems: &mut Vec<String>) {
    status(response, 200, problems);
    oauth_headers(response, problems);
    let Some(Value::Object(body)) = response.json() else { return problems.push("no JSON object".to_owned()) };
    let members: BTreeSet<&str> = body.keys().map(String::as_str).collect();
    let mut expected: BTreeSet<&str> = ["access_token", "token_type", "expires_in", "refresh_token"].into();
    if !scope.is_empty() {
        expected.insert("scope");
    }
    equal("members", &members, &expected, problems);
    equal("token_type", &body.get("token_type"), &Some(&"bearer".into()), problems);
    if !body.get("expires_in").is_some_and(Value::is_u64) {
        problems.push("expires_in is no integer".to_owned());
    }
    let said = body.get("scope").map_or("", |scope| scope.as_str().unwrap_or("no string"));
    equal("scope", &said, &scope, problems);
    let claims = body.get("access_token").and_then(Value::as_str).and_then(mint::claims_of);
    let claims = claims.unwrap_or_default();
    equal("scope claim", &claims["scope"].as_str().unwrap_or_default(), &scope, problems);
}

/// An access token that nobody configured an audience for.
pub(crate) fn without_audience(response: &Response, problems: &mut Vec<String>) {
    let body = response.json().unwrap_or_default();
    let claims = body["access_token"].as_str().and_then(mint::claims_of).unwrap_or_default();
    if claims.get("aud").is_some() {
        problems.push("an `aud` that nobody asked for breaks verifiers that name none".to_owned());
    }
}

/// An error of the OAuth endpoints (RFC 6749 §5.2).
pub(crate) fn oauth_error(response: &Response, code: u16, error: &str, problems: &mut Vec<String>) {
    status(response, code, problems);
    oauth_headers(response, problems);
    let Some(Value::Object(body)) = response.json() else { return problems.push("no JSON object".to_owned()) };
    let members: BTreeSet<&str> = body.keys().map(String::as_str).collect();
    equal("members", &members, &["detail", "error", "error_description"].into(), problems);
    equal("error", &body.get("error"), &Some(&error.into()), problems);
    if code == 401 {
        equal("error of a 401", &error, &"invalid_client", problems);
    }
    let (description, detail) = (body.get("error_description"), body.get("detail"));
    equal("detail", &detail, &description, problems);
    let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    if !description.and_then(Value::as_str).is_some_and(|text| !text.is_empty() && text.bytes().all(allowed)) {
        problems.push("error_description has other characters than RFC 6749 allows".to_owned());
    }
}

/// The reply to a revocation.
pub(crate) fn revoked(response: &Response, problems: &mut Vec<String>) {
    status(response, 200, problems);
    oauth_headers(response, problems);
    equal("body", &response.text().as_str(), &r#"{"message":"Token revoked"}"#, problems);
}

/// All that is said of a token that is not active (RFC 7662 §2.2): the same bytes, whatever it is.
pub(crate) fn inactive(response: &Response, problems: &mut Vec<String>) {
    status(response, 200, problems);
    oauth_headers(response, problems);
    equal("body", &response.text().as_str(), &r#"{"active":false}"#, problems);
}

/// A refusal of the gate.
pub(crate) fn refused(response: &Response, reason: &str, problems: &mut Vec<String>) {
    let (code, error, detail) = match reason {
        "no-credential" => (401, None, Some("Not authenticated")),
        "malformed-token" | "unknown-key" | "wrong-algorithm" | "bad-signature" | "expired" | "not-yet-valid"
        | "wrong-issuer" | "wrong-audience" | "wrong-type" | "revoked" | "user-disabled" | "too-large" => {
            (401, Some("invalid_token"), Some("Could not validate credentials"))
        }
        "insufficient-scope" => (403, Some("insufficient_scope"), Some("Not enough permissions")),
        "no-route" | "route-denied" | "issuer-not-allowed" => (403, None, Some("Forbidden")),
        "keys-unavailable" => (503, None, Some("Authentication temporarily unavailable")),
        "multiple-credentials" | "ambiguous-path" | "malformed-request" => (400, Some("invalid_request"), None),
        "method-not-allowed" => (405, None, Some("Method Not Allowed")),
        other => return problems.push(format!("`{other}` is no reason of the gate")),
    };
    status(response, code, problems);
    only(response, "Content-Type", "application/json", problems);
    if matches!(code, 401 | 403) {
        only(response, "Cache-Control", "no-store", problems);
    }
    challenge(response, reason, error, problems);
    let Some(Value::Object(body)) = response.json() else { return problems.push("no JSON object".to_owned()) };
    equal("reason", &body.get("reason"), &Some(&reason.into()), problems);
    equal("error", &body.get("error"), &error.map(Value::from).as_ref(), problems);
    let said = body.get("detail").and_then(Value::as_str);
    if said.is_none() || detail.is_some_and(|detail| said != Some(detail)) {
        problems.push(format!("detail is {said:?} and not {detail:?}"));
    }
    if body.values().any(|member| !member.is_string()) {
        problems.push("a member is no string".to_owned());
    }
}

fn challenge(response: &Response, reason: &str, error: Option<&str>, problems: &mut Vec<String>) {
    let challenges = response.values("WWW-Authenticate");
    let wanted = matches!(error, Some("invalid_token" | "insufficient_scope"))
        || matches!(reason, "no-credential" | "multiple-credentials");
    let challenge = match challenges.as_slice() {
        [] if !wanted => return,
        [one] if wanted => *one,
        other => return problems.push(format!("challenges: {other:?}")),
    };
    if !challenge.starts_with("Bearer realm=\"doorward\"") {
        problems.push(format!("challenge: {challenge}"));
    }
    let names = error.map(|error| format!(", error=\"{error}\", error_description=\""));
    match names {
        Some(names) if !challenge.contains(&names) => {
            problems.push(format!("challenge without `{names}`: {challenge}"));
        }
        None if challenge.contains("error") => problems.push(format!("an error where nothing was sent: {challenge}")),
        _ => {}
    }
    // Who may try again with another token learns where to get one.
    if challenge.contains(", resource_metadata=\"http") == (reason == "multiple-credentials") {
        problems.push(format!("the address of the metadata: {challenge}"));
    }
    let description = match reason {
        "expired" => "error_description=\"The access token expired\"",
        "revoked" => "error_description=\"The access token was revoked\"",
        _ => return,
    };
    if !challenge.contains(description) {
        problems.push(format!("challenge without `{description}`: {challenge}"));
    }
}

/// What every reply of the OAuth endpoints has, and what none has.
pub(crate) fn oauth_headers(response: &Response, problems: &mut Vec<String>) {
    only(response, "Content-Type", "application/json", problems);
    only(response, "Cache-Control", "no-store", problems);
    only(response, "Pragma", "no-cache", problems);
    only(response, "X-Content-Type-Options", "nosniff", problems);
    for name in ["Set-Cookie", "ETag"] {
        if !response.values(name).is_empty() {
            problems.push(format!("{name} is there"));
        }
    }
    // A challenge belongs to every 401 (RFC 9110 §15.5.2), and clients that see one do not read the body.
    let challenges = response.values("WWW-Authenticate").len();
    if challenges != usize::from(response.status == 401) {
        problems.push(format!("{challenges} WWW-Authenticate"));
    }
}

fn only(response: &Response, name: &str, value: &str, problems: &mut Vec<String>) {
    equal(name, &response.values(name).as_slice(), &[value].as_slice(), problems);
}

pub(crate) fn status(response: &Response, expected: u16, problems: &mut Vec<String>) {
    equal("status", &response.status, &expected, problems);
}

pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T, problems: &mut Vec<String>) {
    if found != expected {
        problems.push(format!("{what} is {found:?} and not {expected:?}"));
    }
}
