//! Proof that a request may pass.

use crate::tokens::{Claims, Known};

/// Nothing reaches the upstream without one of these, and only [`Gate::decide`](super::Gate::decide) makes them.
#[derive(Clone, Debug)]
pub struct Permit {
    identity: Option<Active>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Preflight,
    Token(TokenPlace),
}

/// Where the token of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenPlace {
    /// In `Authorization`, or there is none.
    Header,
    /// In `Sec-WebSocket-Protocol`.
    WebSocket,
    /// In the query.
    Query,
}

/// A verified token that is not revoked, with the scopes its route asks for.
#[derive(Clone, Debug)]
pub(super) struct Active(pub(super) Known);

impl Permit {
    /// For a route that asks for no identity, or for none that was given.
    pub(super) const fn anonymous() -> Self {
        Self { identity: None, kind: Kind::Token(TokenPlace::Header) }
    }

    /// For a preflight, which browsers send without credentials.
    pub(super) const fn preflight() -> Self {
        Self { identity: None, kind: Kind::Preflight }
    }

    /// For a token that came in this place.
    pub(super) fn of(active: Active, place: TokenPlace) -> Self {
        Self { identity: Some(active), kind: Kind::Token(place) }
    }

    /// Who asks; `None` if nobody was asked.
    #[must_use]
    pub fn identity(&self) -> Option<&Claims> {
        self.identity.as_ref().map(|active| active.0.claims())
    }

    /// The token of whoever asks; `None` if nobody was asked.
    #[must_use]
    pub fn token(&self) -> Option<&Known> {
        self.identity.as_ref().map(|active| &active.0)
    }

    /// Whether this is for a preflight alone: no credential was looked at, so none of the client's may go with it.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.kind == Kind::Preflight
    }

    /// Whether the token came in the query.
    #[must_use]
    pub fn has_query_token(&self) -> bool {
        self.kind == Kind::Token(TokenPlace::Query)
    }

    /// Whether the token came in `Sec-WebSocket-Protocol`: it is taken out there before the upstream sees it.
    #[must_use]
    pub fn has_websocket_token(&self) -> bool {
        self.kind == Kind::Token(TokenPlace::WebSocket)
    }
}
