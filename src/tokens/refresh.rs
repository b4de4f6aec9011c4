//! Refresh tokens: `dwr_` + base64url(key number ‖ family id ‖ generation ‖ tag).
//!
//! Nothing of a token is stored, neither it nor a hash of it: it follows from its family, its generation and the
//! server key, so the answer to a repeated request is the same to the byte, and a forged one is refused without a look
//! into the store.

use std::fmt;

use crate::base::base64url;
use crate::keys::server::TAG_BYTES;
use crate::keys::{KeyNumber, ServerKeys};

/// Names a login session; 128 random bits. Secret in so far as only its hash (the `sid`) is shown and stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FamilyId(pub [u8; 16]);

impl fmt::Debug for FamilyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FamilyId([secret])")
    }
}

/// A refresh token whose tag was checked, or one about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The server key of its tag.
    pub key: KeyNumber,
    /// Its session.
    pub family: FamilyId,
    /// Which one of the session's tokens; the first is 0.
    pub generation: u32,
}

/// Why a text is no refresh token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshTokenError {
    /// Not of this form.
    #[error("not a refresh token")]
    Malformed,
    /// Its server key is no longer configured. Not reuse: nothing is revoked.
    #[error("made with a server key that is not configured")]
    UnknownKey,
    /// The tag is not that key's.
    #[error("forged")]
    Forged,
}

impl RefreshToken {
    /// What every refresh token begins with, so that it is never taken for an access token.
    pub const PREFIX: &'static str = "dwr_";

    /// The token as text; `None` if its key is not among `keys`.
    #[must_use]
    pub fn write(&self, keys: &ServerKeys) -> Option<String> {
        let body = self.body();
        let tag = keys.tag(self.key, &body)?;
        Some(format!("{}{}", Self::PREFIX, base64url::encode([body.as_slice(), &tag].concat())))
    }

    /// Reads a token and checks its tag.
    ///
    /// # Errors
    /// [`RefreshTokenError`]; in none of the cases the store needs to be asked.
    pub fn read(text: &str, keys: &ServerKeys) -> Result<Self, RefreshTokenError> {
        let encoded = text.strip_prefix(Self::PREFIX).ok_or(RefreshTokenError::Malformed)?;
        // Checked before decoding: no work grows with what an attacker sends.
        if encoded.len() != (BODY_BYTES + TAG_BYTES).div_ceil(3) * 4 - 1 {
            return Err(RefreshTokenError::Malformed);
        }
        let bytes = base64url::decode(encoded).map_err(|_| RefreshTokenError::Malformed)?;
        let (body, tag) = bytes.split_first_chunk::<BODY_BYTES>().ok_or(RefreshTokenError::Malformed)?;
        let token = Self::from_body(body).ok_or(RefreshTokenError::Malformed)?;
        match keys.verifies(token.key, body, tag) {
            Some(true) => Ok(token),
            Some(false) => Err(RefreshTokenError::Forged),
            None => Err(RefreshTokenError::UnknownKey),
        }
    }

    fn body(&self) -> [u8; BODY_BYTES] {
        let mut body = [0; BODY_BYTES];
        let parts = self.key.0.iter().chain(&self.family.0).copied().chain(self.generation.to_be_bytes());
        for (byte, part) in body.iter_mut().zip(parts) {
            *byte = part;
        }
        body
    }

    fn from_body(body: &[u8; BODY_BYTES]) -> Option<Self> {
        let (key, rest) = body.split_first_chunk::<4>()?;
        let (family, rest) = rest.split_first_chunk::<16>()?;
        let (generation, _) = rest.split_first_chunk::<4>()?;
        Some(Self { key: KeyNumber(*key), family: FamilyId(*family), generation: u32::from_be_bytes(*generation) })
    }
}

const BODY_BYTES: usize = 4 + 16 + 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    fn keys(secrets: &[&str]) -> ServerKeys {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        ServerKeys::new(&secrets).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let ours = keys(&["one one one one one one one one ", "two two two two two two two two "]);
        let theirs = keys(&["six six six six six six six six "]);
        let token = RefreshToken { key: ours.current(), family: FamilyId([7; 16]), generation: 3 };
        let text = token.write(&ours).unwrap();
        assert_eq!(text, token.write(&ours).unwrap());
        assert_eq!(RefreshToken::read(&text, &ours), Ok(token));
        assert_eq!(RefreshToken::read(&text, &theirs), Err(RefreshTokenError::UnknownKey));
        let reordered = keys(&["two two two two two two two two ", "one one one one one one one one "]);
        assert_eq!(RefreshToken::read(&text, &reordered), Ok(token));
        for index in 4..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[index] = if flipped[index] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(flipped).unwrap();
            assert!(RefreshToken::read(&flipped, &ours).is_err(), "{index}");
        }
        for wrong in ["", "dwr_", "eyJ.eyJ.x", &text[..text.len() - 1], &format!("{text}A"), &text[4..]] {
            assert_eq!(RefreshToken::read(wrong, &ours), Err(RefreshTokenError::Malformed), "{wrong}");
        }
    }
}
