//! Placeholders and escapes in what cases write.
//!
//! `{{name}}` is a saved value, `{{now+31}}` a time in seconds, `{{a*70000}}` a repetition, `{{rs.n}}` a member of
//! the public half of `rs.pem`. In bytes that are sent, `⏎` is CRLF
//! and `\xHH`, `\t`, `\r`, `\n`, `\\` are what they are in Rust.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::mint;

/// What placeholders stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) saved: BTreeMap<String, String>,
    /// Seconds.
    pub(crate) now: i64,
}

impl Words {
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").expect("`}}` after `{{`");
            filled.push_str(before);
            filled.push_str(&self.word(name.trim()));
            rest = after;
        }
        filled + rest
    }

    /// The same in all of a JSON value; a text that is nothing but a time becomes a number.
    pub(crate) fn fill_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")) {
                Some(name) if is_time(name) => self.time(name).into(),
                _ => Value::String(self.fill(text)),
            },
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.clone(), self.fill_json(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn word(&self, name: &str) -> String {
        if let Some(value) = self.saved.get(name) {
            return value.clone();
        }
        if is_time(name) {
            return self.time(name).to_string();
        }
        if let Some(member) = mint::public_member(name) {
            return member;
        }
        match name.split_once('*') {
            Some((text, times)) => text.repeat(times.parse().expect("a number of times")),
            None => panic!("nothing is saved as `{name}`"),
        }
    }

    fn time(&self, name: &str) -> i64 {
        let offset = name.strip_prefix("now").unwrap();
        self.now + if offset.is_empty() { 0 } else { offset.parse::<i64>().expect("seconds from now") }
    }
}

/// Bytes as they go over the wire.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let text = text.replace('⏎', "\r\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (*first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let byte = u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16);
                (byte.expect("two hexadecimal digits"), after)
            }
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (other, after) => (other, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// Lines of a case as lines of a message.
pub(crate) fn joined(text: &str) -> String {
    text.trim_end_matches('\n').replace(['\n', '⏎'], "\r\n")
}

/// `10s`, `7d`.
pub(crate) fn duration(text: &str) -> Duration {
    let at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().unwrap();
    match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        "d" => Duration::from_secs(number * 86400),
        other => panic!("`{other}` is no unit of time"),
    }
}

fn is_time(name: &str) -> bool {
    name.strip_prefix("now").is_some_and(|offset| offset.is_empty() || offset.starts_with(['+', '-']))
}

#[test]
fn placeholders_and_escapes() {
    let words = Words { saved: [("at".to_owned(), "T".to_owned())].into(), now: 100 };
    assert_eq!(words.fill("a {{at}} {{now-30}} {{x*3}}"), "a T 70 xxx");
    assert_eq!(
        words.fill_json(&serde_json::json!({ "exp": "{{now+5}}", "s": "{{now}} " })).to_string(),
        r#"{"exp":105,"s":"100 "}"#
    );
    assert_eq!(bytes(r"a⏎\xff\t\\n"), b"a\r\n\xff\t\\n");
}
