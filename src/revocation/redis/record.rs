//! Marks as Redis has them, in the hash and on the stream alike.
//!
//! A version byte, the mark's key, and text: the end, the cut-off or `-`, and the name as a JSON list or nothing. The end and the cut-off stand
//! by themselves because the script that merges two marks reads them, and numbers in JSON lose digits in Lua.

use crate::base::Timestamp;
use crate::revocation::record::Unreadable;
use crate::revocation::{MarkKey, MarkKind, MarkName, StoredMark};

/// The parts of a mark that the script takes, after its key.
pub(super) struct Parts {
    pub(super) expires_at: i64,
    pub(super) issued_before: String,
    pub(super) name: String,
}

impl Parts {
    pub(super) fn of(mark: &StoredMark) -> Result<Self, Unreadable> {
        let issued_before = mark.issued_before.map_or_else(|| "-".to_owned(), |time| exact(time).to_string());
        let name = mark.name.as_ref().map(|name| (name.kind.as_str(), &name.issuer, &name.value));
        let name = name.map(|name| serde_json::to_string(&name)).transpose().map_err(|_| Unreadable)?;
        Ok(Self { expires_at: exact(mark.expires_at), issued_before, name: name.unwrap_or_default() })
    }
}

/// In milliseconds, and no more than numbers in Lua and scores can tell apart, which is in the year 287396.
pub(super) fn exact(time: Timestamp) -> i64 {
    const MOST: i64 = (1 << 53) - 1;
    time.millis().clamp(-MOST, MOST)
}

/// Reads a record. A name must be that of the key: a mark that stands elsewhere would refuse nothing.
pub(in crate::revocation) fn to_mark(bytes: &[u8]) -> Result<StoredMark, Unreadable> {
    let (version, rest) = bytes.split_first().ok_or(Unreadable)?;
    let (key, text) = rest.split_first_chunk::<16>().ok_or(Unreadable)?;
    let key = MarkKey::from_bytes(*key);
    let mut parts = std::str::from_utf8(text).map_err(|_| Unreadable)?.splitn(3, ' ');
    let mut part = || parts.next().ok_or(Unreadable);
    let time = |text: &str| text.parse().map(Timestamp::from_millis).map_err(|_| Unreadable);
    let (expires_at, issued_before, name) = (time(part()?)?, part()?, part()?);
    let issued_before = if issued_before == "-" { None } else { Some(time(issued_before)?) };
    let name = if name.is_empty() { None } else { to_name(name)? };
    let fits = |name: &MarkName| MarkKey::of(name.kind, &name.issuer, &name.value) == key;
    if *version != VERSION || !name.as_ref().is_none_or(fits) {
        return Err(Unreadable);
    }
    Ok(StoredMark { key, name, expires_at, issued_before })
}

/// None if the kind is one of a newer doorward: what the mark kills follows from its key.
fn to_name(json: &str) -> Result<Option<MarkName>, Unreadable> {
    let (kind, issuer, value): (String, String, String) = serde_json::from_str(json).map_err(|_| Unreadable)?;
    Ok(MarkKind::from_name(&kind).map(|kind| MarkName { kind, issuer, value }))
}

/// The script writes it.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// As the script puts the parts together.
    fn record(key: &[u8], text: &str) -> Vec<u8> {
        [&[1], key, text.as_bytes()].concat()
    }

    #[test]
    fn what_the_parts_say_is_read() {
        let name = MarkName { kind: MarkKind::Sub, issuer: "https://a b".to_owned(), value: "\u{0}\" é".to_owned() };
        let key = MarkKey::of(name.kind, &name.issuer, &name.value);
        let full = StoredMark { key, name: Some(name), expires_at: Timestamp::from_millis(5), issued_before: None };
        for mark in [
            StoredMark { issued_before: Some(Timestamp::from_millis(-7)), name: None, ..full.clone() },
            StoredMark { expires_at: Timestamp::from_millis(-1), ..full.clone() },
            full.clone(),
        ] {
            let parts = Parts::of(&mark).unwrap();
            let text = format!("{} {} {}", parts.expires_at, parts.issued_before, parts.name);
            assert_eq!(to_mark(&record(key.as_bytes(), &text)), Ok(mark));
        }
        let endless = StoredMark { expires_at: Timestamp::MAX, ..full };
        assert_eq!(Parts::of(&endless).unwrap().expires_at, 9_007_199_254_740_991);
    }

    #[test]
    fn nothing_else_is_taken_for_a_mark() {
        let name = ("jti", "https://a", "1");
        let key = MarkKey::of(MarkKind::Jti, name.1, name.2);
        let json = serde_json::to_string(&name).unwrap();
        let good = record(key.as_bytes(), &format!("5 - {json}"));
        assert!(to_mark(&good).is_ok());
        let mut newer = good.clone();
        newer[0] = 2;
        let unknown_kind = record(key.as_bytes(), "5 - [\"device\",\"https://a\",\"1\"]");
        assert_eq!(to_mark(&unknown_kind).map(|mark| mark.name), Ok(None), "it kills all the same");
        let elsewhere = record(&[1; 16], &format!("5 - {json}"));
        let cut = &good[..good.len() - 1];
        for wrong in [b"".as_slice(), &good[..1], &good[..17], &good[..20], cut, &newer, &elsewhere] {
            assert_eq!(to_mark(wrong), Err(Unreadable), "{wrong:?}");
        }
        for wrong in ["5", "5 -", "x - ", "5 x ", "5  ", "- - ", "5 - [\"jti\",\"https://a\"]", "5 - {}"] {
            assert_eq!(to_mark(&record(key.as_bytes(), wrong)), Err(Unreadable), "{wrong}");
        }
    }
}
