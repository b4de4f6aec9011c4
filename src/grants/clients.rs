//! The clients there are: in whose name a caller acts, and whose tokens are whose.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac};
use parking_lot::Mutex;

use super::{Caller, Client, GrantError, GrantKind};
use crate::base::{Secret, entropy};

/// The clients of one configuration. What is remembered of their secrets ends with it.
#[derive(Debug)]
pub struct Clients {
    registered: HashMap<String, Arc<Registered>>,
    /// Those with a secret.
    confidential: Vec<Arc<Registered>>,
    default: Option<Arc<Client>>,
    rules: ClientRules,
    key: hmac::Key,
}

/// What holds for requests that name no client, or none that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRules {
    /// Whether the first public client is the default one where none says that it is.
    pub first_public_is_default: bool,
    /// Whether an id that nobody has, without a secret, counts as none. Some libraries name a client whatever they were told:
    /// Authlib's is called `None`.
    pub unknown_is_unnamed: bool,
    /// Whether the token of a public client, refreshed or revoked, says for itself whose it is. Else who names no client is the default
    /// one there, too.
    pub tokens_name_client: bool,
    /// What the one public client may use that there is while none is registered.
    pub implied: Vec<GrantKind>,
}

#[cfg(test)]
impl ClientRules {
    /// As they are where nothing is configured.
    pub(crate) fn compat() -> Self {
        Self {
            first_public_is_default: true,
            unknown_is_unnamed: true,
            tokens_name_client: true,
            implied: vec![GrantKind::Password, GrantKind::RefreshToken],
        }
    }
}

/// A client, and the tag of the secret it has shown last.
pub(super) struct Registered {
    pub(super) client: Arc<Client>,
    shown: Mutex<Option<hmac::Tag>>,
}

impl Clients {
    /// Registers them. With none, there is the one public client of the tutorials, and credentials of clients are not looked at.
    #[must_use]
    pub fn new(clients: Vec<Client>, rules: ClientRules) -> Self {
        let clients: Vec<Arc<Client>> = clients.into_iter().map(Arc::new).collect();
        let default = clients.iter().find(|client| client.default);
        // A list of confidential clients must not leave the password grant open to everybody.
        let first_public = || clients.iter().find(|client| rules.first_public_is_default && !client.is_confidential());
        let default = default.or_else(first_public).cloned();
        let default = if clients.is_empty() { Some(Arc::new(implied_client(&rules))) } else { default };
        let register =
            |client: &Arc<Client>| Arc::new(Registered { client: Arc::clone(client), shown: Mutex::new(None) });
        let entries: Vec<_> = clients.iter().map(register).collect();
        Self {
            confidential: entries.iter().filter(|entry| entry.client.is_confidential()).cloned().collect(),
            registered: entries.into_iter().map(|entry| (entry.client.id.clone(), entry)).collect(),
            default,
            rules,
            key: hmac::Key::new(hmac::HMAC_SHA256, &entropy::random::<32>()),
        }
    }

    /// Whether none is registered: credentials of clients are not looked at, as FastAPI does not.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.registered.is_empty()
    }

    /// Whether some client may use this grant; if not, it is switched off.
    #[must_use]
    pub fn offer(&self, grant: GrantKind) -> bool {
        let mut clients = self.registered.values().map(|entry| &entry.client).chain(&self.default);
        clients.any(|client| client.may(grant))
    }

    /// The ids of the registered clients that may get tokens of their own.
    pub fn acting_for_themselves(&self) -> impl Iterator<Item = &str> {
        let clients = self.registered.values().map(|entry| &entry.client);
        clients.filter(|client| client.may(GrantKind::ClientCredentials)).map(|client| client.id.as_str())
    }

    /// Whether some client has a secret to show.
    #[must_use]
    pub fn have_secrets(&self) -> bool {
        !self.confidential.is_empty()
    }

    /// Whether there is a client without a secret.
    #[must_use]
    pub fn have_public(&self) -> bool {
        self.is_open() || self.registered.len() > self.confidential.len()
    }

    /// In whose name the caller asks for a token.
    ///
    /// # Errors
    /// [`GrantError::NoClient`] where it names none and none is the default; [`GrantError::UnauthorizedClient`] where the client may
    /// not use this grant.
    pub(super) fn acting(&self, caller: &Caller, grant: GrantKind) -> Result<&Arc<Client>, GrantError> {
        let client = match caller {
            Caller::Anonymous => self.default.as_ref().ok_or(GrantError::NoClient)?,
            Caller::Public(client) | Caller::Confidential(client) => {
                self.find(&client.id).ok_or(GrantError::NoClient)?
            }
        };
        if client.may(grant) { Ok(client) } else { Err(GrantError::UnauthorizedClient) }
    }

    /// Who it is that names no client.
    ///
    /// # Errors
    /// [`GrantError::NoClient`] where somebody must be named.
    pub(super) fn unnamed(&self) -> Result<Caller, GrantError> {
        if self.rules.tokens_name_client {
            return Ok(Caller::Anonymous);
        }
        self.default.clone().map(Caller::Public).ok_or(GrantError::NoClient)
    }

    /// Who it is that names a client that nobody is, and shows no secret.
    ///
    /// # Errors
    /// [`GrantError::InvalidClient`].
    pub(super) fn unknown(&self) -> Result<Caller, GrantError> {
        if self.rules.unknown_is_unnamed { self.unnamed() } else { Err(GrantError::InvalidClient) }
    }

    /// Whether a client is named, or is the default.
    ///
    /// # Errors
    /// [`GrantError::NoClient`].
    pub(super) fn ask_for_client(&self, caller: &Caller) -> Result<(), GrantError> {
        match (caller, &self.default) {
            (Caller::Anonymous, None) => Err(GrantError::NoClient),
            _ => Ok(()),
        }
    }

    /// The client whose session it is, if the caller may refresh it (RFC 6749 §6). Who names no client is the session's: a library
    /// that refreshes sends neither id nor secret unless it is told to. Not where that one has a secret.
    ///
    /// # Errors
    /// [`GrantError::InvalidRefreshToken`] for another's session, or one of a client that is no longer there.
    pub(super) fn refreshing(&self, caller: &Caller, owner: Option<&str>) -> Result<&Arc<Client>, GrantError> {
        let owner = owner.and_then(|owner| self.find(owner)).ok_or(GrantError::InvalidRefreshToken)?;
        match caller.id() {
            None if owner.is_confidential() => Err(GrantError::InvalidClient),
            Some(id) if *id != *owner.id => Err(GrantError::InvalidRefreshToken),
            _ if !owner.may(GrantKind::RefreshToken) => Err(GrantError::UnauthorizedClient),
            _ => Ok(owner),
        }
    }

    /// Whether the caller may revoke what was issued to `owner` (RFC 7009 §2.1). What was issued to public clients, or to those that
    /// are no longer there, is whoever's who has it.
    ///
    /// # Errors
    /// [`GrantError::InvalidClient`] where only a secret would do; [`GrantError::ForeignToken`] where another client's was shown.
    pub(super) fn ask_to_revoke(&self, caller: &Caller, owner: Option<&str>) -> Result<(), GrantError> {
        let is_confidential = owner.and_then(|owner| self.find(owner)).is_some_and(|owner| owner.is_confidential());
        match caller {
            Caller::Confidential(client) if owner == Some(&client.id) => Ok(()),
            Caller::Confidential(_) => Err(GrantError::ForeignToken),
            Caller::Anonymous | Caller::Public(_) if is_confidential => Err(GrantError::InvalidClient),
            Caller::Anonymous | Caller::Public(_) => Ok(()),
        }
    }

    pub(super) fn entry(&self, id: &str) -> Option<&Arc<Registered>> {
        self.registered.get(id)
    }

    /// A client with a secret whose check is to cost what that of nobody's costs; always the same one for the same `blind`.
    pub(super) fn stand_in(&self, blind: u64) -> Option<&Arc<Registered>> {
        let count = u64::try_from(self.confidential.len()).unwrap_or(u64::MAX).max(1);
        self.confidential.get(usize::try_from(blind % count).unwrap_or(0))
    }

    /// Whether the client has shown this secret before.
    pub(super) fn remembers(&self, entry: &Registered, secret: &Secret) -> bool {
        let shown = *entry.shown.lock();
        let tag = hmac::sign(&self.key, secret.expose());
        shown.is_some_and(|shown| constant_time::verify_slices_are_equal(shown.as_ref(), tag.as_ref()).is_ok())
    }

    /// Keeps a tag of a secret that fits. A service asks for a token again and again, and a hash costs what a login costs.
    pub(super) fn note(&self, entry: &Registered, secret: &Secret) {
        *entry.shown.lock() = Some(hmac::sign(&self.key, secret.expose()));
    }

    fn find(&self, id: &str) -> Option<&Arc<Client>> {
        let registered = self.registered.get(id).map(|entry| &entry.client);
        registered.or_else(|| self.default.as_ref().filter(|default| default.id == id))
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(out)
    }
}

/// The one client while none is registered.
fn implied_client(rules: &ClientRules) -> Client {
    Client { id: PUBLIC_CLIENT.to_owned(), secret: None, grants: rules.implied.clone(), scopes: None, default: true }
}

/// The client of every token while no client is registered: the one public client of the tutorials.
pub const PUBLIC_CLIENT: &str = "public";

#[cfg(test)]
mod tests;
