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

    fn reading(usable: &[(&str, &str, bool)], unusable: &[&str], before: Option<&FileUsers>) -> FileUsers {
        let one = |&(name, hash, disabled): &(&str, &str, bool)| User {
            username: name.to_owned(),
            disabled,
            ..user(0, hash)
        };
        let names = unusable.iter().map(|&name| name.to_owned()).collect();
        FileUsers::new(usable.iter().map(one).collect()).with_unusable(names, before)
    }

    #[test]
    fn tokens_end_with_what_their_user_was() {
        let in_file = reading(&[("a", BCRYPT, false)], &[], None);
        let disabled = reading(&[("a", BCRYPT, true)], &[], None);
        let broken = reading(&[], &["a"], Some(&in_file));
        let still_broken = reading(&[], &["a"], Some(&broken));
        let nobody = reading(&[], &[], None);
        for (name, before, now, ends) in [
            ("the same", &in_file, &in_file, false),
            ("new", &nobody, &in_file, false),
            ("gone", &in_file, &nobody, true),
            ("disabled", &in_file, &disabled, true),
            // As it may have been when doorward was not there to see it.
            ("enabled", &disabled, &in_file, true),
            ("another hash", &in_file, &reading(&[("a", ARGON2, false)], &[], None), true),
            ("a slip of the pen", &in_file, &broken, false),
            ("mended", &still_broken, &in_file, false),
            ("mended with another hash", &still_broken, &reading(&[("a", ARGON2, false)], &[], None), true),
            ("mended and disabled", &broken, &disabled, true),
            ("broken, then gone", &still_broken, &nobody, true),
            ("broken from the start", &reading(&[], &["a"], None), &in_file, false),
        ] {
            let ended = now.ended_since(before);
            assert_eq!(ended, if ends { vec!["a".to_owned()] } else { Vec::new() }, "{name}");
        }
    }

    #[tokio::test]
    async fn whoever_is_at_work_with_an_old_reading_goes_by_the_newest() {
        let old = reading(&[("a", BCRYPT, false)], &[], None);
        let found = old.find("a").await.unwrap().unwrap();
        for (next, still, known, unusable) in [
            (reading(&[("a", BCRYPT, false), ("b", BCRYPT, false)], &[], None), true, true, false),
            (reading(&[("a", ARGON2, false)], &[], None), false, true, false),
            (reading(&[("a", BCRYPT, true)], &[], None), false, true, false),
            (reading(&[], &["a"], None), false, false, true),
            (FileUsers::new(Vec::new()), false, false, false),
        ] {
            let (old, middle) = (reading(&[("a", BCRYPT, false)], &[], None), Arc::new(reading(&[], &[], None)));
            assert!(old.still_has(&found));
            old.succeeded_by(Arc::clone(&middle));
            assert!(!old.still_has(&found));
            middle.succeeded_by(Arc::new(next));
            assert_eq!((old.still_has(&found), old.find("a").await.unwrap().is_some()), (still, known));
            assert_eq!((old.in_memory("a") == InMemory::Gone, old.is_unusable("a")), (!known, unusable));
        }
    }
}
