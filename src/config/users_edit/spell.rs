//! Users as YAML that every reader takes for what it is.

use std::fmt::Write;

use super::NewUser;

/// A text as a scalar: bare where nobody could take it for anything else, else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// In double quotes (YAML 1.2 §5.7), with everything escaped that a reader or a screen could have its own idea of.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            other if other.is_alphanumeric() => out.push(other),
            other => {
                let _ = write!(out, "\\U{:08X}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}

/// A hash, in the quotes that stand around the old one where they can. `flow` = between braces, where a comma ends it.
pub(super) fn hash(text: &str, like: super::Kind, flow: bool) -> String {
    let harmless = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$./+=,_-".contains(&byte));
    match like {
        super::Kind::Plain if harmless && !flow && text.starts_with('$') => text.to_owned(),
        super::Kind::SingleQuoted if harmless => format!("'{text}'"),
        _ => quoted(text),
    }
}

/// The keys of a new user with their values, those that say nothing left out.
pub(super) fn entries(user: &NewUser) -> Vec<String> {
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let mut entries = vec![
        format!("username: {}", scalar(&user.username)),
        format!("password_hash: {}", quoted(&user.password_hash)),
    ];
    entries.extend(user.disabled.then(|| "disabled: true".to_owned()));
    for (key, names) in [("scopes", &user.scopes), ("roles", &user.roles)] {
        entries.extend((!names.is_empty()).then(|| format!("{key}: [{}]", list(names))));
    }
    for (key, text) in [("email", &user.email), ("full_name", &user.full_name)] {
        entries.extend(text.as_ref().map(|text| format!("{key}: {}", quoted(text))));
    }
    entries
}

/// Words that are a name to every YAML, of whatever version: `no` and `1e3` are not.
fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '@'))
        && !words.iter().any(|word| word.eq_ignore_ascii_case(text))
}
