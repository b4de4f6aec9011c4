//! Claims as values of headers: visible ASCII and blanks, whatever is in them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::base::base64url;

/// base64url of the JSON of all claims.
pub(super) fn all(claims: &Map<String, Value>) -> String {
    // Writing a map of JSON values into memory cannot fail; an empty object would say nothing false.
    base64url::encode(serde_json::to_vec(claims).unwrap_or_else(|_| b"{}".to_vec()))
}

/// `None` for null and for a list of nothing.
pub(super) fn value(value: &Value, separator: char) -> Option<String> {
    let Value::Array(items) = value else { return Some(escaped(&text(value)?, None)) };
    let texts = items.iter().filter_map(text);
    // Between blanks nothing can stand for an empty text, and servers trim the one at either end.
    let texts = texts.filter(|text| separator != ' ' || !text.is_empty());
    let items: Vec<String> = texts.map(|item| escaped(&item, Some(separator))).collect();
    (!items.is_empty()).then(|| items.join(separator.encode_utf8(&mut [0; 4])))
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    }
}

fn escaped(text: &str, separator: Option<char>) -> String {
    let is_blank = |letter| letter == ' ';
    let inner = text.trim_matches(is_blank);
    // Servers trim values, so a blank that ends one would be lost, and with it the difference between two subjects.
    let leading = text.len() - text.trim_start_matches(is_blank).len();
    let trailing = text.len() - leading - inner.len();
    let mut value = String::with_capacity(text.len() + 2 * (leading + trailing));
    for _ in 0..leading {
        escape(b' ', &mut value);
    }
    for byte in inner.bytes() {
        let letter = char::from(byte);
        if matches!(byte, 0x20..=0x7E) && byte != b'%' && separator != Some(letter) {
            value.push(letter);
        } else {
            escape(byte, &mut value);
        }
    }
    for _ in 0..trailing {
        escape(b' ', &mut value);
    }
    value
}

fn escape(byte: u8, value: &mut String) {
    value.push('%');
    for nibble in [byte >> 4, byte & 0xF] {
        value.push(char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase());
    }
}
