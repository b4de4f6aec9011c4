//! What is known of users, and of the way to them, from one configuration to the next.

use std::sync::Arc;

use super::Core;
use super::build::{BuildError, Built};
use crate::config::Settings;
use crate::users::{PostgresUsers, Recheck, UserStore};

/// The one `before`, with its connections and what it has learnt, unless something about it changed.
pub(super) fn postgres(settings: &Settings, before: Option<&Built>) -> Result<Option<Arc<PostgresUsers>>, BuildError> {
    let Some(wanted) = settings.postgres.as_ref().filter(|_| settings.issues) else { return Ok(None) };
    let before = before.and_then(|before| before.postgres.as_ref());
    if let Some(before) = before.filter(|before| before.settings() == wanted) {
        return Ok(Some(Arc::clone(before)));
    }
    let users = PostgresUsers::new(wanted.clone()).ok_or(BuildError::NobodyTrusted)?;
    Ok(Some(Arc::new(users)))
}

/// The one `before`, with what it knows of users, where these are asked as before: else saving the configuration would have all who are
/// busy asked for at once.
pub(super) fn recheck(
    settings: &Settings,
    core: &Core,
    (users, postgres): (&Arc<dyn UserStore>, Option<&Arc<PostgresUsers>>),
    before: Option<&Built>,
) -> Arc<Recheck> {
    let is_same = |before: &&Built| {
        let stores = before.postgres.as_ref().zip(postgres);
        stores.is_some_and(|(old, new)| Arc::ptr_eq(old, new)) && before.grants.recheck.every() == settings.recheck
    };
    before.filter(is_same).map_or_else(
        || {
            let recheck = Recheck::new(Arc::clone(users), settings.recheck, Arc::clone(&core.clock));
            Arc::new(recheck.counting(Arc::clone(&core.telemetry)))
        },
        |before| Arc::clone(&before.grants.recheck),
    )
}
