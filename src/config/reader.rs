//! What all parts of one document share while it is read: the file, the environment, and the problems found so far.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::code::Code;
use super::document::{self, Node};
use super::field::Field;
use super::input_file::{self, FileError};
use super::look::{Look, Watched};
use super::positions::Finding;
use super::problem::{Position, Problem};
use super::section::Section;
use crate::base::Secret;

/// A variable of the environment by name.
pub(super) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads one document. Nothing here stops at a problem: it is noted, and reading goes on with a stand-in.
pub(super) struct Reader<'e> {
    file: PathBuf,
    /// `None` = a document in which `${` is plain text.
    environment: Option<Environment<'e>>,
    /// `insecure.readable_key_files`.
    readable_keys: Cell<bool>,
    found: RefCell<Found>,
}

/// What reading brought to light beside the values.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    /// Every file that was looked at.
    pub(super) watched: Vec<Watched>,
    /// Every key that was asked for, as `server.shutdown.drain` or `policy.routes[].path`.
    pub(super) keys: BTreeSet<String>,
    /// Keys and secrets, each with the path of its setting and where it stands.
    secrets: Vec<(Secret, String, Position)>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(file: &Path, environment: Option<Environment<'e>>) -> Self {
        Self { file: file.to_owned(), environment, readable_keys: Cell::new(false), found: RefCell::default() }
    }

    pub(super) fn environment(&self) -> Option<Environment<'e>> {
        self.environment
    }

    /// From now on keys and secrets are read whoever else may read them.
    pub(super) fn allow_readable_keys(&self) {
        self.readable_keys.set(true);
    }

    /// A file that holds a key or secret, which nobody else may read unless `insecure` says so.
    pub(super) fn private_file(&self, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        if self.readable_keys.get() { input_file::read(path, limit) } else { input_file::read_private(path, limit) }
    }

    /// The document in this reader's file; `None` if something in it is so wrong that it cannot be read at all, which
    /// is noted by then.
    pub(super) fn document(&self) -> Result<Option<Node>, FileError> {
        self.watch(&self.file);
        Ok(self.parse(&input_file::read(&self.file, DOCUMENT_LIMIT)?))
    }

    /// The document that this reader's file would be with these bytes.
    pub(super) fn parse(&self, bytes: &[u8]) -> Option<Node> {
        let (node, findings) = document::parse(bytes);
        for Finding { at, code, message, help } in findings {
            self.problem(at, code, &message, help);
        }
        node
    }

    /// Reads the whole document as a mapping.
    pub(super) fn root<T>(&self, node: &Node, read: impl FnOnce(&Section<'_>) -> T) -> Option<T> {
        Field::new(self, node, String::new()).section(read)
    }

    pub(super) fn problem(&self, at: Position, code: Code, message: &str, help: &str) {
        let problem = self.make(at, code, message, help);
        self.found.borrow_mut().problems.push(problem);
    }

    pub(super) fn warning(&self, at: Position, code: Code, message: &str, help: &str) {
        let warning = self.make(at, code, message, help);
        self.found.borrow_mut().warnings.push(warning);
    }

    fn make(&self, at: Position, code: Code, message: &str, help: &str) -> Problem {
        Problem { file: self.file.clone(), at, code, message: message.to_owned(), help: help.to_owned() }
    }

    /// How many problems there are by now: whether what was read in between is whole.
    pub(super) fn problem_count(&self) -> usize {
        self.found.borrow().problems.len()
    }

    /// Whether nothing is wrong, and nothing worth a warning.
    pub(super) fn is_content(&self) -> bool {
        let found = self.found.borrow();
        found.problems.is_empty() && found.warnings.is_empty()
    }

    /// Takes over what was found in another document. Its keys are not of this one.
    pub(super) fn add(&self, other: Found) {
        let mut found = self.found.borrow_mut();
        found.problems.extend(other.problems);
        found.warnings.extend(other.warnings);
        found.watched.extend(other.watched);
    }

    pub(super) fn asked(&self, path: String) {
        self.found.borrow_mut().keys.insert(path);
    }

    pub(super) fn watch(&self, path: &Path) {
        let watched = &mut self.found.borrow_mut().watched;
        if !watched.iter().any(|(known, _)| known == path) {
            watched.push((path.to_owned(), Look::at(path)));
        }
    }

    /// Remembers a key or secret; the setting that has the same one already, and where it stands, if there is one.
    pub(super) fn first_use(&self, secret: &Secret, path: &str, at: Position) -> Option<(String, Position)> {
        let secrets = &mut self.found.borrow_mut().secrets;
        let first = secrets.iter().find(|(known, ..)| known == secret).map(|(_, path, at)| (path.clone(), *at));
        if first.is_none() {
            secrets.push((secret.clone(), path.to_owned(), at));
        }
        first
    }

    /// `path`, from the folder of the document if it is relative.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    pub(super) fn finish(self) -> Found {
        self.found.into_inner()
    }
}

/// Bytes of a document: a hundred times the longest anybody writes, and read whole at every reload.
pub(super) const DOCUMENT_LIMIT: u64 = 1024 * 1024;
