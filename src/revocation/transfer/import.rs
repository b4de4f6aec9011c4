//! Writing what was exported into another store.

use std::cmp::max;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Counts, FileError, Header, Reader, Record};
use crate::revocation::{Family, Sid, Store, StoreError, StoredMark, Swap, horizon};

/// Why an import did not come to its end. What was imported until then is right, and to import again is harmless.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Of the file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Of the store.
    #[error("{0}; what was imported so far is right: run the same again")]
    Store(#[from] StoreError),
}

/// Writes what `reader` gives into `store`; `progress` is told how many records are there. Where the store has a session or a mark
/// already, nothing of it is taken back: the later generation counts, and what was revoked in one of them is.
///
/// # Errors
/// [`ImportError`].
pub async fn import<R: BufRead>(
    store: &Arc<dyn Store>,
    header: &Header,
    mut reader: Reader<R>,
    mut progress: impl FnMut(Counts),
) -> Result<Counts, ImportError> {
    horizon::raise(&**store, header.until()).await?;
    let mut writing = Writing { store, tasks: JoinSet::new() };
    let mut marks: Vec<StoredMark> = Vec::with_capacity(PART);
    let mut are_marks_done = false;
    while let Some(record) = reader.record()? {
        match record {
            Record::Mark(mark) => {
                are_marks_done = false;
                marks.push(mark);
                if marks.len() >= PART {
                    writing.marks(std::mem::take(&mut marks)).await?;
                }
            }
            // Of which the header tells.
            Record::Session(sid, _) if sid == horizon::name() => {}
            Record::Session(sid, family) => {
                if !are_marks_done {
                    writing.marks(std::mem::take(&mut marks)).await?;
                    writing.end().await?;
                    are_marks_done = true;
                }
                writing.session(sid, family).await?;
            }
        }
        progress(reader.counts());
    }
    writing.marks(marks).await?;
    writing.end().await?;
    Ok(reader.counts())
}

/// Writes that are under way.
struct Writing<'a> {
    store: &'a Arc<dyn Store>,
    tasks: JoinSet<Result<(), StoreError>>,
}

impl Writing<'_> {
    async fn marks(&mut self, marks: Vec<StoredMark>) -> Result<(), StoreError> {
        let store = Arc::clone(self.store);
        self.begin(PARTS_AT_ONCE, async move {
            if marks.is_empty() { Ok(()) } else { patiently(|| store.restore(&marks)).await }
        })
        .await
    }

    async fn session(&mut self, sid: Sid, family: Family) -> Result<(), StoreError> {
        let store = Arc::clone(self.store);
        self.begin(SESSIONS_AT_ONCE, async move { patiently(|| put(&*store, sid, family.clone())).await }).await
    }

    async fn begin(
        &mut self,
        at_once: usize,
        write: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) -> Result<(), StoreError> {
        while self.tasks.len() >= at_once {
            self.one().await?;
        }
        self.tasks.spawn(write);
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        while !self.tasks.is_empty() {
            self.one().await?;
        }
        Ok(())
    }

    async fn one(&mut self) -> Result<(), StoreError> {
        match self.tasks.join_next().await {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err(StoreError::Unavailable("a write broke off".to_owned())),
        }
    }
}

/// Tries again what failed: a server that is busy for a second is no reason to begin anew.
async fn patiently<F: Future<Output = Result<(), StoreError>>>(write: impl Fn() -> F) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        match write().await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    write().await
}

async fn put(store: &dyn Store, sid: Sid, family: Family) -> Result<(), StoreError> {
    let mut standing = store.family(sid).await?;
    loop {
        let Some(there) = standing else {
            match store.create(sid, family.clone()).await {
                Ok(()) => return Ok(()),
                // Another import, or the answer to this one was lost.
                Err(error) => match store.family(sid).await? {
                    None => return Err(error),
                    made => standing = made,
                },
            }
            continue;
        };
        let merged = merged(there.clone(), family.clone());
        if merged == there {
            return Ok(());
        }
        match store.swap(sid, &there, merged).await? {
            Swap::Done => return Ok(()),
            // It was over, and is forgotten.
            Swap::Lost(None) => return Ok(()),
            Swap::Lost(current) => standing = current,
        }
    }
}

/// What stands there and what comes, in one: the later generation, ended if one of them is.
fn merged(there: Family, coming: Family) -> Family {
    let ended = there.revoked || coming.revoked;
    let latest_access_exp = max(there.latest_access_exp, coming.latest_access_exp);
    let later = if coming.generation > there.generation { coming } else { there };
    Family { revoked: ended, latest_access_exp, ..later }
}

/// Marks written at once, and how often.
const PART: usize = 200;
const PARTS_AT_ONCE: usize = 8;

/// Sessions under way at once: they share the round trips, and the embedded store's syncs.
const SESSIONS_AT_ONCE: usize = 128;

const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(500);

#[cfg(test)]
pub(super) mod tests;
