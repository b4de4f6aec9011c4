//! Proof that a request may pass.

use std::sync::Arc;

use crate::tokens::{Claims, Verified};

/// Nothing reaches the upstream without one of these, and only [`Gate::decide`](super::Gate::decide) makes them.
#[derive(Clone, Debug)]
pub struct Permit {
    identity: Option<Arc<Active>>,
}

/// A verified token that is not revoked, with the scopes its route asks for.
#[derive(Debug)]
pub(super) struct Active(pub(super) Arc<Verified>);

impl Permit {
    /// For a route that asks for no identity, or for none that was given.
    pub(super) const fn anonymous() -> Self {
        Self { identity: None }
    }

    pub(super) fn of(active: Active) -> Self {
        Self { identity: Some(Arc::new(active)) }
    }

    /// Who asks; `None` if nobody was asked.
    #[must_use]
    pub fn identity(&self) -> Option<&Claims> {
        self.identity.as_ref().map(|active| active.0.claims())
    }
}
