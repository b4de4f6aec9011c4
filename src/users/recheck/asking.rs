//! Questions that are open: one for each user, and few at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;

use super::PATIENCE;

#[derive(Debug)]
pub(super) struct Asking {
    /// One question at a time for each user; whoever else asks waits for its answer.
    open: Mutex<HashMap<Box<str>, watch::Receiver<()>>>,
    /// The store has logins to answer too.
    turns: Semaphore,
}

impl Asking {
    /// Of a store that takes `at_once` questions: the other half is for logins.
    pub(super) fn new(at_once: usize) -> Self {
        Self { open: Mutex::default(), turns: Semaphore::new((at_once / 2).max(1)) }
    }

    /// Its turn, for as long as it is kept; `None` if that does not come in time.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        timeout(PATIENCE, self.turns.acquire()).await.ok()?.ok()
    }

    /// What ends when the question for `subject` is answered; `None` if none is open.
    pub(super) fn answered(&self, subject: &str) -> Option<watch::Receiver<()>> {
        self.open.lock().get(subject).cloned()
    }

    /// Opens a question; `None` if there is one for `subject`, or too many.
    pub(super) fn open(self: &Arc<Self>, subject: &str) -> Option<Question> {
        let mut open = self.open.lock();
        if open.contains_key(subject) || open.len() >= MOST_OPEN {
            return None;
        }
        let (done, waiting) = watch::channel(());
        open.insert(subject.into(), waiting);
        Some(Question { asking: Arc::clone(self), subject: subject.into(), done: Some(done) })
    }
}

/// An open question. Closed when it is dropped, by whatever way: or nobody would ever ask for this user again.
pub(super) struct Question {
    pub(super) asking: Arc<Asking>,
    pub(super) subject: Box<str>,
    done: Option<watch::Sender<()>>,
}

impl Question {
    /// Nobody waits for the answer any longer, nor asks anew before it is there.
    pub(super) fn send_away(&mut self) {
        self.done = None;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.asking.open.lock().remove(&self.subject);
    }
}

/// Questions begun and not answered. Beyond it requests are answered 503, which they would be a second later too.
const MOST_OPEN: usize = 4096;
