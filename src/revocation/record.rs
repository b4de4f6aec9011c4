//! Records as bytes: a version, the time until which the record is kept, and JSON.
//!
//! The time stands by itself so that a sweep need not read what it keeps. JSON, because it can be read with any tool on the
//! day a store has to be looked into; its members have short names, since there is one of each for every session.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::{Timestamp, base64url};
use crate::keys::{KeyNumber, PasswordPrint};
use crate::revocation::{Family, MarkKey, MarkKind, MarkName, StoredMark, Strangers};
use crate::tokens::ScopeSet;

/// Not a record, or of a version that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record cannot be read")]
pub(super) struct Unreadable;

pub(super) fn of_family(family: &Family) -> Result<Vec<u8>, Unreadable> {
    encode(
        FAMILY,
        family.kept_until(),
        &FamilyRecord {
            generation: family.generation,
            key_number: family.key_number.0,
            rotated_at: family.rotated_at.millis(),
            presenter: family.presenter,
            strangers: (family.strangers.here, family.strangers.before),
            subject: Cow::Borrowed(&family.subject),
            password: family.password.as_ref().map(|print| Cow::Owned(of_print(print))),
            client: family.client.as_deref().map(Cow::Borrowed),
            scope: family.scope.to_string(),
            issued_at: family.issued_at.millis(),
            expires_at: family.expires_at.millis(),
            idle_expires_at: family.idle_expires_at.millis(),
            latest_access_exp: family.latest_access_exp.millis(),
            revoked: family.revoked,
        },
    )
}

pub(super) fn to_family(bytes: &[u8]) -> Result<Family, Unreadable> {
    let record: FamilyRecord<'_> = decode(FAMILY, bytes)?;
    let (here, before) = record.strangers;
    Ok(Family {
        generation: record.generation,
        key_number: KeyNumber(record.key_number),
        rotated_at: Timestamp::from_millis(record.rotated_at),
        presenter: record.presenter,
        strangers: Strangers { here, before },
        subject: record.subject.into_owned(),
        password: record.password.as_deref().map(to_print).transpose()?,
        client: record.client.map(Cow::into_owned),
        scope: ScopeSet::parse(&record.scope).map_err(|_| Unreadable)?,
        issued_at: Timestamp::from_millis(record.issued_at),
        expires_at: Timestamp::from_millis(record.expires_at),
        idle_expires_at: Timestamp::from_millis(record.idle_expires_at),
        latest_access_exp: Timestamp::from_millis(record.latest_access_exp),
        revoked: record.revoked,
    })
}

/// Without its key, which is what it is found by.
pub(super) fn of_mark(mark: &StoredMark) -> Result<Vec<u8>, Unreadable> {
    let name = mark.name.as_ref();
    encode(
        MARK,
        mark.expires_at,
        &MarkRecord {
            kind: name.map(|name| Cow::Borrowed(name.kind.as_str())),
            issuer: name.map(|name| Cow::Borrowed(&*name.issuer)),
            value: name.map(|name| Cow::Borrowed(&*name.value)),
            expires_at: mark.expires_at.millis(),
            issued_before: mark.issued_before.map(Timestamp::millis),
        },
    )
}

/// The mark under `key`. If it has a name, that must be the key's: a mark that stands elsewhere would refuse nothing.
pub(super) fn to_mark(key: MarkKey, bytes: &[u8]) -> Result<StoredMark, Unreadable> {
    let record: MarkRecord<'_> = decode(MARK, bytes)?;
    let name = match (record.kind, record.issuer, record.value) {
        (Some(kind), Some(issuer), Some(value)) => Some(MarkName {
            kind: MarkKind::from_name(&kind).ok_or(Unreadable)?,
            issuer: issuer.into_owned(),
            value: value.into_owned(),
        }),
        (None, None, None) => None,
        _ => return Err(Unreadable),
    };
    let fits = |name: &MarkName| MarkKey::of(name.kind, &name.issuer, &name.value) == key;
    if !name.as_ref().is_none_or(fits) {
        return Err(Unreadable);
    }
    Ok(StoredMark {
        key,
        name,
        expires_at: Timestamp::from_millis(record.expires_at),
        issued_before: record.issued_before.map(Timestamp::from_millis),
    })
}

/// Until when a record is kept, without reading all of it.
pub(super) fn kept_until(bytes: &[u8]) -> Result<Timestamp, Unreadable> {
    let (time, _) = split(FAMILY, bytes)?;
    Ok(time)
}

fn encode(version: u8, kept_until: Timestamp, record: &impl Serialize) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = vec![version];
    bytes.extend(kept_until.millis().to_be_bytes());
    serde_json::to_writer(&mut bytes, record).map_err(|_| Unreadable)?;
    Ok(bytes)
}

fn decode<'a, T: Deserialize<'a>>(newest: u8, bytes: &'a [u8]) -> Result<T, Unreadable> {
    let (_, json) = split(newest, bytes)?;
    serde_json::from_slice(json).map_err(|_| Unreadable)
}

fn split(newest: u8, bytes: &[u8]) -> Result<(Timestamp, &[u8]), Unreadable> {
    let (version, rest) = bytes.split_first().ok_or(Unreadable)?;
    let (time, json) = rest.split_first_chunk::<8>().ok_or(Unreadable)?;
    let known = (1..=newest).contains(version);
    if known { Ok((Timestamp::from_millis(i64::from_be_bytes(*time)), json)) } else { Err(Unreadable) }
}

/// Key number, print of the hash, and the one that it carries, if it does.
fn of_print(print: &PasswordPrint) -> String {
    let carried = print.carried.iter().flatten();
    base64url::encode(print.key.0.iter().chain(&print.hash).chain(carried).copied().collect::<Vec<u8>>())
}

fn to_print(text: &str) -> Result<PasswordPrint, Unreadable> {
    let bytes = base64url::decode(text).map_err(|_| Unreadable)?;
    let (key, rest) = bytes.split_first_chunk().ok_or(Unreadable)?;
    let (hash, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
    let carried = if rest.is_empty() { None } else { Some(rest.try_into().map_err(|_| Unreadable)?) };
    Ok(PasswordPrint { key: KeyNumber(*key), hash: *hash, carried })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FamilyRecord<'a> {
    #[serde(rename = "g")]
    generation: u32,
    #[serde(rename = "k")]
    key_number: [u8; 4],
    #[serde(rename = "r")]
    rotated_at: i64,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    presenter: Option<IpAddr>,
    #[serde(rename = "st", default, skip_serializing_if = "is_peace")]
    strangers: (bool, bool),
    #[serde(rename = "s", borrow)]
    subject: Cow<'a, str>,
    /// Since version 2.
    #[serde(rename = "pw", borrow, default, skip_serializing_if = "Option::is_none")]
    password: Option<Cow<'a, str>>,
    #[serde(rename = "c", borrow, default, skip_serializing_if = "Option::is_none")]
    client: Option<Cow<'a, str>>,
    #[serde(rename = "sc")]
    scope: String,
    #[serde(rename = "i")]
    issued_at: i64,
    #[serde(rename = "x")]
    expires_at: i64,
    #[serde(rename = "xi")]
    idle_expires_at: i64,
    #[serde(rename = "xa")]
    latest_access_exp: i64,
    #[serde(rename = "rv", default, skip_serializing_if = "std::ops::Not::not")]
    revoked: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkRecord<'a> {
    /// With the next two: absent where nobody knows them any more.
    #[serde(rename = "k", borrow, default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    #[serde(rename = "i", borrow, default, skip_serializing_if = "Option::is_none")]
    issuer: Option<Cow<'a, str>>,
    #[serde(rename = "v", borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, str>>,
    #[serde(rename = "x")]
    expires_at: i64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    issued_before: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_peace(strangers: &(bool, bool)) -> bool {
    *strangers == (false, false)
}

/// The version of a session's record that is written; all up to it are read. A change of the members needs another.
const FAMILY: u8 = 2;

/// That of a mark's.
const MARK: u8 = 1;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::revocation::SessionLife;

    fn family() -> Family {
        let life = SessionLife {
            now: Timestamp::from_seconds(1_700_000_000),
            absolute: Duration::from_secs(100),
            idle: Duration::from_secs(10),
        };
        Family::begin(
            "alice \"\\\u{1F600}",
            None,
            ScopeSet::parse("me items:read").unwrap(),
            KeyNumber([1, 2, 3, 255]),
            life,
        )
    }

    fn mark(kind: MarkKind, issued_before: Option<Timestamp>) -> StoredMark {
        let name = MarkName { kind, issuer: "https://a".to_owned(), value: "\u{0}\"é".to_owned() };
        let key = MarkKey::of(kind, &name.issuer, &name.value);
        StoredMark { key, name: Some(name), expires_at: Timestamp::from_millis(-5), issued_before }
    }

    #[test]
    fn what_is_written_is_read() {
        let full = Family {
            presenter: Some("2001:db8::1".parse().unwrap()),
            strangers: Strangers { here: false, before: true },
            client: Some("web".to_owned()),
            password: Some(PasswordPrint { key: KeyNumber([0; 4]), hash: [1; 16], carried: Some([255; 16]) }),
            revoked: true,
            ..family().issued(Timestamp::MAX)
        };
        let print = PasswordPrint { key: KeyNumber([9; 4]), hash: [0; 16], carried: None };
        for family in [family(), family().with_password(print), full] {
            let bytes = of_family(&family).unwrap();
            assert_eq!(to_family(&bytes).as_ref(), Ok(&family));
            assert_eq!(kept_until(&bytes), Ok(family.kept_until()));
        }
        for (kind, issued_before) in MarkKind::ALL.into_iter().zip([None, None, Some(Timestamp::from_millis(1)), None])
        {
            let mark = mark(kind, issued_before);
            for mark in [StoredMark { name: None, ..mark.clone() }, mark] {
                let bytes = of_mark(&mark).unwrap();
                assert_eq!(to_mark(mark.key, &bytes).as_ref(), Ok(&mark));
                assert_eq!(kept_until(&bytes), Ok(mark.expires_at));
            }
        }
        assert!(of_family(&family()).unwrap().len() < 220, "{}", of_family(&family()).unwrap().len());
    }

    /// As the version before wrote it.
    #[test]
    fn a_session_of_before_there_were_prints_is_read() {
        let json =
            r#"{"g":3,"k":[1,2,3,255],"r":5,"s":"alice","c":"web","sc":"me","i":1,"x":9000,"xi":8000,"xa":7000}"#;
        let old = [[1].as_slice(), &8000_i64.to_be_bytes(), json.as_bytes()].concat();
        let family = to_family(&old).unwrap();
        assert_eq!((family.generation, family.password, family.subject.as_str()), (3, None, "alice"));
        assert_eq!(kept_until(&old), Ok(Timestamp::from_millis(8000)));
        let print = base64url::encode([0; 35]);
        for wrong in ["", "!", &print] {
            let json = json.replace("\"c\"", &format!("\"pw\":\"{wrong}\",\"c\""));
            let record = [[2].as_slice(), &8000_i64.to_be_bytes(), json.as_bytes()].concat();
            assert_eq!(to_family(&record), Err(Unreadable), "{wrong}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_a_record() {
        let good = of_family(&family()).unwrap();
        let mut newer = good.clone();
        newer[0] = FAMILY + 1;
        let trailing = [good.as_slice(), b"x"].concat();
        for wrong in [b"".as_slice(), b"\x01", &good[..9], &good[..good.len() - 1], &newer, &trailing] {
            assert_eq!(to_family(wrong), Err(Unreadable), "{wrong:?}");
        }
        let mark = mark(MarkKind::Jti, None);
        assert_eq!(to_mark(mark.key, &good), Err(Unreadable));
        let elsewhere = MarkKey::from_bytes([1; 16]);
        assert_eq!(to_mark(elsewhere, &of_mark(&mark).unwrap()), Err(Unreadable), "under the key of another");
        let text = String::from_utf8(of_mark(&mark).unwrap()[9..].to_vec()).unwrap();
        let half = [&of_mark(&mark).unwrap()[..9], text.replace("\"k\":\"jti\",", "").as_bytes()].concat();
        assert_eq!(to_mark(mark.key, &half), Err(Unreadable), "half a name");
    }
}
