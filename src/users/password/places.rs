//! The places of those who have a password checked, and the memory that they leave to one another.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::Block;
use parking_lot::Mutex;

use super::Busy;

/// Those whose passwords are checked and those who wait for that: a bounded number.
///
/// # Why memory is kept
///
/// Argon2 fills 19 MiB. Asked of the system for each hash, they come in 4864 faults and go again, which is 40 % of a login's processor time; and
/// the thread that serves requests on that core cannot always interrupt the system. So as long as anybody has a place, the next takes what the
/// last worked in; with the last of them it goes. Whoever can read it there could read it of a hash that is at work.
pub(super) struct Places {
    limit: usize,
    taken: AtomicUsize,
    /// No more than ever ran at once.
    kept: Mutex<Vec<Vec<Block>>>,
}

/// A place, until this is dropped.
#[derive(Debug)]
#[must_use = "the place is given back with it"]
pub struct Admission(Arc<Places>);

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), kept: Mutex::default() }
    }

    /// # Errors
    /// [`Busy`] at once when all are taken.
    pub(super) fn admit(this: &Arc<Self>) -> Result<Admission, Busy> {
        let admit = |taken: usize| (taken < this.limit).then_some(taken + 1);
        this.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit).map_err(|_| Busy)?;
        Ok(Admission(Arc::clone(this)))
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Does `work`, for whoever has a place, in memory that was left, and leaves it to the next. Who finds none and is alone gets none: fresh
    /// memory is zero already, and nobody is there to leave it to.
    pub(super) fn with_memory<T>(&self, work: impl FnOnce(Option<&mut Vec<Block>>) -> T) -> T {
        let left = self.kept.lock().pop();
        if left.is_none() && self.taken() <= 1 {
            return work(None);
        }
        let mut blocks = left.unwrap_or_default();
        let result = work(Some(&mut blocks));
        if blocks.capacity() > 0 {
            self.kept.lock().push(blocks);
        }
        result
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.kept.lock().len()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.0.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Freed outside of the lock: that takes a while.
            let _freed = std::mem::take(&mut *self.0.kept.lock());
        }
    }
}

/// Without what is kept: it was made of passwords.
impl fmt::Debug for Places {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Places").field("limit", &self.limit).field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_left_to_the_next_and_goes_with_the_last() {
        let places = Arc::new(Places::new(2));
        let (first, second) = (Places::admit(&places).unwrap(), Places::admit(&places).unwrap());
        assert!(matches!(Places::admit(&places), Err(Busy)));
        places.with_memory(|kept| kept.unwrap().resize(3, Block::default()));
        drop(first);
        // Or it would be there beside what is asked for anew.
        places.with_memory(|kept| assert_eq!(kept.unwrap().len(), 3, "also to the last, who is alone"));
        assert_eq!(places.kept(), 1);
        drop(second);
        assert_eq!((places.kept(), places.taken()), (0, 0));
        let _alone = Places::admit(&places).unwrap();
        places.with_memory(|kept| assert!(kept.is_none()));
    }
}
