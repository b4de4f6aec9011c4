//! Hashing passwords, off the request threads and never more at once than the machine bears.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;

use super::HashingSettings;
use crate::base::{Secret, base64url, entropy};

/// Computes password hashes: a bounded number at once, a bounded number waiting.
#[derive(Debug)]
pub struct Hasher {
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    admitted: Arc<AtomicUsize>,
    concurrency: usize,
    limit: usize,
}

/// More logins than there is room for: the answer is 503 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

impl Hasher {
    /// A hasher with the bounds given; `cores` is what the machine has.
    #[must_use]
    pub fn new(settings: HashingSettings, cores: usize) -> Self {
        let concurrency = settings.concurrency.map_or(cores.saturating_sub(1).max(1), std::num::NonZeroUsize::get);
        Self {
            running: Arc::new(Semaphore::new(concurrency)),
            admitted: Arc::new(AtomicUsize::new(0)),
            concurrency,
            limit: concurrency.saturating_add(settings.queue),
        }
    }

    /// Whether `password` is the one `hash` was made from. A hash that cannot be read fits no password.
    ///
    /// # Errors
    /// [`Busy`] at once, without hashing, when the queue is full.
    pub async fn verify(&self, hash: Arc<str>, password: Secret) -> Result<bool, Busy> {
        let admission = self.admit()?;
        let slot = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        // Both are given back when the hash is done, not when the client has gone: otherwise hanging up early would lift
        // the bound.
        let work = move || {
            let (_admission, _slot) = (admission, slot);
            verifies(&hash, &password)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }

    /// How many wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let running = self.concurrency.saturating_sub(self.running.available_permits());
        self.admitted.load(Ordering::Relaxed).saturating_sub(running)
    }

    fn admit(&self) -> Result<Admission, Busy> {
        let admit = |admitted: usize| (admitted < self.limit).then_some(admitted + 1);
        self.admitted.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit).map_err(|_| Busy)?;
        Ok(Admission(Arc::clone(&self.admitted)))
    }
}

struct Admission(Arc<AtomicUsize>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A new hash of `password`: argon2id with 19 MiB, two passes, one lane (OWASP's figures), as a PHC string.
///
/// # Errors
/// [`HashFailed`] if there is no memory or no randomness.
pub fn hash(password: &Secret) -> Result<String, HashFailed> {
    Argon2::default().hash_password(password.expose()).map(|hash| hash.to_string()).map_err(|_| HashFailed)
}

/// The password could not be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be hashed: no memory or no randomness")]
pub struct HashFailed;

/// A hash that fits no password and costs what `hash` costs; `None` if `hash` is of a scheme that is not known.
pub(super) fn decoy_like(hash: &str) -> Option<Arc<str>> {
    let parsed = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&parsed).ok()?;
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).ok()?;
    let version = parsed.version.unwrap_or(Version::V0x13 as u32);
    Some(decoy(algorithm.as_str(), version, &params))
}

pub(super) fn default_decoy() -> Arc<str> {
    decoy("argon2id", Version::V0x13 as u32, &Params::default())
}

/// 32 random bytes in place of a hash: no password has them.
fn decoy(algorithm: &str, version: u32, params: &Params) -> Arc<str> {
    let salt = standard_base64(&entropy::random::<16>());
    let output = standard_base64(&entropy::random::<32>());
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    format!("${algorithm}$v={version}$m={m},t={t},p={p}${salt}${output}").into()
}

/// PHC strings use the other alphabet (`+` and `/`), without padding.
fn standard_base64(bytes: &[u8]) -> String {
    base64url::encode(bytes).replace('-', "+").replace('_', "/")
}

fn verifies(hash: &str, password: &Secret) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else {
        return false;
    };
    // The parameters are those of the hash; they were bounded when the users were read.
    Argon2::default().verify_password(password.expose(), &parsed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap(password: &str) -> String {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        argon2.hash_password(password.as_bytes()).unwrap().to_string()
    }

    #[tokio::test]
    async fn only_the_password_fits() {
        let hasher = Hasher::new(HashingSettings { concurrency: None, queue: 0 }, 2);
        let hash: Arc<str> = cheap("secret").into();
        for (password, fits) in [("secret", true), ("Secret", false), ("", false), ("secret ", false)] {
            assert_eq!(hasher.verify(Arc::clone(&hash), Secret::new(password)).await, Ok(fits), "{password}");
        }
        assert_eq!(hasher.verify("plain".into(), Secret::new("plain")).await, Ok(false));
    }

    #[test]
    fn a_decoy_costs_what_it_stands_for() {
        for (hash, expected) in [
            (cheap("x"), "$argon2id$v=19$m=64,t=1,p=1$"),
            (hash(&Secret::new("x")).unwrap(), "$argon2id$v=19$m=19456,t=2,p=1$"),
        ] {
            let decoy = decoy_like(&hash).unwrap();
            assert!(decoy.starts_with(expected), "{decoy}");
            assert!(PasswordHash::new(&decoy).is_ok());
            assert!(!verifies(&decoy, &Secret::new("x")));
        }
        assert_eq!(decoy_like("$2b$12$abcdefghijklmnopqrstuv"), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn beyond_the_queue_a_login_is_refused_at_once() {
        let hasher =
            Arc::new(Hasher::new(HashingSettings { concurrency: std::num::NonZeroUsize::new(1), queue: 2 }, 8));
        let hash: Arc<str> = cheap("secret").into();
        let tries = (0..10).map(|_| {
            let (hasher, hash) = (Arc::clone(&hasher), Arc::clone(&hash));
            tokio::spawn(async move { hasher.verify(hash, Secret::new("secret")).await })
        });
        let tries: Vec<_> = tries.collect();
        let mut served = 0;
        for attempt in tries {
            served += usize::from(attempt.await.unwrap() == Ok(true));
        }
        // All ten asked before the first was done: one runs, two wait.
        assert_eq!(served, 3);
        assert_eq!(hasher.waiting(), 0);
        assert_eq!(hasher.verify(hash, Secret::new("secret")).await, Ok(true));
    }
}
