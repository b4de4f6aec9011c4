//! A user, as a store knows it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::StoredHash;
use crate::tokens::ScopeSet;

/// One user.
#[derive(Clone, PartialEq)]
pub struct User {
    /// What becomes `sub`; compared byte for byte. In a file also the name that is typed at login.
    pub username: String,
    /// What the password is checked against.
    pub password_hash: Arc<StoredHash>,
    /// Cannot log in or refresh.
    pub disabled: bool,
    /// What may be granted.
    pub scopes: ScopeSet,
    /// Copied into tokens as `roles`, if `tokens.claims` names it.
    pub roles: Vec<String>,
    /// Copied as `email`.
    pub email: Option<String>,
    /// Copied as `name`.
    pub full_name: Option<String>,
    /// Further attributes that `tokens.claims` may name.
    pub claims: Map<String, Value>,
}

impl User {
    /// The attribute that goes into a token under `name`; `None` if the user has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "email" => self.email.as_deref().map(Value::from),
            "roles" => (!self.roles.is_empty()).then(|| self.roles.as_slice().into()),
            "full_name" | "name" => self.full_name.as_deref().map(Value::from),
            // The name that is typed, where `sub` is another one.
            "preferred_username" => {
                Some(self.claims.get(name).cloned().unwrap_or_else(|| self.username.as_str().into()))
            }
            other => self.claims.get(other).cloned(),
        }
    }
}

#[cfg(test)]
impl User {
    /// One who is enabled and has nothing else.
    pub(crate) fn plain(username: &str, hash: StoredHash, scopes: ScopeSet) -> Self {
        Self {
            username: username.to_owned(),
            password_hash: Arc::new(hash),
            disabled: false,
            scopes,
            roles: Vec::new(),
            email: None,
            full_name: None,
            claims: Map::default(),
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("User")
            .field("username", &self.username)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

/// Attributes that have their value from a member of [`User`]; among its claims they would be without effect.
pub const ATTRIBUTES: [&str; 5] = ["email", "roles", "full_name", "name", "preferred_username"];

/// Subjects of clients that act for themselves begin with it, so no user's may.
pub const CLIENT_PREFIX: &str = "client:";

/// Bytes of a name, role or address.
pub const NAME_LIMIT: usize = 256;
