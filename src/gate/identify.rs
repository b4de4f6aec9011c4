//! Whose a token is: found out at most once a decision, told at most once a request.

use std::sync::Arc;

use super::front::{Front, Seen};
use super::user::{Users, WantedUser};
use crate::base::{Times, Timestamp};
use crate::issuers::{IssuerKeys, Issuers};
use crate::policy::Reason;
use crate::revocation::{Identifiers, LookUp, Revocations, Standing};
use crate::telemetry::{self, IssuerLabel, Telemetry};
use crate::tokens::{CacheResult, IssuerRules, Known, Rejected, Verifier, VerifyError, digest_of};

/// All that is asked about a token.
#[derive(Debug)]
pub(super) struct Identities {
    pub(super) verifier: Arc<Verifier>,
    front: Front,
    pub(super) revocations: Arc<Revocations>,
    pub(super) users: Users,
    issuers: Arc<Issuers>,
    telemetry: Arc<Telemetry>,
    /// One for each trusted issuer; there are few.
    labels: Vec<IssuerLabel>,
}

/// What was found out, however many readings a path has.
#[derive(Debug, Default)]
pub(super) struct Identity {
    known: Option<Result<Known, Failure>>,
    asked: Option<(CacheResult, Option<LookUp>)>,
}

/// Why a token is no identity.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    reason: Reason,
    /// The trusted issuer that the token names.
    issuer: Option<Arc<IssuerRules>>,
    /// What might change that.
    wanted: Option<Wanted>,
}

/// What may be asked for, so that the next decision is another.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Key(WantedKey),
    User(WantedUser),
}

/// A key id that is not among its issuer's keys.
#[derive(Clone, Debug)]
pub(super) struct WantedKey {
    keys: Arc<IssuerKeys>,
    kid: Option<Box<str>>,
    /// Whether it was answered so because the last fetch had failed.
    failed: bool,
}

impl Identities {
    pub(super) fn new(
        (verifier, issuers): (Arc<Verifier>, Arc<Issuers>),
        revocations: Arc<Revocations>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let labels = verifier.issuers().map(|issuer| telemetry.metrics.issuer(issuer)).collect();
        Self { verifier, front: Front::default(), revocations, users: Users::default(), issuers, telemetry, labels }
    }

    /// Everything but what a route asks for.
    pub(super) fn identify<'i>(
        &self,
        token: &str,
        now: Timestamp,
        identity: &'i mut Identity,
    ) -> Result<&'i Known, Reason> {
        if identity.known.is_none() {
            let (known, asked) = self.find_out(token, self.times(now));
            (identity.known, identity.asked) = (Some(known), Some(asked));
        }
        match &identity.known {
            Some(Ok(known)) => Ok(known),
            Some(Err(failure)) => Err(failure.reason),
            None => Err(Reason::NoCredential),
        }
    }

    fn find_out(&self, token: &str, now: Times) -> (Result<Known, Failure>, (CacheResult, Option<LookUp>)) {
        let digest = digest_of(token);
        let seen = self.front.find(&digest, now.local);
        let remembered = seen.as_ref().map(|seen| seen.answered);
        let (known, cached) = match seen {
            Some(seen) => (seen.token.timely(now), CacheResult::Hit),
            None => self.verifier.know(token, &digest, now),
        };
        let known = match known {
            Ok(known) => known,
            Err(rejected) => return (Err(self.failure(rejected)), (cached, None)),
        };
        let mut answered = remembered.unwrap_or_default();
        let (standing, look_up) = self.revocations.standing_of(&Identifiers::of(&known), &mut answered, now.store);
        // One that is dead, too: it is refused as often as its holder likes.
        if remembered != Some(answered) {
            self.front.put(&digest, &Seen { token: known.clone(), answered }, now.local);
        }
        let refused = |known: &Known, reason| Err(Failure::new(reason, Some(Arc::clone(known.rules()))));
        let admitted = match standing {
            Standing::Good => self.users.admit(known, now.store),
            Standing::Revoked(kind) => refused(&known, self.users.revoked(known.clone(), kind, now.store)),
            Standing::Unknown => refused(&known, Reason::StoreUnavailable),
        };
        (admitted, (cached, Some(look_up)))
    }

    /// The present by this machine's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.revocations.clock().local()
    }

    /// The present by both clocks, when this machine's shows `local`.
    pub(super) fn times(&self, local: Timestamp) -> Times {
        let clock = self.revocations.clock();
        let store = clock.at(local);
        Times { store, dated_until: clock.dated_until(store), local }
    }

    fn failure(&self, rejected: Rejected) -> Failure {
        let Rejected { error, issuer, kid } = rejected;
        let is_own = issuer.as_ref().is_some_and(|rules| rules.own);
        let of_time = matches!(error, VerifyError::Expired | VerifyError::NotYetValid);
        // By this machine's clock, which may be wrong, before the store's was ever seen: nobody can tell.
        if is_own && of_time && !self.revocations.knows_time() {
            return Failure::new(Reason::StoreUnavailable, issuer);
        }
        let named = error == VerifyError::UnknownKey && kid.is_some();
        let unavailable = error == VerifyError::KeysUnavailable;
        let keys = issuer.as_ref().filter(|_| named || unavailable).and_then(|rules| self.issuers.get(&rules.issuer));
        let Some(keys) = keys else { return Failure::new(reason_of(error), issuer) };
        // It may be a key that could not be learnt: that is not the client's fault.
        let failed = keys.last_fetch_failed();
        let reason = if unavailable || failed { Reason::KeysUnavailable } else { Reason::UnknownKey };
        let wanted = Wanted::Key(WantedKey { keys: Arc::clone(keys), kid, failed });
        Failure { wanted: Some(wanted), ..Failure::new(reason, issuer) }
    }

    /// Counts what was found out.
    pub(super) fn tell(&self, identity: &Identity) {
        let Some((cached, look_up)) = identity.asked else { return };
        let metrics = &self.telemetry.metrics;
        metrics.verified_token_cache(match cached {
            CacheResult::Hit => telemetry::CacheResult::Hit,
            CacheResult::Miss => telemetry::CacheResult::Miss,
        });
        match look_up {
            Some(LookUp::Hit) => metrics.revocation_cache(telemetry::CacheResult::Hit),
            Some(LookUp::Miss) => metrics.revocation_cache(telemetry::CacheResult::Miss),
            Some(LookUp::Stale) => metrics.following.passed_stale(),
            Some(LookUp::Off) => metrics.revocation_cache(telemetry::CacheResult::Off),
            None => {}
        }
        match &identity.known {
            Some(Ok(verified)) => self.label(Some(verified.rules())).accepted(),
            Some(Err(failure)) => self.label(failure.issuer.as_deref()).refused(failure.reason.as_str()),
            None => {}
        }
    }

    fn label(&self, issuer: Option<&IssuerRules>) -> &IssuerLabel {
        let issuer = issuer.map(|rules| rules.issuer.as_str());
        let known = self.labels.iter().find(|label| Some(label.name()) == issuer);
        known.unwrap_or_else(|| self.telemetry.metrics.unknown_issuer())
    }
}

impl Identity {
    /// What is known from elsewhere; nothing is told of it.
    pub(super) fn given(known: Result<Known, Reason>) -> Self {
        Self { known: Some(known.map_err(|reason| Failure::new(reason, None))), asked: None }
    }

    pub(super) fn into_known(self) -> Option<Known> {
        self.known?.ok()
    }

    /// What might change what was found out.
    pub(super) fn wanted(&self) -> Option<&Wanted> {
        self.known.as_ref()?.as_ref().err()?.wanted.as_ref()
    }
}

impl Wanted {
    /// Asks for it; whether looking again may give another answer.
    pub(super) async fn ask(&self) -> bool {
        match self {
            Self::Key(key) => key.ask().await,
            Self::User(user) => user.ask().await,
        }
    }
}

impl WantedKey {
    /// Asks for it; whether looking again may give another answer, be it only that it could not be asked for.
    async fn ask(&self) -> bool {
        self.keys.want(self.kid.as_deref()).await || self.keys.last_fetch_failed() != self.failed
    }
}

impl Failure {
    pub(super) const fn new(reason: Reason, issuer: Option<Arc<IssuerRules>>) -> Self {
        Self { reason, issuer, wanted: None }
    }

    pub(super) fn or_ask(self, user: WantedUser) -> Self {
        Self { wanted: Some(Wanted::User(user)), ..self }
    }

    pub(super) const fn reason(&self) -> Reason {
        self.reason
    }
}

pub(super) fn reason_of(error: VerifyError) -> Reason {
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
