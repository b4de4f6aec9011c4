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
    let Value::Array(items) = value else {
        let text = text(value)?;
        let mut value = String::with_capacity(text.len());
        write(&text, None, &mut value);
        return Some(value);
    };
    let mut joined = String::with_capacity(items.iter().map(room).sum());
    let mut is_first = true;
    // Between blanks nothing can stand for an empty text, and servers trim the one at either end.
    for item in items.iter().filter_map(text).filter(|text| separator != ' ' || !text.is_empty()) {
        if !std::mem::take(&mut is_first) {
            joined.push(separator);
        }
        write(&item, Some(separator), &mut joined);
    }
    (!is_first).then_some(joined)
}

fn room(item: &Value) -> usize {
    item.as_str().map_or(0, |text| text.len() + 1)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    }
}

fn write(text: &str, separator: Option<char>, value: &mut String) {
    let is_plain = |byte: u8| {
        matches!(byte, b' '..=b'~') && byte != b'%' && separator.is_none_or(|separator| char::from(byte) != separator)
    };
    // Servers trim values, so a blank that ends one would be lost, and with it the difference between two subjects.
    let ends_blank = text.starts_with(' ') || text.ends_with(' ');
    if !ends_blank && text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        value.push_str(text);
        return;
    }
    let is_blank = |letter| letter == ' ';
    let inner = text.trim_matches(is_blank);
    let leading = text.len() - text.trim_start_matches(is_blank).len();
    let trailing = text.len() - leading - inner.len();
    for _ in 0..leading {
        escape(b' ', value);
    }
    for byte in inner.bytes() {
        if is_plain(byte) {
            value.push(char::from(byte));
        } else {
            escape(byte, value);
        }
    }
    for _ in 0..trailing {
        escape(b' ', value);
    }
}

fn escape(byte: u8, value: &mut String) {
    value.push('%');
    for nibble in [byte >> 4, byte & 0xF] {
        value.push(char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase());
    }
}
