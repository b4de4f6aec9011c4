//! What logins cost here, as far as users were seen: the database cannot be asked for all of them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::users::StoredHash;

/// A sample of the users that were found, each with a decoy of the price of its hash.
///
/// It has those whose names come out smallest under a key of this process. So it is as mixed as all users seen, whoever logs in most
/// often counts once, it stays bounded, and one more user shifts few unknown names to another price.
#[derive(Debug, Default)]
pub(super) struct Prices {
    key: RandomState,
    sample: BTreeMap<u64, Arc<StoredHash>>,
    /// One decoy for each of the sample, by price.
    sorted: Vec<Arc<StoredHash>>,
}

impl Prices {
    /// Takes in that `subject` has a hash of this price.
    pub(super) fn learn(&mut self, subject: &str, hash: &StoredHash) {
        let place = self.key.hash_one(subject);
        let known = self.sample.get(&place);
        if known.is_some_and(|known| known.price() == hash.price()) {
            return;
        }
        let is_full = self.sample.len() >= SAMPLE;
        if known.is_none() && is_full {
            if self.sample.last_key_value().is_some_and(|(last, _)| place > *last) {
                return;
            }
            self.sample.pop_last();
        }
        self.sample.insert(place, Arc::new(hash.decoy()));
        self.sorted = self.sample.values().cloned().collect();
        self.sorted.sort_by_key(|decoy| decoy.price());
    }

    /// The decoy that `blind` draws; before anybody was seen one of the price of a new hash.
    pub(super) fn decoy(&self, blind: u64) -> Arc<StoredHash> {
        let count = u128::try_from(self.sorted.len()).unwrap_or(0);
        let place = usize::try_from((u128::from(blind) * count) >> u64::BITS).unwrap_or(0);
        Arc::new(self.sorted.get(place).map_or_else(StoredHash::default_decoy, |hash| hash.decoy()))
    }
}

/// Prices that fewer than one user in some hundreds has may be missing.
const SAMPLE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: &str =
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A";
    const BCRYPT: &str = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

    fn hash(text: &str) -> StoredHash {
        StoredHash::parse(text).unwrap()
    }

    /// How many of 100 evenly spread names cost what `text` does.
    fn share(prices: &Prices, text: &str) -> usize {
        let price = hash(text).price();
        // In the middle of each hundredth, so that no rounding moves one to its neighbour.
        (0..100).filter(|number| prices.decoy((2 * number + 1) * (u64::MAX / 200)).price() == price).count()
    }

    #[test]
    fn unknown_names_cost_what_users_do_in_proportion() {
        let mut prices = Prices::default();
        assert_eq!(share(&prices, CHEAP), 0, "nobody was seen");
        for number in 0..300 {
            prices.learn(&format!("user{number}"), &hash(if number % 4 == 0 { BCRYPT } else { CHEAP }));
        }
        assert!((24..=26).contains(&share(&prices, BCRYPT)));
        assert!((74..=76).contains(&share(&prices, CHEAP)));
    }

    #[test]
    fn whoever_logs_in_often_counts_once_and_a_new_hash_replaces_the_old_one() {
        let mut prices = Prices::default();
        prices.learn("one", &hash(BCRYPT));
        for _ in 0..1000 {
            prices.learn("other", &hash(CHEAP));
        }
        assert_eq!(share(&prices, BCRYPT), 50);
        prices.learn("one", &hash(CHEAP));
        assert_eq!(share(&prices, CHEAP), 100);
    }

    #[test]
    fn the_sample_is_bounded_and_as_mixed_as_all() {
        let mut prices = Prices::default();
        for number in 0..20_000 {
            prices.learn(&format!("user{number}"), &hash(if number % 2 == 0 { BCRYPT } else { CHEAP }));
        }
        assert_eq!(prices.sorted.len(), SAMPLE);
        // Six standard deviations of a sample of 512.
        assert!((37..=63).contains(&share(&prices, BCRYPT)), "{}", share(&prices, BCRYPT));
    }

    #[test]
    fn decoys_fit_nothing() {
        let mut prices = Prices::default();
        prices.learn("one", &hash(CHEAP));
        assert_ne!(*prices.decoy(1), hash(CHEAP));
    }
}
