//! The order of the checks; the first that fails decides.

use std::sync::Arc;

use super::credential::Credential;
use super::permit::Active;
use super::{Denial, Permit};
use crate::base::{Clock, Timestamp};
use crate::issuers::{IssuerKeys, Issuers};
use crate::policy::{Access, CanonicalPath, Match, Reason, Route, Streams, Table};
use crate::revocation::{Identifiers, LookUp, Revocations, Standing};
use crate::telemetry::{CacheResult, IssuerLabel, Telemetry};
use crate::tokens::{self, Verified, Verifier, VerifyError};

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
    /// The method a complete CORS preflight asks about.
    pub preflight: Option<&'a str>,
}

impl<'a> RequestFacts<'a> {
    /// The facts of a request that is neither a preflight nor for a WebSocket.
    #[must_use]
    pub const fn new(method: &'a str, path: &'a CanonicalPath<'a>, credential: Credential<'a>) -> Self {
        Self { method, path, credential, websocket: Credential::None, preflight: None }
    }
}

/// What was decided, and for whom.
#[derive(Debug)]
pub struct Decision {
    /// Index of the route in the table, `None` for the default. Of a path with two readings it is the first one's, unless only the
    /// second one's permit has an identity.
    pub route: Option<usize>,
    /// The token that was verified, whatever became of the request after that.
    pub verified: Option<Arc<Verified>>,
    /// The outcome.
    pub outcome: Result<Permit, Denial>,
    /// Whose keys might have changed it: the token names a key id that they have not.
    wanted: Option<WantedKey>,
}

/// A key id that is not among its issuer's keys.
#[derive(Clone, Debug)]
struct WantedKey {
    keys: Arc<IssuerKeys>,
    kid: Option<Box<str>>,
}

/// Decides requests: for the proxy, and for everything else that has to know what the proxy would do.
#[derive(Debug)]
pub struct Gate {
    table: Table,
    verifier: Arc<Verifier>,
    issuers: Arc<Issuers>,
    revocations: Arc<Revocations>,
    telemetry: Arc<Telemetry>,
    /// One for each trusted issuer; there are few.
    labels: Vec<IssuerLabel>,
}

impl Gate {
    /// A gate over a policy, the issuers it trusts with their keys, and what was revoked.
    #[must_use]
    pub fn new(
        table: Table,
        (verifier, issuers): (Arc<Verifier>, Arc<Issuers>),
        revocations: Arc<Revocations>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let labels = verifier.issuers().map(|issuer| telemetry.metrics.issuer(issuer)).collect();
        Self { table, verifier, issuers, revocations, telemetry, labels }
    }

    /// The policy.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Decides one request, as [`Gate::decide`] does. If that fails for a key id that the issuer's keys have not, they are asked
    /// for once more, if that is due, and it is decided again; a second at the most.
    pub async fn decide_with_new_keys(&self, facts: &RequestFacts<'_>, clock: &dyn Clock) -> Decision {
        let decision = self.decide(facts, clock.now());
        match &decision.wanted {
            Some(wanted) if wanted.keys.want(wanted.kid.as_deref()).await => self.decide(facts, clock.now()),
            _ => decision,
        }
    }

    /// Decides one request. Waits for nothing: keys and marks are in memory.
    #[must_use]
    pub fn decide(&self, facts: &RequestFacts<'_>, now: Timestamp) -> Decision {
        // A preflight asks for what is to come: it passes where that could, and a token is asked for then.
        let found = self.table.find(facts.path, facts.preflight.unwrap_or(facts.method));
        if let Some(closed) = facts.preflight.and_then(|_| self.closed_to_options(facts.path)) {
            let outcome = Err(Denial::new(Reason::RouteDenied));
            return Decision { route: Some(closed.index()), verified: None, outcome, wanted: None };
        }
        let mut identity = Identity::Unknown;
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
        let (verified, wanted) = identity.into_parts();
        Decision { route, verified, outcome, wanted }
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
        let mut identity =
            Identity::Known(self.still_good(token, now).map(|()| Arc::clone(token)).map_err(Failure::from));
        // Which token it is, is known; the credential only says that there is one.
        let facts = RequestFacts::new(method, path, Credential::Bearer(""));
        let mut readings = [Some(found.first), found.second].into_iter().flatten();
        readings
            .find_map(|found| self.decide_reading(found, &facts, now, &mut identity).err())
            .map(|denial| denial.reason)
    }

    fn still_good(&self, token: &Verified, now: Timestamp) -> Result<(), Reason> {
        self.verifier.still_trusts(token, now).map_err(reason_of)?;
        match self.revocations.standing(&Identifiers::of(token), now).0 {
            Standing::Good => Ok(()),
            Standing::Revoked(_) => Err(Reason::Revoked),
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
        let scopes = route.and_then(Route::scopes_text);
        let with_scopes = |reason| Denial { scope: scopes.map(str::to_owned), ..Denial::new(reason) };
        match access {
            Access::Deny if route.is_none() => return Err(Denial::new(Reason::NoRoute)),
            Access::Deny => return Err(Denial::new(Reason::RouteDenied)),
            _ if facts.preflight.is_some() => return Ok(Permit::preflight()),
            Access::Public => return Ok(Permit::anonymous()),
            Access::Optional | Access::Authenticated => {}
        }
        let websocket = route.is_some_and(|route| route.spec().websocket_bearer)
            && facts.credential == Credential::None
            && facts.websocket != Credential::None;
        let credential = if websocket { facts.websocket } else { facts.credential };
        if access == Access::Optional && credential == Credential::None {
            return Ok(Permit::anonymous());
        }
        if let Some(reason) = credential.refusal() {
            return Err(with_scopes(reason));
        }
        let Credential::Bearer(token) = credential else {
            return Err(with_scopes(Reason::NoCredential));
        };
        let verified = identity.resolve(|| self.identify(token, now)).map_err(with_scopes)?;
        match route {
            Some(route) if !route.allows(&verified.claims().scopes) => Err(with_scopes(Reason::InsufficientScope)),
            _ if websocket => Ok(Permit::of_websocket(Active(verified))),
            _ => Ok(Permit::of(Active(verified))),
        }
    }

    fn identify(&self, token: &str, now: Timestamp) -> Result<Arc<Verified>, Failure> {
        let (verified, cached) = self.verifier.verify(token, now);
        let metrics = &self.telemetry.metrics;
        metrics.verified_token_cache(match cached {
            tokens::CacheResult::Hit => CacheResult::Hit,
            tokens::CacheResult::Miss => CacheResult::Miss,
        });
        let verified = verified.map_err(|rejected| {
            let issuer = rejected.issuer.as_deref().map(|rules| rules.issuer.as_str());
            let failure = self.failure(rejected.error, issuer, rejected.kid);
            self.label(issuer).refused(failure.reason.as_str());
            failure
        })?;
        let label = self.label(Some(&verified.claims().issuer));
        let (standing, look_up) = self.revocations.standing(&Identifiers::of(&verified), now);
        match look_up {
            LookUp::Hit => metrics.revocation_cache(CacheResult::Hit),
            LookUp::Miss => metrics.revocation_cache(CacheResult::Miss),
            LookUp::Off => metrics.revocation_cache(CacheResult::Off),
        }
        match standing {
            Standing::Good => {
                label.accepted();
                Ok(verified)
            }
            Standing::Revoked(_) => {
                label.refused(Reason::Revoked.as_str());
                Err(Reason::Revoked.into())
            }
        }
    }

    fn failure(&self, error: VerifyError, issuer: Option<&str>, kid: Option<Box<str>>) -> Failure {
        let keys = issuer.and_then(|issuer| self.issuers.get(issuer));
        match (error, keys) {
            (VerifyError::UnknownKey | VerifyError::KeysUnavailable, Some(keys)) => {
                // It may be a key that could not be learnt: that is not the client's fault.
                let unlearnt = error == VerifyError::KeysUnavailable || keys.last_fetch_failed();
                let reason = if unlearnt { Reason::KeysUnavailable } else { Reason::UnknownKey };
                Failure { reason, wanted: Some(WantedKey { keys: Arc::clone(keys), kid }) }
            }
            _ => reason_of(error).into(),
        }
    }

    fn label(&self, issuer: Option<&str>) -> &IssuerLabel {
        let known = self.labels.iter().find(|label| Some(label.name()) == issuer);
        known.unwrap_or_else(|| self.telemetry.metrics.unknown_issuer())
    }
}

/// Looked up at most once a request, however many readings its path has.
enum Identity {
    Unknown,
    Known(Result<Arc<Verified>, Failure>),
}

/// Why a token is no identity, and whose keys might change that.
#[derive(Clone)]
struct Failure {
    reason: Reason,
    wanted: Option<WantedKey>,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, wanted: None }
    }
}

impl Identity {
    fn resolve(&mut self, identify: impl FnOnce() -> Result<Arc<Verified>, Failure>) -> Result<Arc<Verified>, Reason> {
        if matches!(self, Self::Unknown) {
            *self = Self::Known(identify());
        }
        match self {
            Self::Known(Ok(verified)) => Ok(Arc::clone(verified)),
            Self::Known(Err(failure)) => Err(failure.reason),
            Self::Unknown => Err(Reason::NoCredential),
        }
    }

    fn into_parts(self) -> (Option<Arc<Verified>>, Option<WantedKey>) {
        match self {
            Self::Known(Ok(verified)) => (Some(verified), None),
            Self::Known(Err(failure)) => (None, failure.wanted),
            Self::Unknown => (None, None),
        }
    }
}

fn reason_of(error: VerifyError) -> Reason {
    match error {
        VerifyError::Malformed => Reason::MalformedToken,
        VerifyError::UnknownKey => Reason::UnknownKey,
        VerifyError::KeysUnavailable => Reason::KeysUnavailable,
        VerifyError::WrongAlgorithm => Reason::WrongAlgorithm,
        VerifyError::BadSignature => Reason::BadSignature,
        VerifyError::Expired => Reason::Expired,
        VerifyError::NotYetValid => Reason::NotYetValid,
        VerifyError::WrongIssuer => Reason::WrongIssuer,
        VerifyError::WrongAudience => Reason::WrongAudience,
        VerifyError::WrongType => Reason::WrongType,
    }
}
