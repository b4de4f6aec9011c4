//! Proof that a request may pass.

use std::sync::Arc;

use crate::tokens::{Claims, Verified};

/// Nothing reaches the upstream without one of these, and only [`Gate::decide`](super::Gate::decide) makes them.
#[derive(Clone, Debug)]
pub struct Permit {
    identity: Option<Arc<Active>>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Preflight,
    WebSocketToken,
}

/// A verified token that is not revoked, with the scopes its route asks for.
#[derive(Debug)]
pub(super) struct Active(pub(super) Arc<Verified>);

impl Permit {
    /// For a route that asks for no identity, or for none that was given.
    pub(super) const fn anonymous() -> Self {
        Self { identity: None, kind: Kind::Ordinary }
    }

    /// For a preflight, which browsers send without credentials.
    pub(super) const fn preflight() -> Self {
        Self { identity: None, kind: Kind::Preflight }
    }

    pub(super) fn of(active: Active) -> Self {
        Self { identity: Some(Arc::new(active)), kind: Kind::Ordinary }
    }

    /// For a token that came as a subprotocol of a WebSocket.
    pub(super) fn of_websocket(active: Active) -> Self {
        Self { kind: Kind::WebSocketToken, ..Self::of(active) }
    }

    /// Who asks; `None` if nobody was asked.
    #[must_use]
    pub fn identity(&self) -> Option<&Claims> {
        self.identity.as_ref().map(|active| active.0.claims())
    }

    /// Whether this is for a preflight alone: no credential was looked at, so none of the client's may go with it.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.kind == Kind::Preflight
    }

    /// Whether the token came in `Sec-WebSocket-Protocol`: it is taken out there before the upstream sees it.
    #[must_use]
    pub fn has_websocket_token(&self) -> bool {
        self.kind == Kind::WebSocketToken
    }
}
