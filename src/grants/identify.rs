//! Which client sends a request (RFC 6749 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::client_secret::{self, SecretHash};
use super::clients::Registered;
use super::password::settle;
use super::{Caller, GrantError, Grants};
use crate::base::{Secret, Stopwatch};
use crate::users::Verdict;

/// What a request says of its client. Libraries encode ids and secrets in three ways, and nothing says which: each reading
/// may be the right one.
#[derive(Default)]
pub struct Credentials {
    /// As it came first. Where one has no secret, none has.
    pub readings: Vec<Reading>,
}

/// An id and a secret, as one of the encodings has them.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; empty = none.
    pub secret: Secret,
}

impl Grants {
    /// Finds out who sends a request; `what` is the operation, for the audit log. While no client is registered,
    /// nobody is asked.
    ///
    /// # Errors
    /// [`GrantError::InvalidClient`] for an unknown id with a secret, a wrong secret, and a missing one alike, and as the clients' rules
    /// have it for an unknown id alone; [`GrantError::NoClient`] where these want one named;
    /// [`GrantError::Busy`] where there is no room to check it, [`GrantError::Throttled`] where too many secrets were wrong.
    pub async fn identify(
        &self,
        credentials: &Credentials,
        what: &'static str,
        from: Option<IpAddr>,
    ) -> Result<Caller, GrantError> {
        if self.clients.is_open() {
            return Ok(Caller::Anonymous);
        }
        let named = credentials.readings.iter().find_map(|reading| self.clients.entry(&reading.id));
        let with_secret = credentials.readings.iter().any(|reading| !reading.secret.is_empty());
        let caller = match named {
            _ if with_secret => {
                let entry = self.verify(&credentials.readings, from).await;
                entry.map(|entry| Caller::Confidential(Arc::clone(&entry.client)))
            }
            Some(entry) if entry.client.is_confidential() => Err(GrantError::InvalidClient),
            Some(entry) => Ok(Caller::Public(Arc::clone(&entry.client))),
            None if credentials.readings.is_empty() => self.clients.unnamed(),
            None => self.clients.unknown(),
        };
        if let Err(error) = &caller {
            self.tell_refused(what, error, named.map(|entry| entry.client.id.as_str()), from);
        }
        caller
    }

    /// Credentials that nobody can read: the client is refused as one with a wrong secret is.
    pub fn undecodable(&self, what: &'static str, from: Option<IpAddr>) -> GrantError {
        self.tell_refused(what, &GrantError::InvalidClient, None, from);
        GrantError::InvalidClient
    }

    /// What was shown before costs nothing. Of all else no more fail than logins may: guessing costs a hash each, whether the id is
    /// somebody's or not, and would take the room for logins (RFC 6749 §2.3.1).
    async fn verify(&self, readings: &[Reading], from: Option<IpAddr>) -> Result<&Arc<Registered>, GrantError> {
        if let Some(known) = self.remembered(readings) {
            return Ok(known);
        }
        let id = readings.first().map(|reading| reading.id.as_str()).unwrap_or_default();
        let attempt = self.throttle.clients.admit(id, from, &*self.clock).await?;
        // A service that has just been started asks many times at once, and one of them may have been first.
        let result = match self.remembered(readings) {
            Some(known) => Ok(known),
            None => self.hashed(readings).await,
        };
        settle(attempt, &result, from);
        result
    }

    /// The client that has shown this secret before. All are looked at, whichever it is.
    fn remembered(&self, readings: &[Reading]) -> Option<&Arc<Registered>> {
        let remembered = |reading: &Reading| {
            self.confidential(&reading.id).filter(|entry| self.clients.remembers(entry, &reading.secret))
        };
        readings.iter().map(remembered).fold(None, Option::or)
    }

    fn confidential(&self, id: &str) -> Option<&Arc<Registered>> {
        self.clients.entry(id).filter(|entry| entry.client.is_confidential())
    }

    async fn hashed(&self, readings: &[Reading]) -> Result<&Arc<Registered>, GrantError> {
        let mut fitting = None;
        for reading in readings {
            let own = self.confidential(&reading.id);
            let stand_in = || self.clients.stand_in(self.server_keys.blind(&reading.id));
            // Without a secret anywhere there is nothing to find out.
            let entry = own.or_else(stand_in).ok_or(GrantError::InvalidClient)?;
            let fits = match &entry.client.secret {
                Some(SecretHash::Sha256(digest)) => client_secret::fits(digest, &reading.secret),
                Some(SecretHash::Argon2(hash)) => {
                    let watch = Stopwatch::start();
                    let verdict = self.hasher.verify(Arc::clone(hash), reading.secret.clone()).await?;
                    self.telemetry.metrics.password_verified(watch.elapsed());
                    verdict == Verdict::Fits
                }
                None => false,
            };
            if let (true, Some(entry)) = (fits, own) {
                self.clients.note(entry, &reading.secret);
                fitting = Some(entry);
            }
        }
        fitting.ok_or(GrantError::InvalidClient)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credentials")
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reading")
    }
}
