//! A document as it is written: values by `serde_yaml`, each with its place.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value as Json};

use super::code::Code;
use super::positions::{Children, Finding, Spot, locate};
use super::problem::Position;

/// A value and where it stands. No `Debug`: it may hold secrets.
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

/// What is written.
pub(super) enum Value {
    Null,
    Flag(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order written. A key that stands twice is here twice.
    Map(Vec<Entry>),
}

/// A key with its value.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) value: Node,
}

/// Reads a document; one that holds nothing is an empty mapping.
///
/// What is wrong is returned beside what could be read, so that the rest can be looked at in the same run.
pub(super) fn parse(bytes: &[u8]) -> (Option<Node>, Vec<Finding>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return (None, vec![not_utf8(bytes, error.valid_up_to())]),
    };
    let (spot, mut findings) = locate(text);
    let empty = || Node { at: Position::START, value: Value::Map(Vec::new()) };
    let Some(spot) = spot else { return (findings.is_empty().then(empty), findings) };
    if findings.iter().any(|finding| finding.code == Code::Tag) {
        return (None, findings);
    }
    match serde_yaml::from_str::<Raw>(text) {
        // `---` and nothing, or `~`.
        Ok(Raw::Null) => (Some(empty()), findings),
        Ok(raw) => {
            let node = place(raw, spot.at, Some(&spot), &mut findings);
            (Some(node), findings)
        }
        Err(error) => {
            // Not the error's own text: that can quote the document.
            let at = error.location().map_or(spot.at, |place| Position { line: place.line(), column: place.column() });
            findings.push(Finding::not_yaml(at, "this is not YAML"));
            (None, findings)
        }
    }
}

/// What is written, without its places. What JSON has no number for is `null`.
pub(super) fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Flag(flag) => Json::Bool(*flag),
        Value::Integer(number) => Number::from_i128(*number).map_or(Json::Null, Json::Number),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect(),
    }
}

fn not_utf8(bytes: &[u8], valid: usize) -> Finding {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let line = before.split('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Finding {
        at: Position { line, column },
        code: Code::NotUtf8,
        message: "this byte is not UTF-8".to_owned(),
        help: "save the file as UTF-8",
    }
}

/// Brings values and places together. Where the two parsers see different things, the place is that of the parent.
fn place(raw: Raw, at: Position, spot: Option<&Spot>, findings: &mut Vec<Finding>) -> Node {
    let value = match raw {
        Raw::Null => Value::Null,
        Raw::Flag(flag) => Value::Flag(flag),
        Raw::Integer(number) => Value::Integer(number),
        Raw::Float(number) => Value::Float(number),
        Raw::Text(text) => Value::Text(text),
        Raw::List(items) => {
            let spots: &[Spot] = match spot.map(|spot| spot.children.as_ref()) {
                Some(Children::List(spots)) => spots,
                _ => &[],
            };
            let node = |(index, item): (usize, Raw)| {
                let spot = spots.get(index);
                place(item, spot.map_or(at, |spot| spot.at), spot, findings)
            };
            Value::List(items.into_iter().enumerate().map(node).collect())
        }
        Raw::Map(entries) => {
            let spots = match spot.map(|spot| spot.children.as_ref()) {
                Some(Children::Map(spots)) => spots.as_slice(),
                _ => &[],
            };
            let mut placed = Vec::with_capacity(entries.len());
            for (index, (key, value)) in entries.into_iter().enumerate() {
                let (key_at, spot) = spots.get(index).map_or((at, None), |(key_at, spot)| (*key_at, Some(spot)));
                let value = place(value, spot.map_or(key_at, |spot| spot.at), spot, findings);
                match key {
                    Raw::Text(key) => placed.push(Entry { key, key_at, value }),
                    _ => findings.push(Finding {
                        at: key_at,
                        code: Code::WrongType,
                        message: "a key must be text".to_owned(),
                        help: "put quotes around it if it is meant to be one",
                    }),
                }
            }
            Value::Map(placed)
        }
    };
    Node { at, value }
}

/// `serde_yaml`'s view. Not its own `Value`, which ends at the first key that stands twice.
enum Raw {
    Null,
    Flag(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Integer(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Integer(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Raw, E> {
        Ok(Raw::Integer(i128::try_from(number).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
