//! Writing what was exported into another store.

use std::cmp::max;
use std::io::BufRead;
use std::sync::Arc;

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
    let mut marks: Vec<StoredMark> = Vec::with_capacity(PART);
    let mut sessions = JoinSet::new();
    while let Some(record) = reader.next()? {
        match record {
            Record::Mark(mark) => marks.push(mark),
            Record::Session(sid, family) if sid != horizon::name() => {
                restore(store, &mut marks).await?;
                if sessions.len() >= AT_ONCE {
                    next(&mut sessions).await?;
                }
                let store = Arc::clone(store);
                sessions.spawn(async move { put(&*store, sid, family).await });
            }
            // Of which the header tells.
            Record::Session(..) => {}
        }
        if marks.len() >= PART {
            restore(store, &mut marks).await?;
        }
        progress(reader.counts());
    }
    restore(store, &mut marks).await?;
    while !sessions.is_empty() {
        next(&mut sessions).await?;
    }
    Ok(reader.counts())
}

async fn restore(store: &Arc<dyn Store>, marks: &mut Vec<StoredMark>) -> Result<(), StoreError> {
    if !marks.is_empty() {
        store.restore(marks).await?;
        marks.clear();
    }
    Ok(())
}

async fn next(sessions: &mut JoinSet<Result<(), StoreError>>) -> Result<(), StoreError> {
    match sessions.join_next().await {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(error),
        Some(Err(_)) => Err(StoreError::Unavailable("a write broke off".to_owned())),
    }
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

/// Marks written at once.
const PART: usize = 100;

/// Sessions under way at once: they share the round trips, and the embedded store's syncs.
const AT_ONCE: usize = 128;

#[cfg(test)]
pub(super) mod tests;
