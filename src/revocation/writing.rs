//! What a revocation writes, in an order in which whatever is lost halfway is harmless.

use std::time::Duration;

use super::{Mark, MarkKind, Position, Sid, Store, StoreError, StoredMark, Swap, View};

/// Makes a mark, and has it in effect here.
pub(super) async fn make(store: &dyn Store, view: &View, mark: Mark) -> Result<Position, StoreError> {
    let stored = StoredMark::from(mark.clone());
    loop {
        let compared = view.comparisons(&stored.key);
        let position = store.mark(mark.clone()).await?;
        // Another server may have taken over from the one that confirmed the mark, without it, and have been compared with the view
        // before the mark was in it: nobody would write it back there.
        if view.insert_since(&stored, compared) {
            return Ok(position);
        }
    }
}

/// The end of a session, under way.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) sid: Sid,
    pub(super) issuer: String,
    pub(super) leeway: Duration,
}

impl Ending {
    pub(super) async fn run(self, store: &dyn Store, view: &View) -> Result<bool, StoreError> {
        let Some(mut family) = store.family(self.sid).await? else { return Ok(false) };
        loop {
            // Whoever made it `revoked` had marked it before, and it has been given no token since.
            if !family.revoked {
                let mark = Mark {
                    kind: MarkKind::Sid,
                    issuer: self.issuer.clone(),
                    value: self.sid.to_string(),
                    expires_at: family.latest_access_exp.plus(self.leeway),
                    issued_before: None,
                };
                make(store, view, mark).await?;
            }
            // Also where it is over already: what was read may be lost yet, what was written is not.
            match store.swap(self.sid, &family, family.clone().revoke()).await? {
                Swap::Done | Swap::Lost(None) => return Ok(true),
                // It was given another token meanwhile, which the mark must outlive too.
                Swap::Lost(Some(current)) => family = current,
            }
        }
    }
    /// Ends the session if the store has it alive again.
    pub(super) async fn run_again(self, store: &dyn Store, view: &View) -> Result<(), StoreError> {
        if store.family(self.sid).await?.is_some_and(|family| !family.revoked) {
            tracing::warn!("the store lost the end of a session; ending it again");
            self.run(store, view).await?;
        }
        Ok(())
    }
}
