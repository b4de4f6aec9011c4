//! Where an entry stands on a stream.

use std::fmt;
use std::str::FromStr;

use crate::base::Timestamp;

/// The id of a stream's entry: milliseconds by the server's clock, and a number within them. Ids only ever grow on one stream, but
/// not across two servers: one that has lost entries may give their ids to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Since the Unix epoch.
    pub millis: u64,
    /// Among those of the same millisecond.
    pub sequence: u64,
}

/// What is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a stream's entry")]
pub struct NotAnId;

impl StreamId {
    /// Before every entry there can be: all of a stream comes after it.
    pub const ZERO: Self = Self { millis: 0, sequence: 0 };

    /// The id of these two parts.
    #[must_use]
    pub const fn new(millis: u64, sequence: u64) -> Self {
        Self { millis, sequence }
    }

    /// When it was written, by the server's clock; not earlier than the entry before it, even if that clock was set back.
    #[must_use]
    pub fn written_at(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.millis).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.millis, self.sequence)
    }
}

impl FromStr for StreamId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (millis, sequence) = text.split_once('-').ok_or(NotAnId)?;
        Ok(Self { millis: number(millis)?, sequence: number(sequence)? })
    }
}

/// Digits and nothing else: `u64`'s own reader takes a sign.
fn number(digits: &str) -> Result<u64, NotAnId> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().map_err(|_| NotAnId) } else { Err(NotAnId) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_numbers_and_have_one_spelling() {
        let ascending =
            ["0-0", "0-1", "9-0", "9-10", "10-9", "1769900000000-3", "18446744073709551615-18446744073709551615"];
        let ids: Vec<StreamId> = ascending.iter().map(|text| text.parse().unwrap()).collect();
        assert!(ids.is_sorted_by(|one, other| one < other));
        for (id, text) in ids.iter().zip(ascending) {
            assert_eq!(id.to_string(), text);
        }
        for wrong in ["", "1", "-", "1-", "-1", "+1-0", "1-+0", "1-0-0", "18446744073709551616-0", "1 -0", "$", "0x1-0"]
        {
            assert_eq!(wrong.parse::<StreamId>(), Err(NotAnId), "{wrong}");
        }
    }
}
