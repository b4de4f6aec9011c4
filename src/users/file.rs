//! Users from a file, all in memory.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use super::{Candidate, InMemory, StoredHash, User, UserStore, UserStoreError};

/// The users of one reading of `users.file`. A changed file makes a new one of these.
#[derive(Debug)]
pub struct FileUsers {
    users: HashMap<String, Arc<User>>,
    /// All of their hashes by price, so that an unknown name draws from the prices in use as they are spread.
    prices: Vec<Arc<StoredHash>>,
    /// There was no list of users at all: an empty disk, not a decision.
    missing: bool,
    /// Those whose hash nobody can check, with what was known of them when it could be.
    unusable: HashMap<String, Option<Arc<User>>>,
    /// The next reading. What is still at work with this one must not go by what is no longer true.
    next: OnceLock<Arc<Self>>,
}

impl FileUsers {
    /// From users whose hashes were checked.
    #[must_use]
    pub fn new(users: Vec<User>) -> Self {
        let mut prices: Vec<_> = users.iter().map(|user| Arc::clone(&user.password_hash)).collect();
        prices.sort_by_key(|hash| hash.price());
        let users = users.into_iter().map(|user| (user.username.clone(), Arc::new(user))).collect();
        Self { users, prices, missing: false, unusable: HashMap::new(), next: OnceLock::new() }
    }

    /// For where there is no list of users, not even an empty one. Nobody logs in, and nobody's sessions and tokens end by it.
    #[must_use]
    pub fn missing() -> Self {
        Self { missing: true, ..Self::new(Vec::new()) }
    }

    /// The same with these users, who have a hash that nobody can check; `before` is the reading before.
    #[must_use]
    pub fn with_unusable(self, names: Vec<String>, before: Option<&Self>) -> Self {
        let known = |name: &str| {
            let before = before?;
            before.users.get(name).or_else(|| before.unusable.get(name)?.as_ref()).cloned()
        };
        let unusable = names.into_iter().map(|name| (known(&name), name)).map(|(user, name)| (name, user)).collect();
        Self { unusable, ..self }
    }

    /// Whose tokens of before this reading must not be good any more, nor ever again: of those who have another hash than in the one
    /// `before`, are disabled or gone, or are enabled again.
    ///
    /// Not those whose hash cannot be checked: a slip of the pen, after which they go on as before unless it is another hash.
    #[must_use]
    pub fn ended_since(&self, before: &Self) -> Vec<String> {
        let unusable = before.unusable.iter().filter_map(|(name, user)| Some((name, user.as_ref()?)));
        let changed = |(name, old): &(&String, &Arc<User>)| match self.users.get(*name) {
            Some(new) => new.password_hash != old.password_hash || new.disabled != old.disabled,
            None => !self.unusable.contains_key(*name),
        };
        before.users.iter().chain(unusable).filter(changed).map(|(name, _)| name.clone()).collect()
    }

    /// From now on whoever asks this reading is answered by `next`.
    pub fn succeeded_by(&self, next: Arc<Self>) {
        // The reading that is succeeded is the newest: there is none before this.
        let _first = self.next.set(next);
    }

    /// The last reading there is.
    fn newest(&self) -> &Self {
        let mut newest = self;
        while let Some(next) = newest.next.get() {
            newest = next;
        }
        newest
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

    /// The place in the list is a share of its length, not a remainder: one more user shifts few names to another price. If it shifted
    /// many, those whose time changes with the file would be known to be nobody's.
    fn decoy(&self, blind: u64) -> StoredHash {
        let count = u128::try_from(self.prices.len()).unwrap_or(0);
        let place = usize::try_from((u128::from(blind) * count) >> u64::BITS).unwrap_or(0);
        self.prices.get(place).map_or_else(StoredHash::default_decoy, |hash| hash.decoy())
    }
}

#[async_trait]
impl UserStore for FileUsers {
    async fn candidate(&self, username: &str, blind: u64) -> Result<Candidate, UserStoreError> {
        // Drawn for known names too, so that both ways do the same work.
        let decoy = self.decoy(blind);
        let user = self.users.get(username).cloned();
        let hash = user.as_ref().map_or_else(|| Arc::new(decoy), |user| Arc::clone(&user.password_hash));
        Ok(Candidate { user, hash })
    }

    async fn find(&self, username: &str) -> Result<Option<Arc<User>>, UserStoreError> {
        let now = self.newest();
        if now.missing {
            return Err(UserStoreError("there is no list of users".to_owned()));
        }
        Ok(now.users.get(username).cloned())
    }

    fn in_memory(&self, username: &str) -> InMemory<'_> {
        let now = self.newest();
        match now.users.get(username) {
            Some(user) => InMemory::User(user),
            None if now.missing => InMemory::Unknown,
            None => InMemory::Gone,
        }
    }

    fn is_unusable(&self, username: &str) -> bool {
        self.newest().unusable.contains_key(username)
    }

    fn still_has(&self, user: &User) -> bool {
        let found = self.newest().users.get(&user.username);
        found.is_some_and(|found| !found.disabled && found.password_hash == user.password_hash)
    }
}

#[cfg(test)]
mod tests;
