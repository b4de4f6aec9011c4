//! The order of the checks; the first that fails decides.

use std::collections::HashSet;
use std::sync::Arc;

use super::credential::Credential;
use super::identify::{Identities, Identity, reason_of};
use super::permit::{Active, TokenPlace};
use super::user::Users;
use super::{Denial, Permit};
use crate::base::{Times, Timestamp};
use crate::issuers::Issuers;
use crate::policy::{Access, CanonicalPath, Match, Reason, Route, RouteSpec, Streams, Table};
use crate::revocation::{Identifiers, Revocations, Standing};
use crate::telemetry::Telemetry;
use crate::tokens::{Known, Verified, Verifier};
use crate::users::Recheck;

/// All that a decision may see of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method as it came; never rewritten.
    pub method: &'a str,
    /// The path, made once from the bytes that are forwarded.
    pub path: &'a CanonicalPath<'a>,
    /// What the `Authorization` fields say.
    pub credential: Credential<'a>,
    /// What `Sec-WebSocket-Protocol` says, of a request that asks for a WebSocket and has no `Authorization` at all. Looked at for
    /// routes that take a token there.
    pub websocket: Credential<'a>,
    /// What `access_token` in the query says. Looked at for routes that take a token there.
    pub query: Credential<'a>,
    /// The method a complete CORS preflight asks about.
    pub preflight: Option<&'a str>,
}

impl<'a> RequestFacts<'a> {
    /// The facts of a request that is neither a preflight nor for a WebSocket.
    #[must_use]
    pub const fn new(method: &'a str, path: &'a CanonicalPath<'a>, credential: Credential<'a>) -> Self {
        Self { method, path, credential, websocket: Credential::None, query: Credential::None, preflight: None }
    }
}

/// What was decided, and for whom.
#[derive(Debug)]
pub struct Decision {
    /// Index of the route in the table, `None` for the default. Of a path with two readings it is the first one's, unless only the
    /// second one's permit has an identity.
    pub route: Option<usize>,
    /// The token that was verified, whatever became of the request after that.
    pub verified: Option<Known>,
    /// The outcome.
    pub outcome: Result<Permit, Denial>,
}

/// A decision that is not told yet.
struct Judged {
    route: Option<usize>,
    identity: Identity,
    outcome: Result<Permit, Denial>,
}

/// Decides requests: for the proxy, and for everything else that has to know what the proxy would do.
#[derive(Debug)]
pub struct Gate {
    table: Table,
    pub(super) identities: Identities,
}

impl Gate {
    /// A gate over a policy, the issuers it trusts with their keys, and what was revoked.
    #[must_use]
    pub fn new(
        table: Table,
        issuers: (Arc<Verifier>, Arc<Issuers>),
        revocations: Arc<Revocations>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self { table, identities: Identities::new(issuers, revocations, telemetry) }
    }

    /// The same gate, which holds own tokens against how their users stand; those of clients that act for themselves against the ids of
    /// the `clients` that may.
    #[must_use]
    pub fn with_users(mut self, users: Arc<Recheck>, clients: HashSet<String>) -> Self {
        self.identities.users = Users::of(users, clients);
        self
    }

    /// The policy.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The present by both clocks, when this machine's shows `local`.
    #[must_use]
    pub fn times(&self, local: Timestamp) -> Times {
        self.identities.times(local)
    }

    /// Decides one request, as [`Gate::decide`] does, as of now. If that fails for a key id that the issuer's keys have not, they are asked
    /// for once more, if that is due, and it is decided again; so is a user whose standing is not known. A second at the most.
    pub async fn decide_with_new_keys(&self, facts: &RequestFacts<'_>) -> Decision {
        let judged = self.judge(facts, self.identities.now());
        if let Some(wanted) = judged.identity.wanted()
            && wanted.ask().await
        {
            return self.decide(facts, self.identities.now());
        }
        self.told(judged)
    }

    /// Decides one request at `now`, by this machine's clock. Waits for nothing: keys, marks and users are in memory.
    #[must_use]
    pub fn decide(&self, facts: &RequestFacts<'_>, now: Timestamp) -> Decision {
        self.told(self.judge(facts, now))
    }

    fn told(&self, Judged { route, identity, outcome }: Judged) -> Decision {
        self.identities.tell(&identity);
        Decision { route, verified: identity.into_known(), outcome }
    }

    fn judge(&self, facts: &RequestFacts<'_>, now: Timestamp) -> Judged {
        let mut identity = Identity::default();
        // A preflight asks for what is to come: it passes where that could, and a token is asked for then.
        let found = self.table.find(facts.path, facts.preflight.unwrap_or(facts.method));
        if let Some(closed) = facts.preflight.and_then(|_| self.closed_to_options(facts.path)) {
            let outcome = Err(Denial::new(Reason::RouteDenied));
            return Judged { route: Some(closed.index()), identity, outcome };
        }
        let mut route = found.first.route().map(Route::index);
        let mut outcome = self.decide_reading(found.first, facts, now, &mut identity);
        // A path with two readings passes only if both do: the upstream takes one of them, and nobody knows which. Of two permits
        // the one with an identity counts, or a public reading would hide a user, and show a token, that the other is about.
        if let (Ok(permit), Some(second)) = (&outcome, found.second) {
            let index = second.route().map(Route::index);
            match self.decide_reading(second, facts, now, &mut identity) {
                Ok(other) if permit.identity().is_some() || other.identity().is_none() => {}
                Ok(other) => (route, outcome) = (index, Ok(other)),
                Err(denial) => outcome = Err(denial),
            }
        }
        Judged { route, identity, outcome }
    }

    /// Why a stream that was begun with this token must not go on: whatever a request for it would be refused for now, by this
    /// configuration and at this time. `None` while it may. `unless` is what routes do with streams that do not say it themselves;
    /// a path whose every reading keeps its streams keeps this one, whatever has become of the token or the route. A clock that was
    /// set back ends nothing.
    #[must_use]
    pub fn ended(
        &self,
        (method, path): (&str, &CanonicalPath<'_>),
        token: &Arc<Verified>,
        unless: Streams,
        now: Timestamp,
    ) -> Option<Reason> {
        let found = self.table.find(path, method);
        let ends = |matched: &Match<'_>| {
            matched.route().and_then(|route| route.spec().streams).unwrap_or(unless) == Streams::End
        };
        if ![Some(&found.first), found.second.as_ref()].into_iter().flatten().any(ends) {
            return None;
        }
        let mut identity = Identity::given(self.still_good(token, now));
        // Which token it is, is known; the credential only says that there is one.
        let facts = RequestFacts::new(method, path, Credential::Bearer(""));
        let mut readings = [Some(found.first), found.second].into_iter().flatten();
        readings
            .find_map(|found| self.decide_reading(found, &facts, now, &mut identity).err())
            .map(|denial| denial.reason)
    }

    fn still_good(&self, token: &Arc<Verified>, now: Timestamp) -> Result<Known, Reason> {
        let now = self.identities.times(now);
        let token = self.identities.verifier.still_trusts(token, now).map_err(reason_of)?;
        match self.identities.revocations.standing(&Identifiers::of(&token), now.store).0 {
            Standing::Good => self.identities.users.still_admits(token.into(), now.store),
            Standing::Revoked(kind) => Err(self.identities.users.revoked(token.into(), kind, now.store)),
            // Whatever was refused anew would be: nobody can tell whether it was revoked.
            Standing::Unknown => Err(Reason::StoreUnavailable),
        }
    }

    /// A route that denies `OPTIONS` by name. Whoever wrote it meant preflights too: a header must not open what is closed.
    fn closed_to_options(&self, path: &CanonicalPath<'_>) -> Option<&Route> {
        let found = self.table.find(path, "OPTIONS");
        let routes = [Some(found.first), found.second].into_iter().flatten().filter_map(|found| found.route());
        let names_it = |route: &Route| route.spec().methods.iter().any(|method| method == "OPTIONS");
        routes.into_iter().find(|route| route.spec().access == Access::Deny && names_it(route))
    }

    fn decide_reading(
        &self,
        matched: Match<'_>,
        facts: &RequestFacts<'_>,
        now: Timestamp,
        identity: &mut Identity,
    ) -> Result<Permit, Denial> {
        if facts.credential == Credential::Multiple {
            return Err(Denial::new(Reason::MultipleCredentials));
        }
        let (access, route) = match matched {
            Match::Route(route) => (route.spec().access, Some(route)),
            Match::Default => (self.table.default_access(), None),
            Match::MethodNotAllowed(allow) => {
                return Err(Denial { allow: Some(allow), ..Denial::new(Reason::MethodNotAllowed) });
            }
            Match::EncodedSlash => return Err(Denial::new(Reason::AmbiguousPath)),
        };
        if facts.path.is_capped() && access.is_laxer_than(self.table.default_access()) {
            return Err(Denial::new(Reason::AmbiguousPath));
        }
        let with_scopes = |reason| {
            let scope = route.and_then(Route::scopes_text).map(Arc::clone);
            Denial { scope, ..Denial::new(reason) }
        };
        match access {
            Access::Deny if route.is_none() => return Err(Denial::new(Reason::NoRoute)),
            Access::Deny => return Err(Denial::new(Reason::RouteDenied)),
            _ if facts.preflight.is_some() => return Ok(Permit::preflight()),
            Access::Public => return Ok(Permit::anonymous()),
            Access::Optional | Access::Authenticated => {}
        }
        let (credential, place) = credential_for(route, facts)?;
        if access == Access::Optional && credential == Credential::None {
            return Ok(Permit::anonymous());
        }
        if let Some(reason) = credential.refusal() {
            return Err(with_scopes(reason));
        }
        let Credential::Bearer(token) = credential else {
            return Err(with_scopes(Reason::NoCredential));
        };
        let verified = self.identities.identify(token, now, identity).map_err(with_scopes)?;
        match route.and_then(|route| route.refuses(verified.claims())) {
            Some(reason) => Err(with_scopes(reason)),
            None => Ok(Permit::of(Active(verified.clone()), place)),
        }
    }
}

/// The one credential that the route takes, and where it stands.
fn credential_for<'a>(route: Option<&Route>, facts: &RequestFacts<'a>) -> Result<(Credential<'a>, TokenPlace), Denial> {
    let takes = |credential, may: fn(&RouteSpec) -> bool| {
        credential != Credential::None && route.is_some_and(|route| may(route.spec()))
    };
    let (given, none) = (facts.credential, facts.credential == Credential::None);
    let query = takes(facts.query, |route| route.query_token);
    let websocket = none && takes(facts.websocket, |route| route.websocket_bearer);
    match (query, websocket) {
        // Two ways in one request: the application could take the other (RFC 6750 §2).
        (true, true) => Err(Denial::new(Reason::MultipleCredentials)),
        (true, false) if !none => Err(Denial::new(Reason::MultipleCredentials)),
        (true, false) => Ok((facts.query, TokenPlace::Query)),
        (false, true) => Ok((facts.websocket, TokenPlace::WebSocket)),
        (false, false) => Ok((given, TokenPlace::Header)),
    }
}

#[cfg(test)]
mod tests;
