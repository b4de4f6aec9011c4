//! Which instances a mark is in effect at.

use std::time::Duration;

use super::{Position, Revocations};

/// Who refuses what a mark names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The names of the instances that have it in their view.
    pub confirmed_by: Vec<String>,
    /// The names of those that have not, or were not heard of.
    pub missing: Vec<String>,
}

impl Revocations {
    /// Who has the change at `position` in the view, after a `wait` of at most so long for those that have it not.
    #[expect(
        clippy::unused_async,
        reason = "where several instances share a store, their positions are waited for here"
    )]
    pub async fn confirmation(&self, position: Position, _wait: Duration) -> Confirmation {
        match position {
            // Whoever makes a mark has applied it before this is asked. Of others nothing is known yet.
            Position::Local | Position::Stream { .. } => {
                Confirmation { confirmed_by: vec![self.instance.clone()], missing: Vec::new() }
            }
        }
    }
}
