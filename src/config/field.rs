//! One value of the document, read as what its key wants.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::code::Code;
use super::document::{Entry, Node, Value};
use super::duration;
use super::interpolate;
use super::problem::Position;
use super::rate;
use super::reader::Reader;
use super::section::Section;
use super::size;
use super::spelling::listed;
use crate::tokens::{Scope, ScopeSet};
use crate::users::Allowance;
use crate::users::user::NAME_LIMIT;

/// A value with its place and the path of its key. Each reading method notes what is wrong and returns `None`.
pub(super) struct Field<'a> {
    reader: &'a Reader<'a>,
    node: &'a Node,
    path: String,
}

impl<'a> Field<'a> {
    pub(super) fn new(reader: &'a Reader<'a>, node: &'a Node, path: String) -> Self {
        Self { reader, node, path }
    }

    pub(super) fn at(&self) -> Position {
        self.node.at
    }

    /// The key's path, as `tokens.keys[].file`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// Notes a problem with this value; `what` goes on after its name.
    pub(super) fn refuse<T>(&self, code: Code, what: &str, help: &str) -> Option<T> {
        self.reader.problem(self.node.at, code, &self.sentence(what), help);
        None
    }

    /// Notes a warning.
    pub(super) fn warn(&self, code: Code, what: &str, help: &str) {
        self.reader.warning(self.node.at, code, &self.sentence(what), help);
    }

    fn sentence(&self, what: &str) -> String {
        if self.path.is_empty() { format!("the document {what}") } else { format!("`{}` {what}", self.path) }
    }

    /// Notes that the value is of another kind than `wanted`.
    pub(super) fn wrong_type<T>(&self, wanted: &str, help: &str) -> Option<T> {
        let found = match self.node.value {
            Value::Null => "nothing",
            Value::Flag(_) => "`true` or `false`",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        };
        self.refuse(Code::WrongType, &format!("must be {wanted}, and is {found}"), help)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.node.value, Value::Integer(_) | Value::Float(_))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Text, with the environment's values in it.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        let Value::Text(text) = &self.node.value else {
            return self.wrong_type("text", "put quotes around it if it looks like a number or a word such as `true`");
        };
        let Some(environment) = self.reader.environment() else { return Some(Cow::Borrowed(text)) };
        match interpolate::interpolate(text, environment) {
            Ok(text) => Some(text),
            Err(failure) => self.refuse(failure.code(), failure.message(), failure.help()),
        }
    }

    /// Whether a variable is put into the text. Only then may text be a number: a quoted `"5"` is a slip.
    fn is_substituted(&self) -> bool {
        self.reader.environment().is_some()
            && matches!(&self.node.value, Value::Text(text) if interpolate::is_interpolated(text))
    }

    pub(super) fn flag(&self) -> Option<bool> {
        let help = "write `true` or `false`, without quotes";
        match self.node.value {
            Value::Flag(flag) => Some(flag),
            _ if self.is_substituted() => match self.text()?.as_ref() {
                "true" => Some(true),
                "false" => Some(false),
                _ => self.refuse(Code::WrongType, "must come out as `true` or `false`", help),
            },
            _ => self.wrong_type("`true` or `false`", help),
        }
    }

    pub(super) fn integer(&self, allowed: RangeInclusive<u64>) -> Option<u64> {
        let help = "write digits only, without quotes";
        let number = match self.node.value {
            Value::Integer(number) => number,
            _ if self.is_substituted() => match self.text()?.parse() {
                Ok(number) => number,
                Err(_) => return self.refuse(Code::WrongType, "must come out as a whole number", help),
            },
            _ => return self.wrong_type("a whole number", help),
        };
        match u64::try_from(number) {
            Ok(number) if allowed.contains(&number) => Some(number),
            _ => self.out_of_range(&allowed.start().to_string(), &allowed.end().to_string()),
        }
    }

    pub(super) fn duration(&self, allowed: RangeInclusive<Duration>) -> Option<Duration> {
        let help = "write a number and a unit: `250ms`, `10s`, `15m`, `12h`, `30d`";
        if !self.is_text() {
            return self.wrong_type("a duration", help);
        }
        match duration::parse(self.text()?.as_ref()) {
            Some(length) if allowed.contains(&length) => Some(length),
            Some(_) => self.out_of_range(&duration::spell(*allowed.start()), &duration::spell(*allowed.end())),
            None => self.refuse(Code::BadDuration, "is no duration", help),
        }
    }

    /// A size in bytes.
    pub(super) fn size(&self, allowed: RangeInclusive<u64>) -> Option<u64> {
        let help = "write a number and a unit: `512B`, `16KiB`, `1MiB`, `2GiB`";
        if !self.is_text() {
            return self.wrong_type("a size", help);
        }
        match size::parse(self.text()?.as_ref()) {
            Some(size) if allowed.contains(&size) => Some(size),
            Some(_) => self.out_of_range(&size::spell(*allowed.start()), &size::spell(*allowed.end())),
            None => self.refuse(Code::BadSize, "is no size", help),
        }
    }

    /// So many in so much time.
    pub(super) fn allowance(&self, allowed: RangeInclusive<u32>) -> Option<Allowance> {
        let help = "write how many in how much time, as `10/5m`; `null` for any number";
        if !self.is_text() {
            return self.wrong_type("so many in so much time", help);
        }
        match rate::parse(self.text()?.as_ref()) {
            Some(rate) if allowed.contains(&rate.failures.get()) && rate::WINDOWS.contains(&rate.within) => Some(rate),
            Some(_) => {
                let spell = |number, within| format!("{number}/{}", duration::spell(within));
                let least = spell(*allowed.start(), *rate::WINDOWS.start());
                self.out_of_range(&least, &spell(*allowed.end(), *rate::WINDOWS.end()))
            }
            None => self.refuse(Code::BadRate, "is not so many in so much time", help),
        }
    }

    fn out_of_range<T>(&self, least: &str, most: &str) -> Option<T> {
        self.refuse(Code::OutOfRange, "is out of range", &format!("it may be from `{least}` to `{most}`"))
    }

    /// One of a closed list of words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let names: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        found.or_else(|| {
            self.refuse(Code::UnknownWord, "is none of the words known here", &format!("use {}", listed(&names)))
        })
    }

    /// A path of the file system, from the folder of the configuration.
    pub(super) fn file_path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() || text.contains('\0') {
            return self.refuse(Code::BadPath, "is no path of a file", "name a file or folder");
        }
        Some(self.reader.resolve(&text))
    }

    /// The items of a list.
    pub(super) fn list(&self) -> Option<Vec<Field<'a>>> {
        let Value::List(items) = &self.node.value else {
            return self.wrong_type("a list", "write `[a, b]`, or one item a line behind `- `");
        };
        let path = format!("{}[]", self.path);
        Some(items.iter().map(|item| Field::new(self.reader, item, path.clone())).collect())
    }

    /// The items of a list that must have some.
    pub(super) fn filled_list(&self, help: &str) -> Option<Vec<Field<'a>>> {
        let items = self.list()?;
        if items.is_empty() { self.refuse(Code::EmptyList, "is an empty list", help) } else { Some(items) }
    }

    /// A mapping with known keys.
    pub(super) fn section<T>(&self, read: impl FnOnce(&Section<'_>) -> T) -> Option<T> {
        let entries = self.entries()?;
        Some(Section::read(self.reader, Some(entries), self.node.at, self.path.clone(), read))
    }

    /// The entries of a mapping whose keys are the user's own.
    pub(super) fn entries(&self) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            _ => self.wrong_type("a mapping", "write `key: value` lines, indented; leave the key out for its defaults"),
        }
    }

    /// A list of scopes.
    pub(super) fn scopes(&self) -> Option<ScopeSet> {
        Some(Self::scopes_of(self.list()?))
    }

    /// A list of scopes as a rule: it must name some.
    pub(super) fn scope_rule(&self) -> Option<ScopeSet> {
        let help = "name a scope, or leave the key out; an empty list could mean everybody or nobody";
        Some(Self::scopes_of(self.filled_list(help)?))
    }

    fn scopes_of(items: Vec<Field<'_>>) -> ScopeSet {
        let scope = |item: Field<'_>| match Scope::parse(&item.text()?) {
            Ok(scope) => Some(scope),
            Err(error) => item.refuse(Code::BadScope, "is no scope", &error.to_string()),
        };
        items.into_iter().filter_map(scope).collect()
    }

    /// A list of names, each once.
    pub(super) fn names_once(&self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for item in self.list()? {
            let Some(name) = item.name() else { continue };
            if names.contains(&name) {
                item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
            } else {
                names.push(name);
            }
        }
        Some(names)
    }

    /// Text that can be a name in a claim or log: not empty, bounded, without control characters.
    pub(super) fn name(&self) -> Option<String> {
        let text = self.text()?;
        if text.is_empty() || text.len() > NAME_LIMIT || text.chars().any(char::is_control) {
            let help = format!("it must have 1 to {NAME_LIMIT} bytes and no control characters");
            return self.refuse(Code::BadName, "is no usable name", &help);
        }
        Some(text.into_owned())
    }
}
