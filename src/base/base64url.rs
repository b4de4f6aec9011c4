//! base64url without padding (RFC 7515 §2), strictly: one text for one sequence of bytes.
//!
//! A lenient decoder lets a revoked token live on in another spelling, so padding, foreign letters and unused
//! bits that are set are errors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64url")]
pub struct NotCanonical;

/// Encodes `bytes`.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes `text`.
///
/// # Errors
/// [`NotCanonical`] for anything [`encode`] would not have written.
pub fn decode(text: &str) -> Result<Vec<u8>, NotCanonical> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotCanonical)
}
