//! A mapping of the document, read key by key.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::code::Code;
use super::document::Entry;
use super::field::Field;
use super::problem::Position;
use super::reader::Reader;
use super::spelling;

/// A mapping. What is not asked for by the time it is finished is an unknown key.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    entries: &'a [Entry],
    at: Position,
    path: String,
    asked: RefCell<Vec<&'static str>>,
    /// It is no mapping: that is noted, and that keys are missing in it need not be.
    broken: bool,
}

impl<'a> Section<'a> {
    /// Hands the mapping to `read`, then reports the keys that `read` did not ask for. `entries` is `None` for what is
    /// no mapping, which is noted by then.
    pub(super) fn read<T>(
        reader: &'a Reader<'a>,
        entries: Option<&'a [Entry]>,
        at: Position,
        path: String,
        read: impl FnOnce(&Section<'_>) -> T,
    ) -> T {
        let section = Section {
            reader,
            entries: entries.unwrap_or_default(),
            at,
            path,
            asked: RefCell::default(),
            broken: entries.is_none(),
        };
        let value = read(&section);
        section.refuse_unknown();
        value
    }

    /// The value of `key`, if it is given.
    pub(super) fn field(&self, key: &'static str) -> Option<Field<'a>> {
        let path = self.path_of(key);
        self.reader.asked(path.clone());
        self.asked.borrow_mut().push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(Field::new(self.reader, &entry.value, path))
    }

    /// The same where `null` is as good as nothing.
    pub(super) fn nullable(&self, key: &'static str) -> Option<Field<'a>> {
        self.field(key).filter(|field| !field.is_null())
    }

    /// The value of a key that must be given.
    pub(super) fn required(&self, key: &'static str, help: &str) -> Option<Field<'a>> {
        let field = self.field(key);
        if field.is_none() && !self.broken {
            let message = format!("`{}` is missing", self.path_of(key));
            self.reader.problem(self.at, Code::MissingKey, &message, help);
        }
        field
    }

    /// A mapping within this one; if it is not given, all its keys have their defaults.
    pub(super) fn section<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> T {
        let field = self.field(key);
        self.section_of(key, field.as_ref(), read)
    }

    /// The same where `null` switches it off: it is read as if nothing were given then, and where that stands is returned.
    pub(super) fn switched<T>(&self, key: &'static str, read: impl FnOnce(&Section<'_>) -> T) -> (T, Option<Position>) {
        let field = self.field(key);
        let off = field.as_ref().filter(|field| field.is_null()).map(Field::at);
        (self.section_of(key, field.as_ref().filter(|_| off.is_none()), read), off)
    }

    fn section_of<T>(&self, key: &str, field: Option<&Field<'_>>, read: impl FnOnce(&Section<'_>) -> T) -> T {
        let (entries, at) = match field {
            Some(field) => (field.entries(), field.at()),
            None => (Some([].as_slice()), self.at),
        };
        Section::read(self.reader, entries, at, self.path_of(key), read)
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        self.field(key).and_then(|field| field.flag()).unwrap_or(default)
    }

    pub(super) fn integer(&self, key: &'static str, default: u64, allowed: RangeInclusive<u64>) -> u64 {
        self.field(key).and_then(|field| field.integer(allowed)).unwrap_or(default)
    }

    pub(super) fn duration(&self, key: &'static str, default: Duration, allowed: RangeInclusive<Duration>) -> Duration {
        self.field(key).and_then(|field| field.duration(allowed)).unwrap_or(default)
    }

    /// A size in bytes.
    pub(super) fn size(&self, key: &'static str, default: usize, allowed: RangeInclusive<u64>) -> usize {
        let size = self.field(key).and_then(|field| field.size(allowed));
        size.and_then(|size| usize::try_from(size).ok()).unwrap_or(default)
    }

    pub(super) fn word<T: Copy>(&self, key: &'static str, default: T, words: &[(&'static str, T)]) -> T {
        self.field(key).and_then(|field| field.word(words)).unwrap_or(default)
    }

    /// Where the mapping begins.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    pub(super) fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for entry in self.entries.iter().filter(|entry| !asked.contains(&entry.key.as_str())) {
            let place = if self.path.is_empty() { "here".to_owned() } else { format!("in `{}`", self.path) };
            let help = match spelling::closest(&entry.key, &asked) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys are {}", spelling::listed(&asked)),
            };
            self.reader.problem(entry.key_at, Code::UnknownKey, &format!("there is no such key {place}"), &help);
        }
    }
}
