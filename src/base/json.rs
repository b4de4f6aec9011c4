//! JSON objects as tokens and forms carry them: no member twice, at any depth.
//!
//! Of two members with one name, one parser takes the first and another the last (RFC 8259 §4), and a signer that
//! checks one of them lets the other through.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The text is not one JSON object, or has a member twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object with every member once")]
pub struct NotAnObject;

/// Reads one JSON object; nesting is bounded by `serde_json`'s limit of 128.
///
/// # Errors
/// [`NotAnObject`] for anything else: other values, duplicate members, trailing text, lone surrogates, a byte order mark.
pub fn object(text: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    match serde_json::from_slice::<Strict>(text) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        _ => Err(NotAnObject),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom("duplicate member"));
            }
            let Strict(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_with_every_member_once() {
        for (text, good) in [
            (r#"{"a":1,"b":{"a":[true,null,1.5,"x"]}}"#, true),
            ("{}", true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":{"b":1,"b":2}}"#, false),
            (r#"{"a":[{"b":1,"b":2}]}"#, false),
            ("{\"sub\":1,\"su\\u0062\":2}", false),
            ("[]", false),
            ("1", false),
            ("null", false),
            ("", false),
            ("{} {}", false),
            ("\u{feff}{}", false),
            (r#"{"a":1e400}"#, false),
            (r#"{"a":NaN}"#, false),
            (r#"{"a":"\ud800"}"#, false),
        ] {
            assert_eq!(object(text.as_bytes()).is_ok(), good, "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(deep.as_bytes()).is_err());
    }
}
