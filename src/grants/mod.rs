//! Logging in, refreshing, revoking: the rules, without the wire.

pub mod client;
pub mod client_credentials;
pub mod client_secret;
pub mod clients;
pub mod error;
pub mod identify;
pub mod introspect;
pub mod mint;
pub mod order;
pub mod orders;
pub mod password;
mod passwords;
pub mod refresh;
pub mod revoke;
pub mod settings;
pub mod token_ends;

use std::net::IpAddr;
use std::sync::Arc;

pub use client::{Caller, Client, GrantKind};
pub use client_secret::SecretHash;
pub use clients::{ClientRules, Clients};
pub use error::GrantError;
pub use identify::{Credentials, Reading};
pub use introspect::{LiveSession, Owner};
pub use mint::Minted;
pub use order::{Order, OrderError, OrderKind, Ordered};
pub use password::Login;
pub use settings::{ScopeClaim, Settings};
pub use token_ends::TokenEnds;

use crate::base::Clock;
use crate::issuers::Issuers;
use crate::keys::ServerKeys;
use crate::revocation::transfer::Origin;
use crate::revocation::{Revocations, StoreError};
use crate::telemetry::{Audit, Telemetry};
use crate::tokens::{Issuer, Verifier};
use crate::users::{Hasher, Recheck, Throttles, UserStore};

/// The grants doorward offers, over one configuration.
#[derive(Debug)]
pub struct Grants {
    /// How tokens are issued.
    pub settings: Settings,
    /// Writes access tokens; `None` = nothing is granted here, and only revocation is left.
    pub issuer: Option<Issuer>,
    /// Tags refresh tokens.
    pub server_keys: Arc<ServerKeys>,
    /// Reads access tokens that are to be revoked.
    pub verifier: Arc<Verifier>,
    /// Whose tokens they may be beside our own.
    pub issuers: Arc<Issuers>,
    /// Through which clients.
    pub clients: Clients,
    /// Who may log in.
    pub users: Arc<dyn UserStore>,
    /// How they stand, for the gate.
    pub recheck: Arc<Recheck>,
    /// Checks passwords.
    pub hasher: Arc<Hasher>,
    /// Counts those that failed.
    pub throttle: Throttles,
    /// Sessions and marks.
    pub revocations: Arc<Revocations>,
    /// The store's time, which all instances share.
    pub clock: Arc<dyn Clock>,
    /// Where it is told.
    pub telemetry: Arc<Telemetry>,
}

impl Grants {
    /// What the tokens of its sessions follow from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let Some(issuer) = &self.issuer else { return Origin::default() };
        Origin {
            issuer: self.settings.issuer.clone(),
            server_keys: self.server_keys.fingerprints().collect(),
            signing_keys: issuer.keys().verifying().map(|key| key.kid().to_owned()).collect(),
        }
    }

    /// Tells that a grant was refused; `client` as it is configured. No user's name is told: people type their password into the wrong field.
    fn tell_refused(&self, operation: &'static str, error: &GrantError, client: Option<&str>, address: Option<IpAddr>) {
        self.audit_refused(operation, error.reason(), client, address);
        // Where it is nobody's fault outside, the client learns no more than that it should come again.
        match error {
            // It answers, and does what it was told.
            GrantError::Store(StoreError::Sealed) => tracing::warn!(operation, %error, "a grant was refused"),
            GrantError::Store(_) | GrantError::TimeUnknown => {
                self.telemetry.metrics.store_error(operation);
                self.telemetry.metrics.set_store_up(false);
                tracing::error!(operation, %error, "the store of sessions does not answer");
            }
            GrantError::Throttled(_) => self.telemetry.metrics.login_throttled(),
            GrantError::Users(_) => {
                self.telemetry.metrics.store_error("users");
                tracing::error!(operation, %error, "a grant failed");
            }
            GrantError::Signing(_) | GrantError::RevokedAhead => tracing::error!(operation, %error, "a grant failed"),
            _ => {}
        }
    }

    /// The record of what was refused for `reason`; `client` as it is configured.
    pub fn audit_refused(
        &self,
        what: &'static str,
        reason: &'static str,
        client: Option<&str>,
        address: Option<IpAddr>,
    ) {
        let refused =
            Audit::Refused { what, reason, subject: None, issuer: None, client, route: None, id: None, address };
        self.telemetry.audit(self.clock.now(), &refused);
    }

    /// Nothing is issued that the audit log could not tell of, or with a date that may be wrong.
    fn ask_to_issue(&self) -> Result<(), GrantError> {
        if self.telemetry.has_room() { self.ask_for_time() } else { Err(GrantError::Unlogged) }
    }

    /// Nor is anything revoked by a time that may be wrong: a token could pass for one that is over.
    fn ask_for_time(&self) -> Result<(), GrantError> {
        if self.revocations.knows_time() { Ok(()) } else { Err(GrantError::TimeUnknown) }
    }

    /// Tells that the store answered.
    fn tell_store_up(&self) {
        self.telemetry.metrics.set_store_up(true);
    }
}
