//! The functions behind the hashes, each with its cost.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::modular::bcrypt_base64;

/// What makes a digest of a password and a salt. Ordered, so that hashes of one cost stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Function {
    /// RFC 9106.
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        /// KiB.
        memory: u32,
        passes: u32,
        lanes: u32,
    },
    /// Provos and Mazières, 1999.
    Bcrypt {
        /// The logarithm of the number of rounds.
        cost: u32,
        before: Before,
    },
    /// RFC 7914.
    Scrypt {
        /// The logarithm of `N`.
        log_n: u8,
        r: u32,
        p: u32,
    },
    /// RFC 8018 §5.2, with an HMAC.
    Pbkdf2 { digest: Digest, iterations: NonZeroU32 },
}

/// What becomes of a password before bcrypt sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Before {
    /// Nothing: no more than 72 bytes of it count.
    Nothing,
    /// Django's `bcrypt_sha256`: SHA-256 in hex.
    HexSha256,
    /// passlib's `bcrypt_sha256`, version 1: SHA-256 in base64.
    Sha256,
    /// passlib's `bcrypt_sha256`, version 2: HMAC-SHA-256 under the salt as it is written, in base64.
    HmacSha256,
}

/// The hash under PBKDF2's HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    /// Bytes that one run gives; a longer digest takes several.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Function {
    /// Whether the function would leave out the end of this password.
    pub(super) fn would_cut(&self, password: &[u8]) -> bool {
        matches!(self, Self::Bcrypt { before: Before::Nothing, .. }) && password.len() > BCRYPT_BYTES
    }

    /// Fills `output`; `None` if the parameters are none that the function takes. Argon2 works in `kept`, if that is given, which
    /// grows as is needed and may have anything in it.
    pub(super) fn compute(
        &self,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
        kept: Option<&mut Vec<Block>>,
    ) -> Option<()> {
        match *self {
            Self::Argon2 { algorithm, version, memory, passes, lanes } => {
                let params = Params::new(memory, passes, lanes, None).ok()?;
                let blocks = params.block_count();
                let argon2 = Argon2::new(algorithm, version, params);
                let Some(kept) = kept else { return argon2.hash_password_into(password, salt, output).ok() };
                kept.try_reserve_exact(blocks.saturating_sub(kept.len())).ok()?;
                kept.resize(blocks.max(kept.len()), Block::default());
                argon2.hash_password_into_with_memory(password, salt, output, kept.get_mut(..blocks)?).ok()
            }
            Self::Bcrypt { cost, before } => {
                let salt = salt.try_into().ok()?;
                let digest = bcrypt::bcrypt(cost, salt, &before.key(password, &salt));
                // The function gives 24 bytes, and every implementation writes 23 of them.
                output.copy_from_slice(digest.get(..output.len())?);
                Some(())
            }
            Self::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).ok()?;
                scrypt::scrypt(password, salt, &params, output).ok()
            }
            Self::Pbkdf2 { digest, iterations } => {
                let algorithm = match digest {
                    Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                    Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                    Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
                };
                pbkdf2::derive(algorithm, iterations, salt, password, output);
                Some(())
            }
        }
    }
}

impl Before {
    /// bcrypt's key: at most 72 bytes, with the NUL that ends a C string if there is room for it.
    fn key(self, password: &[u8], salt: &[u8; 16]) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(Vec::with_capacity(BCRYPT_BYTES + 1));
        match self {
            Self::Nothing => key.extend(password.iter().take(BCRYPT_BYTES)),
            Self::HexSha256 => {
                let digest = digest::digest(&digest::SHA256, password);
                key.extend(digest.as_ref().iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]));
            }
            Self::Sha256 => key.extend(STANDARD.encode(digest::digest(&digest::SHA256, password)).bytes()),
            Self::HmacSha256 => {
                let under = hmac::Key::new(hmac::HMAC_SHA256, bcrypt_base64(salt).as_bytes());
                key.extend(STANDARD.encode(hmac::sign(&under, password)).bytes());
            }
        }
        if key.len() < BCRYPT_BYTES {
            key.push(0);
        }
        key
    }
}

const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// What bcrypt reads of a password.
const BCRYPT_BYTES: usize = 72;
