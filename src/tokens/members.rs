//! All claims of a token, as they are kept.

use serde_json::{Map, Value};

use super::weight;

/// All claims of a token, in the order they came in.
///
/// Kept as their JSON, compact: a map of them takes six times as much memory, and there is one for each token that is remembered, while
/// they are looked at once or twice in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Box<str>);

impl Members {
    /// Those of `members`.
    #[must_use]
    pub fn new(members: Map<String, Value>) -> Self {
        Self(Value::Object(members).to_string().into())
    }

    /// A JSON object (RFC 8259 §4) without blanks.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// One by one. It reads all of them: who looks at one does not want another one's.
    #[must_use]
    pub fn read(&self) -> Map<String, Value> {
        // What was written from a map can be read as one; if it could not, nothing would be said of anybody.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// Bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        weight::block(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_kept() {
        for json in [
            "{}",
            r#"{"b":1,"a":[null,true,{"z":"\u0000é\"","y":{}}],"":""}"#,
            r#"{"u":18446744073709551615,"i":-9223372036854775808,"exp":1700000000.5}"#,
            // Numbers that a reader who is not exact would write down as their neighbours.
            r#"{"f":[0.1,5e-324,1.7976931348623157e308,31.24590683,9007199254740993.0,-0.0]}"#,
        ] {
            let members: Map<String, Value> = serde_json::from_str(json).unwrap();
            let kept = Members::new(members.clone());
            assert_eq!(kept.read(), members);
            assert_eq!(Members::new(kept.read()), kept, "order and all");
            assert_eq!(kept.weight(), weight::block(kept.as_json().len()));
        }
    }

    #[test]
    fn as_deep_as_tokens_can_be() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(126), "]".repeat(126));
        let members = crate::base::json::object(deep.as_bytes()).unwrap();
        assert_eq!(Members::new(members.clone()).read(), members);
    }
}
