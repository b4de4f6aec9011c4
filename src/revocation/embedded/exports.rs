//! Taking all of it elsewhere.

use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::{EmbeddedStore, tables};
use crate::base::Timestamp;
use crate::revocation::StoreError;
use crate::revocation::transfer::{Cursor, Exports, Page, Record};

#[async_trait]
impl Exports for EmbeddedStore {
    fn sealed_at(&self) -> Option<Timestamp> {
        let millis = self.sealed_at.load(Ordering::SeqCst);
        (millis != 0).then(|| Timestamp::from_millis(millis))
    }

    async fn seal(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let since = self.writer.write_unbound(move |tables| tables.seal(now)).await?;
        self.sealed_at.store(since.millis(), Ordering::SeqCst);
        Ok(since)
    }

    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not for every transaction")]
    async fn unseal(&self) -> Result<(), StoreError> {
        self.writer.write_unbound(|tables| tables.unseal()).await?;
        self.sealed_at.store(0, Ordering::SeqCst);
        Ok(())
    }

    async fn page(&self, after: Option<Cursor>, limit: usize) -> Result<Page, StoreError> {
        self.read(move |transaction| {
            let marks = match after {
                None => tables::marks(transaction, None, limit)?,
                Some(Cursor::Mark(key)) => tables::marks(transaction, Some(key), limit)?,
                Some(Cursor::Session(_)) => Vec::new(),
            };
            let mut records: Vec<Record> = marks.into_iter().map(Record::Mark).collect();
            if records.is_empty() {
                let sid = if let Some(Cursor::Session(sid)) = after { Some(sid) } else { None };
                let sessions = tables::families(transaction, sid, limit)?;
                records.extend(sessions.into_iter().map(|(sid, family)| Record::Session(sid, family)));
            }
            Ok(Page { sealed_at: tables::sealed_at(transaction)?, records })
        })
        .await
    }
}
