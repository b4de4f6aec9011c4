//! The parts that marks are spread over.

use crate::revocation::MarkKey;

/// One of the 16 parts that marks are spread over, each with a stream of its own, so that a cluster's nodes share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u8);

impl Bucket {
    /// How many there are. The store's layout depends on it.
    pub const COUNT: usize = 16;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The one that a mark is in: the low four bits of its key's first byte. Keys are hashes, so it is an even spread.
    #[must_use]
    pub const fn of(key: &MarkKey) -> Self {
        let [first, ..] = key.as_bytes();
        Self(*first & 0x0f)
    }

    /// Whether the server that has it keeps the store's time. In a Cluster each has a clock of its own: only one may count.
    #[must_use]
    pub const fn keeps_time(self) -> bool {
        self.0 == 0
    }

    /// 0 to 15.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_the_low_half_of_the_first_byte() {
        for (first, bucket) in [(0x00, 0), (0x0f, 15), (0xf0, 0), (0xff, 15), (0x37, 7)] {
            let mut bytes = [0xff; 16];
            bytes[0] = first;
            assert_eq!(Bucket::of(&MarkKey::from_bytes(bytes)).number(), bucket);
        }
        assert_eq!(Bucket::all().count(), Bucket::COUNT);
        assert_eq!(Bucket::all().filter(|bucket| bucket.keeps_time()).count(), 1, "one clock");
    }
}
