//! A route as the configuration says it, and as the table holds it.

use std::sync::Arc;

use super::access::Access;
use super::authorize;
use super::pattern::PathPattern;
use super::reason::Reason;
use crate::tokens::{Claims, ScopeSet};

/// One entry of `policy.routes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// Which paths it names.
    pub path: PathPattern,
    /// Which methods, upper case; empty = every method. `HEAD` is asked for as `GET`, so it need not stand here.
    pub methods: Vec<String>,
    /// Who may use it.
    pub access: Access,
    /// All of these are needed.
    pub scopes: ScopeSet,
    /// One of these is needed; empty = none.
    pub any_scope: ScopeSet,
    /// One of these must be in the token's `aud`, whatever the token's issuer asks for; empty = none.
    pub audience: Vec<String>,
    /// Whose tokens are taken; empty = everybody's that is trusted.
    pub issuers: Vec<String>,
    /// Whose its CORS is; `None` = as `policy.cors` says.
    pub cors: Option<Cors>,
    /// What becomes of the client's `Authorization`; `None` = as `upstream.authorization` says.
    pub authorization: Option<AuthorizationMode>,
    /// What becomes of a stream when its token ends; `None` = as `policy.streams` says.
    pub streams: Option<Streams>,
    /// Whether a path of it may have `%2F`; it is matched in both readings then.
    pub encoded_slash: bool,
    /// Whether a WebSocket's token may come in `Sec-WebSocket-Protocol`, as browsers have to send it.
    pub websocket_bearer: bool,
    /// Whether a token may come in the query (`insecure.query_token`).
    pub query_token: bool,
}

impl RouteSpec {
    /// A route that asks for nothing but what `access` says.
    #[must_use]
    pub fn new(path: PathPattern, access: Access) -> Self {
        Self {
            path,
            methods: Vec::new(),
            access,
            scopes: ScopeSet::default(),
            any_scope: ScopeSet::default(),
            audience: Vec::new(),
            issuers: Vec::new(),
            cors: None,
            authorization: None,
            streams: None,
            encoded_slash: false,
            websocket_bearer: false,
            query_token: false,
        }
    }
}

/// Who answers the preflights of proxied paths, and says which pages may read what else is answered there (Fetch standard,
/// CORS protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cors {
    /// The upstream.
    Upstream,
    /// Doorward, by `server.cors`.
    Doorward,
}

/// What becomes of the client's `Authorization` on the way to the upstream. Of two, the later one shows the upstream less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthorizationMode {
    /// The header that was checked arrives as it came.
    Pass,
    /// A short token that the upstream can check takes its place; where nobody was asked for a token, it is taken out.
    Mint,
    /// The header is taken out.
    Strip,
}

/// What becomes of a WebSocket or an event stream when its token expires or is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// It ends, within a second.
    End,
    /// It goes on.
    Keep,
}

/// A route of a [`Table`](super::Table).
#[derive(Debug)]
pub struct Route {
    spec: RouteSpec,
    index: usize,
    scopes_text: Option<Arc<str>>,
}

impl Route {
    pub(super) fn new(spec: RouteSpec, index: usize) -> Self {
        let scopes = authorize::wanted(&spec);
        let scopes_text = (!scopes.is_empty()).then(|| scopes.to_string().into());
        Self { spec, index, scopes_text }
    }

    /// What the configuration says.
    #[must_use]
    pub const fn spec(&self) -> &RouteSpec {
        &self.spec
    }

    /// The pattern, as it was written: the route's name in metrics and logs.
    #[must_use]
    pub fn label(&self) -> &str {
        self.spec.path.as_str()
    }

    /// Its place in the list it was compiled from.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The `scope` of a challenge (RFC 6750 §3): all scopes it asks for, those of which one is enough included; `None` if it asks
    /// for none.
    #[must_use]
    pub fn scopes_text(&self) -> Option<&Arc<str>> {
        self.scopes_text.as_ref()
    }

    /// Why a token that says this is not taken here.
    #[must_use]
    pub fn refuses(&self, claims: &Claims) -> Option<Reason> {
        authorize::refusal(&self.spec, claims)
    }
}
