//! What one login may cost, and what a guess must.

use super::function::{Digest, Function};
use super::stored::Unusable;

/// The bound that a hash is beyond. A core computes for about five seconds at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooCostly {
    /// argon2's.
    #[error("argon2 may have 1 GiB, 4 GiB in all its passes, and 16 lanes")]
    Argon2,
    /// bcrypt's.
    #[error("bcrypt may have the cost 16")]
    Bcrypt,
    /// scrypt's.
    #[error("scrypt may have 1 GiB, and N·r·p = 2^23")]
    Scrypt,
    /// PBKDF2's, divided by the runs that a digest longer than the hash's takes. An iteration of SHA-512 takes four times as long, where the
    /// processor has instructions for the others.
    #[error("PBKDF2 may have 10,000,000 iterations, with SHA-512 2,500,000")]
    Pbkdf2,
}

/// Parameters that a function does not take, or that cost too much.
pub(super) fn check(function: &Function, digest_bytes: usize) -> Result<(), Unusable> {
    let (whole, cheap, bound) = match *function {
        Function::Argon2 { memory, passes, lanes, .. } => {
            let cheap = memory <= 1 << 20 && u64::from(memory) * u64::from(passes) <= 1 << 22 && lanes <= 16;
            (memory > 0 && passes > 0 && lanes > 0, cheap, TooCostly::Argon2)
        }
        Function::Bcrypt { cost, .. } => (true, cost <= 16, TooCostly::Bcrypt),
        Function::Scrypt { log_n, r, p } => {
            let blocks = u64::from(r) * u64::from(p);
            // 128 bytes for each of N·r, and for each of r·p.
            let cheap =
                log_n <= 23 && u64::from(r) << log_n <= 1 << 23 && blocks <= 1 << 16 && blocks << log_n <= 1 << 23;
            (log_n > 0 && blocks > 0, cheap, TooCostly::Scrypt)
        }
        Function::Pbkdf2 { digest, iterations } => {
            let runs = digest_bytes.div_ceil(digest.bytes());
            let runs = u64::try_from(runs).unwrap_or(u64::MAX).saturating_mul(iterations.get().into());
            let most = if digest == Digest::Sha512 { 2_500_000 } else { 10_000_000 };
            (true, runs <= most, TooCostly::Pbkdf2)
        }
    };
    match (whole, cheap) {
        (false, _) => Err(Unusable::Malformed),
        (_, false) => Err(Unusable::Cost(bound)),
        _ => Ok(()),
    }
}

/// Whether `function` is not the one that is made today, or made cheaper than that.
pub(super) fn is_below(function: &Function, today: &Function) -> bool {
    match (*function, *today) {
        (
            Function::Argon2 { algorithm, version, memory, passes, .. },
            Function::Argon2 {
                algorithm: our_algorithm, version: our_version, memory: ours, passes: our_passes, ..
            },
        ) => {
            let work = |memory, passes| u64::from(memory) * u64::from(passes);
            (algorithm, version) != (our_algorithm, our_version)
                || memory < ours
                || work(memory, passes) < work(ours, our_passes)
        }
        _ => true,
    }
}

/// Below the least that OWASP's Password Storage Cheat Sheet has for the function.
pub(super) fn is_weak(function: &Function) -> bool {
    match *function {
        Function::Argon2 { memory, passes, .. } => {
            memory < 7 * 1024 || u64::from(memory) * u64::from(passes) < 5 * 7 * 1024
        }
        Function::Bcrypt { cost, .. } => cost < 10,
        // A little less than its 2^13·8·10, so that passlib's 2^16·8·1 is in.
        Function::Scrypt { log_n, r, p } => (u64::from(r) * u64::from(p)) << log_n < 1 << 19,
        Function::Pbkdf2 { digest, iterations } => {
            let least = match digest {
                Digest::Sha1 => 1_300_000,
                Digest::Sha256 => 600_000,
                Digest::Sha512 => 210_000,
            };
            iterations.get() < least
        }
    }
}
