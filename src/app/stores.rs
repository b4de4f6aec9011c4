//! Where users are, by the configuration.

use std::sync::Arc;

use super::build::{BuildError, Built};
use crate::config::{LoadedUsers, Settings};
use crate::users::{FileUsers, PostgresUsers, UserStore};

/// The one store there is, and what of it outlives a reload.
pub(super) struct Stores {
    /// Who may log in.
    pub(super) users: Arc<dyn UserStore>,
    /// The same, if they are in a database.
    pub(super) postgres: Option<Arc<PostgresUsers>>,
    /// The same, if they are in a file.
    pub(super) file: Option<Arc<FileUsers>>,
    /// Whose tokens of `before` must not be good any more.
    pub(super) ended: Vec<String>,
}

/// The store that `settings` name.
///
/// # Errors
/// [`BuildError::NobodyTrusted`].
pub(super) fn open(settings: &Settings, users: LoadedUsers, before: Option<&Built>) -> Result<Stores, BuildError> {
    if let Some(postgres) = postgres(settings, before)? {
        let users = Arc::<PostgresUsers>::clone(&postgres);
        return Ok(Stores { users, postgres: Some(postgres), file: None, ended: Vec::new() });
    }
    let before = before.and_then(|before| before.file.as_deref());
    let file = Arc::new(match users {
        LoadedUsers { usable: Some(users), unusable } => FileUsers::new(users).with_unusable(unusable, before),
        // Not a list at all is an accident; `[]` is how to say that nobody may log in.
        LoadedUsers { usable: None, .. } => FileUsers::missing(),
    });
    // Where no tokens are issued, nobody is read, which says nothing of anybody.
    let ended = before.filter(|_| settings.issues).map(|before| file.ended_since(before)).unwrap_or_default();
    Ok(Stores { users: Arc::<FileUsers>::clone(&file), postgres: None, file: Some(file), ended })
}

/// The one `before`, with its connections and what it has learnt, unless something about it changed.
fn postgres(settings: &Settings, before: Option<&Built>) -> Result<Option<Arc<PostgresUsers>>, BuildError> {
    let Some(wanted) = settings.postgres.as_ref().filter(|_| settings.issues) else { return Ok(None) };
    let before = before.and_then(|before| before.postgres.as_ref());
    if let Some(before) = before.filter(|before| before.settings() == wanted) {
        return Ok(Some(Arc::clone(before)));
    }
    let users = PostgresUsers::new(wanted.clone()).ok_or(BuildError::NobodyTrusted)?;
    Ok(Some(Arc::new(users)))
}
