//! What other instances have revoked, before something is issued: a view is a moment behind, or where the store cannot be followed, much
//! more.

use super::{MarkKey, MarkKind, Revocations, Sid, StoreError, StoredMark};

/// Who is about to be issued something.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The session, if it has one already.
    pub sid: Option<Sid>,
    /// `sub`.
    pub subject: &'a str,
    /// `client_id`.
    pub client: Option<&'a str>,
}

impl Revocations {
    /// Takes up what the store has of marks on what `holder` was issued, so that the view has it: one round trip to a store that others write
    /// too, and nothing where only this instance does. To be called before anything more is issued, and once the time is known that is
    /// put on it: a mark of later kills it.
    ///
    /// # Errors
    /// [`StoreError`] if nobody can tell; nothing must be issued then, and nothing ended.
    pub async fn catch_up(&self, issuer: &str, holder: Holder<'_>) -> Result<(), StoreError> {
        let sid = holder.sid.map(|sid| sid.to_string());
        let named = [
            sid.as_deref().map(|sid| (MarkKind::Sid, sid)),
            Some((MarkKind::Sub, holder.subject)),
            holder.client.map(|client| (MarkKind::Client, client)),
        ];
        let keys: Vec<_> = named.into_iter().flatten().map(|(kind, value)| MarkKey::of(kind, issuer, value)).collect();
        let view = self.view();
        loop {
            let compared: Vec<_> = keys.iter().map(|key| (*key, view.comparisons(key))).collect();
            let found = self.store().marks_under(&keys).await?;
            let taken_up = |mark: &StoredMark| {
                let before = compared.iter().find(|(key, _)| *key == mark.key);
                before.is_none_or(|(_, before)| view.insert_since(mark, *before))
            };
            // Another server may have taken over from the one that was asked, without the mark, and have been compared with the view before
            // the mark was in it: nobody would write it back there.
            if found.iter().all(taken_up) {
                return Ok(());
            }
        }
    }
}
