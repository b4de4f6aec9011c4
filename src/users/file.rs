//! Users from a file, all in memory.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Candidate, User, UserStore, UserStoreError, password};

/// The users of one reading of `users.file`. A changed file makes a new one of these.
#[derive(Debug)]
pub struct FileUsers {
    users: HashMap<String, Arc<User>>,
    /// One for every user, so that an unknown name draws from the costs in use as they are spread.
    decoys: Vec<Arc<str>>,
}

impl FileUsers {
    /// From users whose hashes were checked.
    #[must_use]
    pub fn new(users: Vec<User>) -> Self {
        let mut decoys: Vec<Arc<str>> =
            users.iter().filter_map(|user| password::decoy_like(&user.password_hash)).collect();
        if decoys.is_empty() {
            decoys.push(password::default_decoy());
        }
        let users = users.into_iter().map(|user| (user.username.clone(), Arc::new(user))).collect();
        Self { users, decoys }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody can log in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn decoy(&self, blind: u64) -> Arc<str> {
        let count = u64::try_from(self.decoys.len()).unwrap_or(u64::MAX).max(1);
        let index = usize::try_from(blind % count).unwrap_or(0);
        self.decoys.get(index).cloned().unwrap_or_else(password::default_decoy)
    }
}

#[async_trait]
impl UserStore for FileUsers {
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError> {
        // Drawn for known names too, so that both ways do the same work.
        let decoy = self.decoy(blind);
        let user = self.users.get(username).cloned();
        let hash = user.as_ref().map_or(decoy, |user| user.password_hash.as_str().into());
        Ok(Candidate { user, hash })
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        Ok(self.users.get(username).cloned())
    }
}
