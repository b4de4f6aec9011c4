//! Revocation marks: what of the tokens already out counts no more.

use std::cmp::max;

use aws_lc_rs::digest::{Context, SHA256};

use super::sid::first_half;
use crate::base::Timestamp;

/// What a mark names tokens by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MarkKind {
    /// One token, by its `jti` or, where it has none, by the hash of its `header.payload`.
    Jti,
    /// The access tokens of one login session, by their `sid`.
    Sid,
    /// Tokens of one subject.
    Sub,
    /// Tokens of one client, by their `client_id` or, where they have none, their `azp`.
    Client,
}

/// Where a mark is found: 16 bytes that follow from its kind, issuer and value.
///
/// Within its issuer, always: two issuers may both have a `jti` of `1` and a subject `admin`. A hash, so that a mark
/// costs the same whatever the length of a `sub`, and so that nobody can choose where it lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarkKey([u8; 16]);

/// A revocation: every token that `kind`, `issuer` and `value` match is dead, or, with `issued_before`, every such token
/// issued until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What `value` is.
    pub kind: MarkKind,
    /// The `iss` of the tokens.
    pub issuer: String,
    /// The `jti`, `sid`, `sub` or client.
    pub value: String,
    /// When the mark is needed no more: not before the last token that it can match has expired, leeway included.
    pub expires_at: Timestamp,
    /// Tokens with an `iat` up to and including this second are dead, later ones are not matched. `None`: all of them,
    /// whenever issued.
    pub issued_before: Option<Timestamp>,
}

/// A mark as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMark {
    /// Where it is found.
    pub key: MarkKey,
    /// What it names tokens by; `None` for one that was written back from a [view](super::View), which keeps no texts.
    pub name: Option<MarkName>,
    /// As [`Mark::expires_at`].
    pub expires_at: Timestamp,
    /// As [`Mark::issued_before`].
    pub issued_before: Option<Timestamp>,
}

/// What a mark names tokens by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkName {
    /// As [`Mark::kind`].
    pub kind: MarkKind,
    /// As [`Mark::issuer`].
    pub issuer: String,
    /// As [`Mark::value`].
    pub value: String,
}

impl From<Mark> for StoredMark {
    fn from(mark: Mark) -> Self {
        let key = mark.key();
        let Mark { kind, issuer, value, expires_at, issued_before } = mark;
        Self { key, name: Some(MarkName { kind, issuer, value }), expires_at, issued_before }
    }
}

impl StoredMark {
    /// This mark and `other` of the same key in one: it kills whatever one of them kills, for as long as one of them does.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        Self {
            key: self.key,
            name: self.name.or(other.name),
            expires_at: max(self.expires_at, other.expires_at),
            issued_before: later_cutoff(self.issued_before, other.issued_before),
        }
    }
}

impl MarkKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Jti, Self::Sid, Self::Sub, Self::Client];

    /// The word for metrics, the audit log and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sid => "sid",
            Self::Sub => "sub",
            Self::Client => "client",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl MarkKey {
    /// The key of a mark, and so of the tokens it matches.
    #[must_use]
    pub fn of(kind: MarkKind, issuer: &str, value: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(LABEL);
        for part in [kind.as_str(), issuer, value] {
            absorb(&mut context, part.as_bytes());
        }
        Self(first_half(context))
    }

    /// From its bytes, as a store keeps them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A number below `buckets`, evenly spread over keys; 0 if there are none.
    pub(super) fn bucket(&self, buckets: usize) -> usize {
        let [a, b, ..] = self.0;
        usize::from(u16::from_be_bytes([a, b])).checked_rem(buckets).unwrap_or(0)
    }
}

impl Mark {
    /// Where it is found.
    #[must_use]
    pub fn key(&self) -> MarkKey {
        MarkKey::of(self.kind, &self.issuer, &self.value)
    }
}

/// The cut-off that spares fewer: `None` spares nothing.
pub(super) fn later_cutoff(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(max(one?, other?))
}

/// Takes `part` up with its length before it, so that no two lists of parts look alike.
pub(super) fn absorb(context: &mut Context, part: &[u8]) {
    context.update(&part.len().to_be_bytes());
    context.update(part);
}

const LABEL: &[u8] = b"doorward mark";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_from_all_three_parts_and_from_where_one_ends() {
        let cases = [
            (MarkKind::Jti, "https://a", "1"),
            (MarkKind::Sid, "https://a", "1"),
            (MarkKind::Sub, "https://a", "1"),
            (MarkKind::Jti, "https://b", "1"),
            (MarkKind::Jti, "https://a", "2"),
            (MarkKind::Jti, "https://a1", ""),
            (MarkKind::Jti, "", "https://a1"),
        ];
        for (index, (kind, issuer, value)) in cases.iter().enumerate() {
            let key = MarkKey::of(*kind, issuer, value);
            assert_eq!(key, MarkKey::of(*kind, issuer, value));
            for (kind, issuer, value) in &cases[index + 1..] {
                assert_ne!(key, MarkKey::of(*kind, issuer, value), "{kind:?} {issuer} {value}");
            }
        }
    }

    #[test]
    fn merging_never_spares_a_token() {
        let at = Timestamp::from_seconds;
        let name = MarkName { kind: MarkKind::Sub, issuer: "https://a".to_owned(), value: "alice".to_owned() };
        let key = MarkKey::of(name.kind, &name.issuer, &name.value);
        let mark = |expires: i64, cutoff: Option<i64>| StoredMark {
            key,
            name: Some(name.clone()),
            expires_at: at(expires),
            issued_before: cutoff.map(at),
        };
        for (one, other, both) in [
            (mark(10, Some(1)), mark(20, Some(2)), mark(20, Some(2))),
            (mark(20, Some(1)), mark(10, Some(2)), mark(20, Some(2))),
            (mark(10, Some(5)), mark(20, None), mark(20, None)),
            (mark(10, None), mark(5, None), mark(10, None)),
        ] {
            assert_eq!(one.clone().merged(other.clone()), both);
            assert_eq!(other.clone().merged(one.clone()), both);
            let nameless = StoredMark { name: None, ..one };
            assert_eq!(nameless.clone().merged(other.clone()), both, "a name is kept");
            assert_eq!(other.merged(nameless), both, "a name is kept");
        }
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in MarkKind::ALL {
            assert_eq!(MarkKind::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(MarkKind::from_name("JTI"), None);
    }
}
