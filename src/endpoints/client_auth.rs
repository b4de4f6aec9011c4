//! How a client says who it is (RFC 6749 §2.3): `Authorization: Basic`, or `client_id` and `client_secret` in the body.

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::error_body::Challenge;
use super::parameters::Parameters;
use super::{Exchange, OAuthError, urlencoded};
use crate::base::Secret;
use crate::grants::{Caller, Credentials, GrantError, Grants, Reading};

/// Who sends a request, and how one is answered who is not believed.
pub(super) struct Sender {
    pub(super) caller: Caller,
    challenge: Challenge,
}

impl Sender {
    /// The answer to a refused grant.
    pub(super) fn refused(&self, error: GrantError) -> OAuthError {
        with_challenge(error, self.challenge)
    }
}

/// Finds out who sends the request; `what` is the operation, for the audit log.
///
/// # Errors
/// [`OAuthError::InvalidRequest`] where a client says it in two ways; [`OAuthError::InvalidClient`] where it is not believed.
pub(super) async fn identify(
    grants: &Grants,
    exchange: &Exchange<'_>,
    parameters: &Parameters,
    what: &'static str,
) -> Result<Sender, OAuthError> {
    // Where nobody is registered, what a client sends is not looked at, as FastAPI does not.
    if grants.clients.is_open() {
        return Ok(Sender { caller: Caller::Anonymous, challenge: Challenge::None });
    }
    let header = exchange.authorizations.first().and_then(|value| basic(value));
    // A page's script cannot stop the browser from asking its user for a password where the scheme is Basic.
    let challenge = match (&header, exchange.is_from_page) {
        (None, _) => Challenge::None,
        (Some(_), true) => Challenge::Bearer,
        (Some(_), false) => Challenge::Basic,
    };
    let credentials = match header {
        Some(Err(Undecodable)) => {
            return Err(with_challenge(grants.undecodable(what, exchange.from), challenge));
        }
        Some(Ok(pair)) => in_header(&pair, parameters)?,
        None => in_body(parameters)?,
    };
    match grants.identify(&credentials, what, exchange.from).await {
        Ok(caller) => Ok(Sender { caller, challenge }),
        Err(error) => Err(with_challenge(error, challenge)),
    }
}

fn with_challenge(error: GrantError, challenge: Challenge) -> OAuthError {
    match error {
        GrantError::InvalidClient => OAuthError::InvalidClient(challenge),
        other => other.into(),
    }
}

/// What stands in `Basic`; `None` = no authentication of a client: another scheme, or nothing on either side of the `:`, which
/// Swagger UI sends with every login.
fn basic(value: &[u8]) -> Option<Result<Pair, Undecodable>> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ').unwrap_or(value.len()));
    let rest = rest.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"basic") || rest.is_empty() {
        return None;
    }
    let Ok(decoded) = STANDARD.decode(rest).map(Zeroizing::new) else { return Some(Err(Undecodable)) };
    // At the first one: ids have none, secrets may.
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else { return Some(Err(Undecodable)) };
    let (id, secret) = decoded.split_at(colon);
    let secret = Secret::new(secret.get(1..).unwrap_or_default());
    (!id.is_empty() || !secret.is_empty()).then(|| Ok(Pair { id: id.to_vec(), secret }))
}

/// Bytes of `Basic`, in whatever encoding.
struct Pair {
    id: Vec<u8>,
    secret: Secret,
}

/// `Basic` with something that is no id and secret.
struct Undecodable;

impl Pair {
    /// Raw as Swagger UI and curl send it; as Latin-1, which Python's requests does; form-urlencoded, as RFC 6749 §2.3.1 has it.
    fn readings(&self) -> Vec<Reading> {
        let secret = self.secret.expose();
        let raw = String::from_utf8(self.id.clone()).ok().map(|id| Reading { id, secret: self.secret.clone() });
        let is_ascii = self.id.is_ascii() && secret.is_ascii();
        let latin = (!is_ascii).then(|| Reading { id: latin(&self.id), secret: Secret::new(latin(secret)) });
        let form = || {
            let id = urlencoded::decode(&self.id).ok()?;
            Some(Reading { id, secret: Secret::new(urlencoded::decode(secret).ok()?) })
        };
        let mut readings: Vec<Reading> = Vec::new();
        for reading in [raw, latin, form()].into_iter().flatten() {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
        readings
    }
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn in_header(pair: &Pair, parameters: &Parameters) -> Result<Credentials, OAuthError> {
    let mut readings = pair.readings();
    if let Some(id) = parameters.value("client_id") {
        if readings.iter().all(|reading| reading.id != id) {
            return Err(OAuthError::InvalidRequest("The client is named twice, differently"));
        }
        readings.retain(|reading| reading.id == id);
    }
    match parameters.value("client_secret") {
        // One method for one request (RFC 6749 §2.3).
        Some(_) if !pair.secret.is_empty() => Err(OAuthError::InvalidRequest("The client authenticates in two ways")),
        Some(secret) => bounded(readings.into_iter().map(|named| reading(&named.id, secret)).collect()),
        None => bounded(readings),
    }
}

fn in_body(parameters: &Parameters) -> Result<Credentials, OAuthError> {
    match (parameters.value("client_id"), parameters.value("client_secret")) {
        (Some(id), secret) => bounded(vec![reading(id, secret.unwrap_or_default())]),
        (None, Some(_)) => Err(OAuthError::InvalidRequest("client_id is missing")),
        (None, None) => Ok(Credentials::default()),
    }
}

fn reading(id: &str, secret: &str) -> Reading {
    Reading { id: id.to_owned(), secret: Secret::new(secret) }
}

/// Before any hash.
fn bounded(readings: Vec<Reading>) -> Result<Credentials, OAuthError> {
    let is_long = |reading: &Reading| reading.id.len() > MAX_ID_BYTES || reading.secret.len() > MAX_SECRET_BYTES;
    if readings.iter().any(is_long) {
        return Err(OAuthError::InvalidRequest("A parameter is too long"));
    }
    Ok(Credentials { readings })
}

/// The alphabet of RFC 7617, with or without padding.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const MAX_ID_BYTES: usize = 256;
const MAX_SECRET_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
