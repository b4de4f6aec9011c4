//! Randomness from the operating system, through the one crypto library.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// `N` random bytes.
///
/// # Panics
/// If the operating system has no randomness to give: nothing may be issued then.
#[must_use]
#[expect(clippy::expect_used, reason = "a process without randomness must not issue anything")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    source().fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// The generator itself, for the crypto library's functions that ask for one.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one source of randomness")]
pub fn source() -> SystemRandom {
    SystemRandom::new()
}
