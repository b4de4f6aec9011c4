//! A password hash, read from whatever text a library wrote.

use std::fmt;

use argon2::Block;
use aws_lc_rs::constant_time;
use zeroize::Zeroizing;

use super::cost::{self, TooCostly};
use super::function::Function;
use super::scheme::Scheme;
use super::{django, modular};
use crate::base::{Secret, entropy};

/// A password hash that can be checked, at a price that one login may cost.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash {
    pub(super) function: Function,
    pub(super) salt: Box<[u8]>,
    pub(super) digest: Box<[u8]>,
    /// Written with the name of Django's hasher in front.
    pub(super) of_django: bool,
}

/// What a password is to a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The one it was made from.
    Fits,
    /// Another one.
    Differs,
    /// Longer than the 72 bytes that bcrypt reads. Whatever follows them would not count, so such a password is never the one.
    TooLong,
}

/// Why a hash is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nothing here can check it.
    #[error("the hash is of a scheme that is not known; argon2, bcrypt, scrypt and PBKDF2 are")]
    Scheme,
    /// It is cut short, or is no hash at all.
    #[error("the hash is not whole")]
    Malformed,
    /// Whoever wrote it could keep a core busy, or take the machine's memory, with every login.
    #[error("the hash costs more than one login may: {0}")]
    Cost(TooCostly),
}

impl StoredHash {
    /// From the text of argon2, bcrypt, scrypt or PBKDF2 as PHC strings, crypt(3), passlib, pwdlib or Django have it.
    ///
    /// # Errors
    /// [`Unusable`] for other schemes, for what is not whole, and for what costs too much.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        if text.len() > LENGTH_LIMIT {
            return Err(Unusable::Malformed);
        }
        if text.starts_with('$') {
            return modular::parse(text);
        }
        django::parse(text).map(|hash| Self { of_django: true, ..hash })
    }

    pub(super) fn new(function: Function, salt: Vec<u8>, digest: Vec<u8>) -> Result<Self, Unusable> {
        let whole = match function {
            // What is cut from the end of these leaves a shorter digest that fits, and one of no bytes would fit everything.
            Function::Scrypt { .. } => matches!(digest.len(), 32 | LONGEST_DIGEST),
            _ => DIGEST_BYTES.contains(&digest.len()),
        };
        if !whole {
            return Err(Unusable::Malformed);
        }
        cost::check(&function, digest.len())?;
        Ok(Self { function, salt: salt.into(), digest: digest.into(), of_django: false })
    }

    /// Whether it was made from `password`. Takes as long for one password as for another.
    #[must_use]
    pub fn verify(&self, password: &Secret) -> Verdict {
        self.verify_with(password, None)
    }

    /// The same in memory that is there, if it is argon2's.
    pub(super) fn verify_with(&self, password: &Secret, kept: Option<&mut Vec<Block>>) -> Verdict {
        let mut computed = Zeroizing::new(vec![0; self.digest.len()]);
        let done = self.function.compute(password.expose(), &self.salt, &mut computed, kept);
        if self.function.would_cut(password.expose()) {
            return Verdict::TooLong;
        }
        match constant_time::verify_slices_are_equal(&computed, &self.digest) {
            // Requests with a NUL are refused before. Here it would make several passwords of one: bcrypt ends or begins again at it,
            // and HMAC, in PBKDF2 and scrypt, fills its keys with it.
            Ok(()) if done.is_some() && !password.expose().contains(&0) => Verdict::Fits,
            _ => Verdict::Differs,
        }
    }

    /// Whether a machine made for it guesses quickly what it was made from, once it leaks.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        cost::is_weak(&self.function)
    }

    /// A hash that fits no password and costs what this one does: random bytes in place of the digest.
    pub(in crate::users) fn decoy(&self) -> Self {
        let mut decoy = self.clone();
        let random = entropy::random::<LONGEST_DIGEST>();
        decoy.digest.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        decoy
    }

    /// A hash that fits no password and costs what a new one does, for where nobody has any.
    pub(in crate::users) fn default_decoy() -> Self {
        let (salt, digest) = (entropy::random::<16>(), entropy::random::<32>());
        Self { function: Scheme::default().function(), salt: salt.into(), digest: digest.into(), of_django: false }
    }

    /// What hashes of one price have in common.
    pub(in crate::users) fn price(&self) -> impl Ord + use<> {
        (self.function, self.digest.len())
    }
}

/// Without salt and digest: what leaks of a hash is guessed at.
impl fmt::Debug for StoredHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StoredHash").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Bytes of the text; the longest that libraries write are about 200.
const LENGTH_LIMIT: usize = 512;

/// PHC's bounds, and what every library keeps to.
const DIGEST_BYTES: std::ops::RangeInclusive<usize> = 10..=LONGEST_DIGEST;

const LONGEST_DIGEST: usize = 64;
