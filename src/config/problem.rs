//! What is wrong, where, and what to do about it.
//!
//! # Why no text of the document is shown
//! A secret can stand anywhere by mistake: as the name of a variable, as a key, behind a missing quote. So messages are
//! made of fixed words and of keys that are known; the place shows the rest.

use std::fmt;
use std::path::{Path, PathBuf};

use super::code::Code;
use super::look::Watched;

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Position {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One problem. It is displayed on two lines: `FILE:LINE:COL: code: message` and, indented, the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The document it is in, as the path was given.
    pub file: PathBuf,
    /// Where in it.
    pub at: Position,
    /// What kind of problem.
    pub code: Code,
    /// What is wrong; never a value from the document.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Problem {
    /// The first of the two lines, for places that have one; the cure is [`Problem::help`].
    #[must_use]
    pub fn line(&self) -> String {
        let Self { file, at: Position { line, column }, code, message, .. } = self;
        format!("{}:{line}:{column}: {code}: {message}", file.display())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n    help: {}", self.line(), self.help)
    }
}

/// All problems of a configuration, by file and place. There is at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
    watched: Vec<Watched>,
}

impl Problems {
    pub(super) fn new(problems: Vec<Problem>, watched: Vec<Watched>) -> Self {
        Self { problems, watched }
    }

    /// Every file that was looked at: a change to one of them may mend this.
    #[must_use]
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Whether there is none; never true for what `load` returns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            problem.fmt(out)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the files: what stands where a path belongs may be a secret in the wrong place.
        out.debug_list().entries(&self.problems).finish()
    }
}

impl std::error::Error for Problems {}

/// By file and place, those in the configuration itself, `first`, in front.
pub(super) fn in_order(first: &Path, mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|one, other| {
        let key = |problem: &Problem| (problem.file != first, problem.file.clone(), problem.at, problem.code);
        key(one).cmp(&key(other))
    });
    problems.dedup();
    problems
}
