//! Hashing passwords, off the request threads and never more at once than the machine bears.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::behind::Behind;
use super::places::{Admission, Places};
use super::{HashFailed, StoredHash, Verdict};
use crate::base::Secret;
use crate::keys::ServerKeys;
use crate::users::HashingSettings;

/// Computes password hashes: a bounded number at once, a bounded number waiting.
#[derive(Debug)]
pub struct Hasher {
    running: Arc<Semaphore>,
    places: Arc<Places>,
    concurrency: usize,
    behind: Behind,
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
            places: Arc::new(Places::new(concurrency.saturating_add(settings.queue))),
            concurrency,
            behind: Behind::default(),
        }
    }

    /// Whether `password` is the one `hash` was made from.
    ///
    /// # Errors
    /// [`Busy`] at once, without hashing, when the queue is full.
    pub async fn verify(&self, hash: Arc<StoredHash>, password: Secret) -> Result<Verdict, Busy> {
        self.verify_in(self.admit()?, hash, password).await
    }

    /// The same in a place that was taken before, for who has the hash to look up first.
    ///
    /// # Errors
    /// [`Busy`] if there is no thread for it.
    pub async fn verify_in(
        &self,
        admission: Admission,
        hash: Arc<StoredHash>,
        password: Secret,
    ) -> Result<Verdict, Busy> {
        let slot = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let places = Arc::clone(&self.places);
        self.work((admission, slot), move || places.with_memory(|kept| hash.verify_with(&password, kept))).await
    }

    /// A hash in place of `hash`, which `password` fits ([`StoredHash::renew`]).
    ///
    /// # Errors
    /// [`Busy`] at once unless there is a thread to spare: nobody waits for it. It takes the place of a login until it is done, though, so
    /// logins that come meanwhile may wait, and count on the queue.
    pub async fn renew(
        &self,
        hash: Arc<StoredHash>,
        password: Secret,
        keys: Arc<ServerKeys>,
    ) -> Result<Result<String, HashFailed>, Busy> {
        let admission = self.admit()?;
        let slot = Arc::clone(&self.running).try_acquire_owned().map_err(|_| Busy)?;
        self.work((admission, slot), move || hash.renew(&password, &keys)).await
    }

    /// How many wait, for their turn or for the hash that is looked up for them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let running = self.concurrency.saturating_sub(self.running.available_permits());
        self.places.taken().saturating_sub(running)
    }

    /// Does `work` in `room`, which is given back when the work is done, not when the client has gone: otherwise hanging up early would
    /// lift the bound.
    async fn work<T: Send + 'static>(
        &self,
        room: (Admission, OwnedSemaphorePermit),
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, done) = oneshot::channel();
        let work = move || {
            let result = work();
            drop(room);
            // Whoever asked may have gone.
            let _unread = answer.send(result);
        };
        self.behind.start(work).map_err(|_| Busy)?;
        done.await.map_err(|_| Busy)
    }

    /// Takes a place in the queue, before anything is done for it.
    ///
    /// # Errors
    /// [`Busy`] at once when the queue is full.
    pub fn admit(&self) -> Result<Admission, Busy> {
        Places::admit(&self.places)
    }
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};

    use super::*;

    fn cheap(password: &str) -> Arc<StoredHash> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash = argon2.hash_password(password.as_bytes()).unwrap().to_string();
        Arc::new(StoredHash::parse(&hash).unwrap())
    }

    #[tokio::test]
    async fn only_the_password_fits() {
        let hasher = Hasher::new(HashingSettings { concurrency: None, queue: 0 }, 2);
        let hash = cheap("secret");
        for (password, verdict) in [
            ("secret", Verdict::Fits),
            ("Secret", Verdict::Differs),
            ("", Verdict::Differs),
            ("secret ", Verdict::Differs),
        ] {
            assert_eq!(hasher.verify(Arc::clone(&hash), Secret::new(password)).await, Ok(verdict), "{password}");
        }
    }

    #[tokio::test]
    async fn memory_is_kept_while_others_are_there_and_no_longer() {
        let hasher = Hasher::new(HashingSettings { concurrency: std::num::NonZeroUsize::new(2), queue: 8 }, 2);
        for (others, kept) in [(0, 0), (1, 1), (7, 1), (0, 0)] {
            let places: Vec<_> = (0..others).map(|_| hasher.admit().unwrap()).collect();
            for password in ["secret", "Secret", "secret"] {
                let verdict = if password == "secret" { Verdict::Fits } else { Verdict::Differs };
                assert_eq!(hasher.verify(cheap("secret"), Secret::new(password)).await, Ok(verdict));
                assert_eq!(hasher.places.kept(), kept, "{others} others");
            }
            drop(places);
            assert_eq!(hasher.places.kept(), 0, "{others} others have gone");
        }
    }

    #[tokio::test]
    async fn beyond_the_queue_a_login_is_refused_at_once() {
        let hasher =
            Arc::new(Hasher::new(HashingSettings { concurrency: std::num::NonZeroUsize::new(1), queue: 2 }, 8));
        let hash = cheap("secret");
        // No hash begins before all ten have asked.
        let slot = Arc::clone(&hasher.running).try_acquire_owned().unwrap();
        let mut tries = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (hasher, hash) = (Arc::clone(&hasher), Arc::clone(&hash));
            tries.spawn(async move { hasher.verify(hash, Secret::new("secret")).await });
        }
        for _ in 0..7 {
            assert_eq!(tries.join_next().await.unwrap().unwrap(), Err(Busy));
        }
        drop(slot);
        assert_eq!(tries.join_all().await, [Ok(Verdict::Fits); 3]);
        assert_eq!(hasher.waiting(), 0);
        let places: Vec<_> = (0..3).map(|_| hasher.admit().unwrap()).collect();
        assert!(hasher.admit().is_err() && hasher.verify(Arc::clone(&hash), Secret::new("secret")).await == Err(Busy));
        drop(places);
        assert_eq!(hasher.verify(hash, Secret::new("secret")).await, Ok(Verdict::Fits));
    }
}
