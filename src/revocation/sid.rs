//! The name of a login session.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::base::base64url;
use crate::tokens::refresh::FamilyId;

/// What a `sid` claim holds and what the store knows a family by: a hash of the family's id, 22 letters of base64url. It
/// may be seen by anybody who sees an access token; the id, of which refresh tokens are made, cannot be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid([u8; 16]);

impl Sid {
    /// The name of the family `id`.
    #[must_use]
    pub fn of(id: &FamilyId) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(LABEL);
        context.update(&id.0);
        Self(first_half(context))
    }

    /// From its bytes, as a store keeps them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads a `sid` claim; `None` for what [`Display`](fmt::Display) would not have written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(base64url::decode(text).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&base64url::encode(self.0))
    }
}

/// The first 16 bytes of a SHA-256.
pub(super) fn first_half(context: Context) -> [u8; 16] {
    let digest = context.finish();
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    half
}

/// Keeps this hash apart from every other hash of the same bytes.
const LABEL: &[u8] = b"doorward sid";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hash_of_a_family_id_and_has_one_spelling() {
        let sid = Sid::of(&FamilyId([7; 16]));
        let digest = aws_lc_rs::digest::digest(&SHA256, &[b"doorward sid".as_slice(), &[7; 16]].concat());
        assert_eq!(sid.as_bytes(), &digest.as_ref()[..16]);
        assert_eq!(sid.to_string().len(), 22);
        assert_eq!(Sid::parse(&sid.to_string()), Some(sid));
        assert_ne!(Sid::of(&FamilyId([8; 16])), sid);
        for wrong in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Sid::parse(wrong), None, "{wrong}");
        }
    }
}
