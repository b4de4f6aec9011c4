//! The body of `POST /revocations`.

use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::trouble::Trouble;
use crate::base::json;
use crate::endpoints::content_type::BodyType;
use crate::grants::{Order, OrderKind};
use crate::tokens::RefreshToken;

/// What a request asks for.
pub(super) struct Asked {
    pub(super) order: Order,
    /// For how long other instances may be waited for.
    pub(super) wait: Duration,
}

/// Whether the body is JSON as it is: exactly one type, and no encoding.
pub(super) fn is_json(types: &[&[u8]], encodings: &[&[u8]]) -> bool {
    let plain = encodings.iter().all(|encoding| encoding.eq_ignore_ascii_case(b"identity"));
    matches!(types, [one] if BodyType::read(one) == Some(BodyType::Json)) && plain
}

/// Reads a body. Unknown members are refused: one that was misspelt would revoke something else than was meant.
pub(super) fn read(body: &[u8]) -> Result<Asked, Trouble> {
    let mut members =
        json::object(body).map_err(|_| Trouble::Invalid("The body is not a JSON object with each member once"))?;
    let kind = text(&mut members, "kind", KIND)?.as_deref().and_then(|word| OrderKind::from_name(word));
    let value = text(&mut members, "value", VALUE)?.unwrap_or_default();
    let issuer = text(&mut members, "issuer", "`issuer` must be a string, or null")?.map(|issuer| issuer.to_string());
    let reason = text(&mut members, "reason", "`reason` must be a string, or null")?.map(|reason| reason.to_string());
    let wait = wait(members.shift_remove("wait"))?;
    if !members.is_empty() {
        return Err(Trouble::Invalid("The members are `kind`, `value`, `issuer`, `reason` and `wait`, and no others"));
    }
    let kind = kind.ok_or(Trouble::Invalid(KIND))?;
    if value.is_empty() {
        return Err(Trouble::Invalid(VALUE));
    }
    if kind != OrderKind::Token {
        if value.len() > LONGEST_VALUE || value.chars().any(char::is_control) {
            return Err(Trouble::Invalid("`value` is too long, or has a control character"));
        }
        // It would be stored, listed and logged.
        if is_token(&value) {
            return Err(Trouble::Invalid("`value` is the text of a token: `kind` must be `token`"));
        }
    }
    if reason.as_ref().is_some_and(|reason| reason.len() > LONGEST_REASON) {
        return Err(Trouble::Invalid("`reason` is longer than 500 bytes"));
    }
    Ok(Asked { order: Order { kind, value, issuer, reason }, wait })
}

/// A member that is a string; `None` if it is left out or null.
fn text(
    members: &mut Map<String, Value>,
    name: &str,
    wrong: &'static str,
) -> Result<Option<Zeroizing<String>>, Trouble> {
    match members.shift_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Zeroizing::new(text))),
        Some(_) => Err(Trouble::Invalid(wrong)),
    }
}

fn wait(member: Option<Value>) -> Result<Duration, Trouble> {
    match member {
        None | Some(Value::Null) => Ok(Duration::ZERO),
        Some(Value::Number(seconds)) if seconds.as_u64().is_some_and(|seconds| seconds <= LONGEST_WAIT) => {
            Ok(Duration::from_secs(seconds.as_u64().unwrap_or_default()))
        }
        Some(_) => Err(Trouble::Invalid("`wait` must be a whole number of seconds, from 0 to 60, or null")),
    }
}

/// Whether it is a refresh token of ours, or looks like a JWT: three parts, of which the first is that of `{"`.
fn is_token(value: &str) -> bool {
    value.starts_with(RefreshToken::PREFIX) || (value.starts_with("eyJ") && value.split('.').count() == 3)
}

const KIND: &str = "`kind` must be one of `token`, `jti`, `session`, `subject`, `client`";
const VALUE: &str = "`value` must be a string, and not an empty one";

/// What a claim may have in a token that the gate would look at.
const LONGEST_VALUE: usize = 8 * 1024;

/// Bytes of a sentence or two.
const LONGEST_REASON: usize = 500;

/// Seconds. Whoever waits longer than replicas take to be declared silent waits for nothing.
const LONGEST_WAIT: u64 = 60;
