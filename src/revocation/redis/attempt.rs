//! Something that many want done, and one does.

use parking_lot::Mutex;
use tokio::sync::watch;

/// At most one attempt at a time, whose outcome all get who want it meanwhile. It goes on though they give up: with many who each wait
/// a little while, in line, nobody would ever see one through.
#[derive(Debug)]
pub(super) struct Attempt<T>(Mutex<Option<watch::Receiver<Option<T>>>>);

impl<T> Default for Attempt<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Attempt<T> {
    /// The outcome of the attempt that is under way, or of the one that `begin` makes. `None` if it broke off.
    pub(super) async fn join<F>(&self, begin: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = {
            let mut latest = self.0.lock();
            match latest.as_ref().filter(|latest| latest.has_changed().is_ok() && latest.borrow().is_none()) {
                Some(under_way) => under_way.clone(),
                None => {
                    let (sender, under_way) = watch::channel(None);
                    let attempt = begin();
                    tokio::spawn(async move { sender.send_replace(Some(attempt.await)) });
                    latest.insert(under_way).clone()
                }
            }
        };
        let outcome = under_way.wait_for(Option::is_some).await;
        outcome.ok().and_then(|outcome| outcome.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_attempt_outlives_those_who_have_no_time_for_it() {
        let (attempt, begun) = (Attempt::default(), Arc::new(AtomicU32::new(0)));
        let begin = || {
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                sleep(Duration::from_secs(10)).await;
                number
            }
        };
        for _ in 0..3 {
            assert!(timeout(Duration::from_secs(3), attempt.join(begin)).await.is_err(), "nobody waits long enough");
        }
        assert_eq!(timeout(Duration::from_secs(3), attempt.join(begin)).await, Ok(Some(1)), "it is the first one's");
        assert_eq!(attempt.join(begin).await, Some(2), "what is over is not told again");
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_that_broke_off_is_followed_by_another() {
        let attempt = Attempt::default();
        assert_eq!(attempt.join(|| async { panic!("asked for by the test") }).await, None::<u8>);
        assert_eq!(attempt.join(|| async { 7 }).await, Some(7));
    }
}
