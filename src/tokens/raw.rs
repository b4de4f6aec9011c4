//! A compact JWS, taken apart and not yet believed.

use serde_json::{Map, Value};

use crate::base::base64url;
use crate::base::json;

/// A compact JWS (RFC 7515 §7.1) whose parts are canonical and whose header and payload are JSON objects. Nothing in it
/// has been verified.
#[derive(Debug)]
pub struct RawToken<'a> {
    signed: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
    payload: Map<String, Value>,
}

/// Not a compact JWS, or one that two readers could read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a compact JWS with JSON objects in canonical base64url")]
pub struct Malformed;

impl<'a> RawToken<'a> {
    /// Takes a token apart. The caller has bounded its length.
    ///
    /// # Errors
    /// [`Malformed`] for anything but three canonical base64url parts of which two are JSON objects.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut parts = text.splitn(4, '.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        let signed = text.get(..header.len() + 1 + payload.len()).ok_or(Malformed)?;
        if signature.is_empty() || base64url::decode(signature).is_err() {
            return Err(Malformed);
        }
        Ok(Self { signed, signature, header: object(header)?, payload: object(payload)? })
    }

    /// `header.payload`, the octets the signature is over (RFC 7515 §5.1).
    #[must_use]
    pub fn signed(&self) -> &'a str {
        self.signed
    }

    /// The third part, still encoded.
    #[must_use]
    pub fn signature(&self) -> &'a str {
        self.signature
    }

    /// The JOSE header.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims. Unverified: they may only select which key is tried.
    #[must_use]
    pub fn unverified_claims(&self) -> &Map<String, Value> {
        &self.payload
    }

    pub(super) fn into_claims(self) -> Map<String, Value> {
        self.payload
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    let text = base64url::decode(part).map_err(|_| Malformed)?;
    json::object(&text).map_err(|_| Malformed)
}
