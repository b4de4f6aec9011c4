//! What the keys are called, and in which hash slot they are.

use crate::revocation::{Bucket, Sid};

/// The names of all keys under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// The keys of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketKeys {
    /// HASH: mark key → record.
    pub(super) marks: String,
    /// ZSET: mark key → when it is over.
    pub(super) expiry: String,
    /// ZSET, all scores 0: mark keys in their order.
    pub(super) index: String,
    /// STREAM: what was changed.
    pub(super) stream: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn bucket(&self, bucket: Bucket) -> BucketKeys {
        let key = |name| format!("{}{{m:{:02}}}:{name}", self.prefix, bucket.number());
        BucketKeys { marks: key("marks"), expiry: key("expiry"), index: key("index"), stream: key("stream") }
    }

    /// STRING: the record of a session.
    pub(super) fn family(&self, sid: Sid) -> String {
        format!("{}{{f:{sid}}}", self.prefix)
    }

    /// STRING: the latest end of all access tokens, in milliseconds.
    pub(super) fn latest_access_exp(&self) -> String {
        format!("{}{{meta}}:latest-access-exp", self.prefix)
    }

    /// What is counted of failed logins. In one slot, since one script must see all of it: that of the first bucket, at whose server the
    /// time was asked by which replicas say until when they wait. Nodes of a Cluster need not agree on it.
    pub(super) fn failures(&self, kind: &str, what: &str, of: &str) -> String {
        format!("{}{{m:00}}:failures:{kind}:{what}:{of}", self.prefix)
    }

    /// ZSET: instance → when it was last heard of, in milliseconds.
    pub(super) fn replicas(&self) -> String {
        format!("{}{{meta}}:replicas", self.prefix)
    }

    /// HASH: instance → its name, and how far it is; `since` → since when there is one.
    pub(super) fn positions(&self) -> String {
        format!("{}{{meta}}:positions", self.prefix)
    }

    /// STRING: the version of all this.
    pub(super) fn layout(&self) -> String {
        format!("{}{{meta}}:layout", self.prefix)
    }
}

/// The hash slot of a key: CRC-16/XMODEM of what stands in its first braces, or of all of it, modulo 16384.
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 },
        )
    })
}

/// How many there are.
pub(super) const SLOTS: u16 = 16384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::MarkKey;

    #[test]
    fn all_keys_of_a_bucket_are_in_one_slot_and_buckets_are_spread() {
        let keys = Keys::new("doorward:");
        let mut slots = std::collections::BTreeSet::new();
        for bucket in Bucket::all() {
            let BucketKeys { marks, expiry, index, stream } = keys.bucket(bucket);
            let of_marks = slot(&marks);
            assert!([expiry, index, stream].iter().all(|key| slot(key) == of_marks));
            slots.insert(of_marks);
        }
        assert_eq!(slots.len(), 16);
        assert_eq!(keys.bucket(Bucket::of(&MarkKey::from_bytes([0xf3; 16]))).stream, "doorward:{m:03}:stream");
        assert_eq!(keys.family(Sid::from_bytes([0; 16])), "doorward:{f:AAAAAAAAAAAAAAAAAAAAAA}");
        for key in [keys.latest_access_exp(), keys.replicas(), keys.positions()] {
            assert_eq!(slot(&key), slot(&keys.layout()), "{key}");
        }
        let clock = Bucket::all().find(|bucket| bucket.keeps_time()).unwrap();
        for (kind, what) in [("logins", "tried"), ("clients", "user-1")] {
            let key = keys.failures(kind, what, "ab");
            assert_eq!(slot(&key), slot(&keys.bucket(clock).stream), "{key} goes by the clock that is asked");
        }
    }

    /// The check value of the specification, and slots as `CLUSTER KEYSLOT` tells them.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, expected) in
            [("foo", 12182), ("{foo}bar", 12182), ("bar", 5061), ("{}foo", 9500), ("a{foo}{bar}", 12182), ("", 0)]
        {
            assert_eq!(slot(key), expected, "{key}");
        }
    }
}
