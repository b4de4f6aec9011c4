//! Which client sends a request (RFC 6749 §2.3).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::client_secret::{self, SecretHash};
use super::clients::Registered;
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
    /// [`GrantError::Busy`] where there is no room to check it.
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
                self.verify(&credentials.readings).await.map(|entry| Caller::Confidential(Arc::clone(&entry.client)))
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

    /// A secret that does not fit costs a hash for each reading, whether the id is somebody's or not.
    async fn verify(&self, readings: &[Reading]) -> Result<&Arc<Registered>, GrantError> {
        let confidential = |id: &str| self.clients.entry(id).filter(|entry| entry.client.is_confidential());
        let remembered = |reading: &Reading| {
            confidential(&reading.id).filter(|entry| self.clients.remembers(entry, &reading.secret))
        };
        // All are looked at, whichever it is.
        if let Some(known) = readings.iter().map(remembered).fold(None, Option::or) {
            return Ok(known);
        }
        let mut fitting = None;
        for reading in readings {
            let own = confidential(&reading.id);
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
