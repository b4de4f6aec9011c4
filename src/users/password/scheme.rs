//! New hashes.

use std::num::NonZeroU32;

use argon2::{Algorithm, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::function::{Before, Digest, Function};
use super::modular::{bcrypt_base64, passlib_base64};
use crate::base::{Secret, entropy};

/// A scheme that new hashes are made of, with OWASP's figures for its cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// argon2id with 19 MiB, two passes and one lane.
    #[default]
    Argon2id,
    /// bcrypt with the cost 12, for applications that read nothing else. Takes at most 72 bytes.
    Bcrypt,
    /// scrypt with `N` = 2^17, `r` = 8 and `p` = 1.
    Scrypt,
    /// PBKDF2-HMAC-SHA-256 with 600,000 iterations, for where NIST's list is asked for.
    Pbkdf2Sha256,
}

/// The password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFailed {
    /// bcrypt would leave out its end.
    #[error("bcrypt reads no more than 72 bytes of a password, and this one is longer")]
    TooLong,
    /// It has a NUL.
    #[error("the password has a NUL, with which nobody can log in")]
    Nul,
    /// The function failed.
    #[error("the password could not be hashed: no memory")]
    Resources,
}

/// A new hash of `password`, of the default scheme, as a PHC string.
///
/// # Errors
/// [`HashFailed`] if there is no memory.
pub fn hash(password: &Secret) -> Result<String, HashFailed> {
    Scheme::default().hash(password)
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Argon2id, Self::Bcrypt, Self::Scrypt, Self::Pbkdf2Sha256];

    /// Its name on the command line, and in front of a PHC string.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::Pbkdf2Sha256 => "pbkdf2-sha256",
        }
    }

    /// The scheme of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    /// A new hash of `password`: a PHC string; for bcrypt what crypt(3) has, and for PBKDF2 what passlib has.
    ///
    /// # Errors
    /// [`HashFailed`] if the scheme would cut the password short, if it has a NUL, or if there is no memory.
    pub fn hash(self, password: &Secret) -> Result<String, HashFailed> {
        self.hash_with(password, &entropy::random::<16>())
    }

    pub(super) fn hash_with(self, password: &Secret, salt: &[u8]) -> Result<String, HashFailed> {
        let function = self.function();
        if function.would_cut(password.expose()) {
            return Err(HashFailed::TooLong);
        }
        if password.expose().contains(&0) {
            return Err(HashFailed::Nul);
        }
        let mut digest = [0; 32];
        let length = if self == Self::Bcrypt { BCRYPT_DIGEST } else { digest.len() };
        let digest = digest.get_mut(..length).ok_or(HashFailed::Resources)?;
        function.compute(password.expose(), salt, digest, None).ok_or(HashFailed::Resources)?;
        Ok(match self {
            Self::Bcrypt => format!("{}{}{}", self.head(), bcrypt_base64(salt), bcrypt_base64(digest)),
            Self::Pbkdf2Sha256 => format!("{}{}${}", self.head(), passlib_base64(salt), passlib_base64(digest)),
            _ => format!("{}{}${}", self.head(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest)),
        })
    }

    const fn head(self) -> &'static str {
        match self {
            Self::Argon2id => "$argon2id$v=19$m=19456,t=2,p=1$",
            Self::Bcrypt => "$2b$12$",
            Self::Scrypt => "$scrypt$ln=17,r=8,p=1$",
            // passlib's, which it reads alone; the PHC form `i=600000,l=32` hardly anybody does.
            Self::Pbkdf2Sha256 => "$pbkdf2-sha256$600000$",
        }
    }

    pub(super) fn function(self) -> Function {
        match self {
            Self::Argon2id => Function::Argon2 {
                algorithm: Algorithm::Argon2id,
                version: Version::V0x13,
                memory: 19 * 1024,
                passes: 2,
                lanes: 1,
            },
            Self::Bcrypt => Function::Bcrypt { cost: 12, before: Before::Nothing },
            Self::Scrypt => Function::Scrypt { log_n: 17, r: 8, p: 1 },
            Self::Pbkdf2Sha256 => {
                Function::Pbkdf2 { digest: Digest::Sha256, iterations: NonZeroU32::MIN.saturating_add(600_000 - 1) }
            }
        }
    }
}

const BCRYPT_DIGEST: usize = 23;
