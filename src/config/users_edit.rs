//! The users document as text, changed in one place: all else stays as it is, byte for byte.
//!
//! Where something stands is found in the text; whether the change was right is found by reading the result, which must be what was
//! read before but for the change. So however the text is written, either it is changed as asked or not at all.

mod outline;
mod spell;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde_json::{Map, Value as Json};

use outline::{Entry, Item, Kind, List, Outline};

/// What is to be changed.
#[derive(Clone)]
pub enum Change {
    /// A user comes in, behind all others.
    Add(NewUser),
    /// A user gets another password.
    Password {
        /// Who.
        username: String,
        /// The hash of the new one.
        hash: String,
    },
    /// A user may log in or not.
    Disabled {
        /// Who.
        username: String,
        /// Whether not.
        disabled: bool,
    },
}

/// A user who is not there yet.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The name that is typed at login.
    pub username: String,
    /// What the password is checked against.
    pub password_hash: String,
    /// What may be granted.
    pub scopes: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Electronic mail.
    pub email: Option<String>,
    /// As people call him.
    pub full_name: Option<String>,
    /// Cannot log in for now.
    pub disabled: bool,
}

impl Change {
    /// Whom it is about.
    #[must_use]
    pub fn username(&self) -> &str {
        match self {
            Self::Add(user) => &user.username,
            Self::Password { username, .. } | Self::Disabled { username, .. } => username,
        }
    }
}

/// Why a text is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EditError {
    /// There is a user of this name.
    #[error("there is a user of this name already")]
    Known,
    /// There is none.
    #[error("there is no user of this name")]
    Unknown,
    /// It is written so that a change in one place would change others, or its place cannot be found.
    #[error("the file is written in a way that cannot be changed safely here (anchors, text over several lines)")]
    Unsafe,
}

/// The text with the change; `None` if it says so already. `before` is what is read from `text`, and `read` reads the result.
pub(super) fn edit(
    text: &str,
    before: &[Json],
    change: &Change,
    read: impl FnOnce(&str) -> Option<Vec<Json>>,
) -> Result<Option<String>, EditError> {
    let index = before.iter().position(|user| user.get("username").and_then(Json::as_str) == Some(change.username()));
    let mut expected = before.to_vec();
    let wanted = match (change, index) {
        (Change::Add(_), Some(_)) => return Err(EditError::Known),
        (Change::Add(user), None) => {
            expected.push(Json::Object(as_read(user)));
            None
        }
        (_, None) => return Err(EditError::Unknown),
        (Change::Password { hash, .. }, Some(index)) => Some((index, "password_hash", Json::from(hash.as_str()))),
        (Change::Disabled { disabled, .. }, Some(index)) => Some((index, "disabled", Json::from(*disabled))),
    };
    if let Some((index, key, value)) = &wanted {
        let Some(Json::Object(user)) = expected.get_mut(*index) else { return Err(EditError::Unsafe) };
        let is_so = user.get(*key) == Some(value) || (*value == Json::Bool(false) && !user.contains_key(*key));
        if is_so {
            return Ok(None);
        }
        user.insert((*key).to_owned(), value.clone());
    }
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
    let outline = outline::outline(body).ok_or(EditError::Unsafe)?;
    let changed = match (change, wanted) {
        (Change::Add(user), _) => add(body, &outline, user),
        (_, Some((index, key, value))) => {
            let item = outline.list.as_ref().and_then(|list| list.items.get(index));
            item.and_then(|item| set(body, item, key, &value))
        }
        (_, None) => None,
    };
    let changed = format!("{mark}{}", changed.ok_or(EditError::Unsafe)?);
    match read(&changed) {
        Some(after) if after == expected => Ok(Some(changed)),
        _ => Err(EditError::Unsafe),
    }
}

/// What is read of a new user.
fn as_read(user: &NewUser) -> Map<String, Json> {
    let texts = [("username", Some(&user.username)), ("password_hash", Some(&user.password_hash))];
    let texts = texts.into_iter().chain([("email", user.email.as_ref()), ("full_name", user.full_name.as_ref())]);
    let texts = texts.filter_map(|(key, text)| Some((key, Json::from(text?.as_str()))));
    let lists = [("scopes", &user.scopes), ("roles", &user.roles)].into_iter().filter(|(_, names)| !names.is_empty());
    let lists = lists.map(|(key, names)| (key, Json::from(names.as_slice())));
    let disabled = user.disabled.then_some(("disabled", Json::Bool(true)));
    texts.chain(lists).chain(disabled).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn set(text: &str, item: &Item, key: &str, value: &Json) -> Option<String> {
    let spelled = |like: Kind| match value {
        Json::String(hash) => spell::hash(hash, like, item.flow),
        other => other.to_string(),
    };
    if let Some(entry) = item.entries.iter().find(|entry| entry.key == key) {
        let old = text.get(entry.value.clone())?;
        if entry.kind == Kind::Other || old.is_empty() {
            return None;
        }
        return replace(text, entry.value.start..entry.value.start + old.trim_end().len(), &spelled(entry.kind));
    }
    // Beside what every user has: the hash, and its name if that is in one line only.
    let entry = ["password_hash", "username"].into_iter().find_map(|name| beside(item, name))?;
    let new = format!("{key}: {}", spelled(Kind::DoubleQuoted));
    if item.flow {
        let end = entry.value.start + text.get(entry.value.clone())?.trim_end().len();
        return replace(text, end..end, &format!(", {new}"));
    }
    let rest = text.get(entry.value.end..)?;
    let newline = newline(text);
    let line = format!("{}{new}", " ".repeat(entry.column));
    match rest.find('\n') {
        Some(end) => {
            let at = entry.value.end + end + 1;
            replace(text, at..at, &format!("{line}{newline}"))
        }
        None => Some(format!("{text}{newline}{line}{newline}")),
    }
}

fn beside<'i>(item: &'i Item, name: &str) -> Option<&'i Entry> {
    item.entries.iter().find(|entry| entry.key == name && entry.kind != Kind::Other)
}

fn add(text: &str, outline: &Outline, user: &NewUser) -> Option<String> {
    let entries = spell::entries(user);
    let as_flow = || format!("{{ {} }}", entries.join(", "));
    let newline = newline(text);
    let as_block = |column: usize, flow: bool| {
        let indent = " ".repeat(column);
        let joined = if flow { as_flow() } else { entries.join(&format!("{newline}{indent}  ")) };
        format!("{indent}- {joined}{newline}")
    };
    let block = match &outline.list {
        None if outline.other => return None,
        None => as_block(0, false),
        Some(list) if list.flow => return into_flow(text, list, &as_flow(), &as_block(0, false)),
        Some(list) => as_block(list.column, list.items.last().is_some_and(|item| item.flow)),
    };
    // Behind the comments, too: one that follows the last user is most likely about that one.
    let at = outline.end_mark.unwrap_or(text.len());
    let before = text.get(..at)?;
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { newline };
    replace(text, at..at, &format!("{gap}{block}"))
}

fn into_flow(text: &str, list: &List, flow: &str, block: &str) -> Option<String> {
    let Some(last) = list.items.last() else {
        // Not by the parser's end of it, which can be behind a comment.
        let (before, behind) = (text.get(..list.span.start)?, text.get(list.span.start..)?);
        let behind = behind.strip_prefix("[]").unwrap_or(behind);
        // `[]` on a line of its own, as a first file may have it: from now on a user a line.
        if (before.is_empty() || before.ends_with('\n')) && behind.trim().is_empty() {
            return Some(format!("{before}{block}"));
        }
        return replace(text, list.span.start + 1..list.span.start + 1, flow);
    };
    replace(text, last.span.end..last.span.end, &format!(", {flow}"))
}

fn replace(text: &str, range: Range<usize>, with: &str) -> Option<String> {
    Some([text.get(..range.start)?, with, text.get(range.end..)?].concat())
}

/// What ends the first line.
fn newline(text: &str) -> &'static str {
    let first = text.find('\n').and_then(|end| text.get(..end));
    if first.is_some_and(|line| line.ends_with('\r')) { "\r\n" } else { "\n" }
}
