//! Users from a file, all in memory.

use std::collections::HashMap;
use std::sync::Arc;

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
}

impl FileUsers {
    /// From users whose hashes were checked.
    #[must_use]
    pub fn new(users: Vec<User>) -> Self {
        let mut prices: Vec<_> = users.iter().map(|user| Arc::clone(&user.password_hash)).collect();
        prices.sort_by_key(|hash| hash.price());
        let users = users.into_iter().map(|user| (user.username.clone(), Arc::new(user))).collect();
        Self { users, prices, missing: false }
    }

    /// For where there is no list of users, not even an empty one. Nobody logs in, and nobody's sessions and tokens end by it.
    #[must_use]
    pub fn missing() -> Self {
        Self { missing: true, ..Self::new(Vec::new()) }
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
        if self.missing {
            return Err(UserStoreError("there is no list of users".to_owned()));
        }
        Ok(self.users.get(username).cloned())
    }

    fn in_memory(&self, username: &str) -> InMemory<'_> {
        match self.users.get(username) {
            Some(user) => InMemory::User(user),
            None if self.missing => InMemory::Unknown,
            None => InMemory::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::Secret;
    use crate::keys::ServerKeys;
    use crate::tokens::ScopeSet;

    const ARGON2: &str =
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A";
    const PBKDF2: &str = "$pbkdf2-sha256$10$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub.b7dWRWJTmaaJObG4nXfKkK6Z0A";
    const BCRYPT: &str = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

    fn user(number: usize, hash: &str) -> User {
        User {
            username: format!("user{number}"),
            password_hash: Arc::new(StoredHash::parse(hash).unwrap()),
            disabled: false,
            scopes: ScopeSet::default(),
            roles: Vec::new(),
            email: None,
            full_name: None,
            claims: serde_json::Map::default(),
        }
    }

    fn users(hashes: &[&str]) -> FileUsers {
        FileUsers::new(hashes.iter().enumerate().map(|(number, hash)| user(number, hash)).collect())
    }

    fn functions(users: &FileUsers) -> Vec<String> {
        let keys = ServerKeys::new([&Secret::new([7; 32])]).unwrap();
        let function = |name: usize| format!("{:?}", users.decoy(keys.blind(&format!("nobody{name}"))));
        (0..4000).map(function).collect()
    }

    #[test]
    fn unknown_names_cost_what_known_ones_do_as_often() {
        let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
        // Not in the order of their prices.
        for function in functions(&users(&[BCRYPT, ARGON2, PBKDF2, ARGON2])) {
            *drawn.entry(function).or_default() += 1;
        }
        let shares: Vec<u32> = drawn.values().map(|count| (count + 100) / 200).collect();
        assert_eq!(shares, [10, 5, 5], "{drawn:?}");
    }

    #[test]
    fn a_name_keeps_its_price_when_users_come_and_go() {
        let hashes = [ARGON2, BCRYPT, PBKDF2].repeat(20);
        let before = functions(&users(&hashes));
        assert_eq!(before, functions(&users(&hashes.iter().rev().copied().collect::<Vec<_>>())), "another order");
        for more in [ARGON2, BCRYPT, PBKDF2] {
            let after = functions(&users(&[hashes.as_slice(), &[more]].concat()));
            let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
            assert!(moved <= 4000 / 30, "{moved} of 4000");
        }
    }

    #[tokio::test]
    async fn nobody_fits_and_everybody_is_found() {
        let users = users(&[BCRYPT]);
        let unknown = users.candidate("nobody", 1).await.unwrap();
        let known = users.candidate("user0", 1).await.unwrap();
        assert!(unknown.user.is_none() && known.user.is_some());
        assert!(unknown.hash.price() == known.hash.price() && unknown.hash != known.hash);
        assert!(matches!(users.in_memory("user0"), InMemory::User(_)) && users.in_memory("nobody") == InMemory::Gone);
        // An accident says nothing about anybody.
        let missing = FileUsers::missing();
        assert!(missing.find("user0").await.is_err() && missing.in_memory("user0") == InMemory::Unknown);
        let empty = FileUsers::new(Vec::new()).candidate("nobody", u64::MAX).await.unwrap();
        assert!(empty.hash.price() == StoredHash::default_decoy().price());
    }
}
