//! The users file, read and changed by commands while a doorward may be running on it.

mod attributes;
mod put;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use super::code::Code;
use super::defaults;
use super::document::{self, Node, Value};
use super::field::Field;
use super::input_file::{self, FileError};
use super::look::Look;
use super::problem::{Position, Problem, Problems, in_order};
use super::reader::{DOCUMENT_LIMIT, Reader};
use super::users_document;
use super::users_edit::{Change, EditError, edit};
use crate::users::User;
use put::put;

/// Where a configuration has its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersPlace {
    /// In this file, which need not exist.
    File(PathBuf),
    /// In a database: other programs write there.
    Database,
}

/// What `users` in the configuration at `path` says. The rest is not looked at: who changes users need not have the environment and
/// the keys that a start needs.
///
/// # Errors
/// The configuration cannot be read so far.
pub fn users_place(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<UsersPlace, Problems> {
    let reader = Reader::new(path, Some(environment));
    let node = reader.document().unwrap_or_else(|error| {
        reader.problem(Position::START, error.code(), &error.to_string(), error.help());
        None
    });
    let users = node.as_ref().and_then(|node| member(node, "users"));
    let database = users.and_then(|users| member(users, "postgres")).filter(|node| !matches!(node.value, Value::Null));
    let file = users.and_then(|users| member(users, "file"));
    let file = match file.filter(|_| database.is_none()) {
        Some(node) => Field::new(&reader, node, "users.file".to_owned()).file_path(),
        None => Some(reader.resolve(defaults::USERS_FILE)),
    };
    let problems = reader.finish().problems;
    match file {
        Some(_) if database.is_some() && problems.is_empty() => Ok(UsersPlace::Database),
        Some(file) if problems.is_empty() => Ok(UsersPlace::File(file)),
        _ => Err(Problems::new(in_order(path, problems), Vec::new())),
    }
}

fn member<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

/// Why users are not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersFileError {
    /// The file is broken as it is.
    #[error("{0}")]
    Broken(Problems),
    /// What was asked for cannot be: a name, a scope.
    #[error("{message}: {help}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// There is a user of this name.
    #[error("`{}`: there is a user of this name already; `doorward user passwd` gives another password", .0.display())]
    Known(PathBuf),
    /// There is none.
    #[error("`{}`: there is no user of this name; `doorward user list` shows who is there", .0.display())]
    Unknown(PathBuf),
    /// It cannot be changed in one place.
    #[error("`{}`: written so that it cannot be changed safely in one place (anchors, text over several lines): change it in an editor", .0.display())]
    Unsafe(PathBuf),
    /// Another command is at it.
    #[error("`{}`: another command is changing it; try again when that has ended", .0.display())]
    Busy(PathBuf),
    /// It was changed by something else just now.
    #[error("`{}`: it was changed by somebody else at this moment, and is left as that one made it; try again", .0.display())]
    Changed(PathBuf),
    /// It may not be written.
    #[error("`{}`: read-only; where it is mounted from elsewhere (a Kubernetes secret, an image), change it there", .0.display())]
    ReadOnly(PathBuf),
    /// Its mode lets nobody write it.
    #[error("`{}`: read-only by its mode: `chmod u+w` it first; where it is mounted from elsewhere (a Kubernetes secret), change it there", .0.display())]
    NoWriter(PathBuf),
    /// Access lists or other attributes that could not be given to what is to take its place.
    #[error("`{}`: it has {what} that would be lost ({error}): run this as its owner, or as root, or change it in an editor that keeps it", path.display())]
    Attributes {
        /// Which.
        path: PathBuf,
        /// What, by the system's name.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// A file that is a mount of its own cannot be replaced.
    #[error("`{}`: mounted by itself, so it cannot be replaced in one step: mount its folder instead", .0.display())]
    Mounted(PathBuf),
    /// Its owner or group would be another one afterwards.
    #[error("`{}`: it is another user's, and would not be any more: run this as its owner, or as root", .0.display())]
    Owner(PathBuf),
    /// It cannot be read.
    #[error("`{}`: {message}; {help}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
        /// What to do.
        help: &'static str,
    },
    /// The system refuses.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// All that a users file says.
pub struct UsersRead {
    /// As it is written: one object for each user.
    pub written: Vec<Json>,
    /// Those who can log in, unless they are disabled.
    pub usable: Vec<User>,
}

/// Reads the users; nobody if there is no file.
///
/// # Errors
/// [`UsersFileError`].
pub fn read_users(path: &Path) -> Result<UsersRead, UsersFileError> {
    understand(path, &bytes_of(path)?.unwrap_or_default())
}

fn bytes_of(path: &Path) -> Result<Option<Vec<u8>>, UsersFileError> {
    match input_file::read(path, DOCUMENT_LIMIT) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::Missing) => Ok(None),
        Err(error) => {
            Err(UsersFileError::Unreadable { path: path.to_owned(), message: error.to_string(), help: error.help() })
        }
    }
}

fn understand(path: &Path, bytes: &[u8]) -> Result<UsersRead, UsersFileError> {
    let reader = Reader::new(path, None);
    let node = reader.parse(bytes);
    let usable = node.as_ref().map(|node| users_document::users(&reader, node).usable).unwrap_or_default();
    let problems = reader.finish().problems;
    if problems.is_empty() {
        let written = node.as_ref().map(document::plain);
        Ok(UsersRead { written: written.as_ref().and_then(Json::as_array).cloned().unwrap_or_default(), usable })
    } else {
        Err(UsersFileError::Broken(Problems::new(in_order(path, problems), Vec::new())))
    }
}

/// Changes the users file at `path`, links followed, and says whether anything had to be changed. The new text is read before it
/// takes the old one's place, whole and in one step; mode, owner, access lists and attributes stay. A file that is not there is made for its owner alone.
///
/// One command at a time, by a lock on the folder: a lock on the file would be on one that is about to be replaced. Others wait as
/// long as `patience`.
///
/// # Errors
/// [`UsersFileError`]; the file is as it was then.
pub fn change_users(path: &Path, change: &Change, patience: Duration) -> Result<bool, UsersFileError> {
    let io = |error| UsersFileError::Io { path: path.to_owned(), error };
    let target = target(path).map_err(io)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let lock = File::open(folder).map_err(io)?;
    wait_for(&lock, patience).map_err(|busy| busy.map_or_else(|| UsersFileError::Busy(target.clone()), io))?;
    let looked = Look::at(&target);
    let bytes = bytes_of(&target)?;
    let before = understand(&target, bytes.as_deref().unwrap_or_default())?;
    let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|_| UsersFileError::Unsafe(target.clone()))?;
    let mut refused = None;
    let read = |text: &str| match understand(&target, text.as_bytes()) {
        Ok(after) => Some(after.written),
        Err(error) => {
            refused = Some(error);
            None
        }
    };
    let changed = edit(&text, &before.written, change, read);
    let changed = changed.map_err(|error| match (error, change, refused) {
        (EditError::Known, ..) => UsersFileError::Known(target.clone()),
        (EditError::Unknown, ..) => UsersFileError::Unknown(target.clone()),
        (EditError::Unsafe, Change::Add(_), Some(UsersFileError::Broken(problems))) => asked_for(&target, &problems),
        (EditError::Unsafe, ..) => UsersFileError::Unsafe(target.clone()),
    })?;
    let Some(changed) = changed else { return Ok(false) };
    put(&target, folder, changed.as_bytes(), looked)?;
    Ok(true)
}

/// What is wrong with a user who is to come in. That the new text is no YAML, or another list, is not for what was asked.
fn asked_for(target: &Path, problems: &Problems) -> UsersFileError {
    let of_the_user = |problem: &&Problem| {
        matches!(problem.code, Code::BadName | Code::ReservedName | Code::BadScope | Code::Duplicate | Code::OutOfRange)
    };
    match problems.iter().find(of_the_user) {
        Some(problem) => UsersFileError::Refused { message: problem.message.clone(), help: problem.help.clone() },
        None => UsersFileError::Unsafe(target.to_owned()),
    }
}

/// Where the file is in truth: to replace a link would leave what it leads to as it was.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        // A link to nothing stays one, and so does its error.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Ok(fs::canonicalize(folder)?.join(path.file_name().ok_or(error)?))
        }
        found => found,
    }
}

/// `None` in the error = somebody else has it all the time.
#[expect(
    clippy::disallowed_methods,
    reason = "a command has nothing else to do, and the lock cannot be waited for with an end"
)]
fn wait_for(lock: &File, patience: Duration) -> Result<(), Option<io::Error>> {
    let tries = patience.as_millis() / STEP.as_millis() + 1;
    for left in (0..tries).rev() {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if left > 0 => std::thread::sleep(STEP),
            Err(TryLockError::WouldBlock) => return Err(None),
            Err(TryLockError::Error(error)) => return Err(Some(error)),
        }
    }
    Err(None)
}

/// Between two looks at a lock that somebody else has.
const STEP: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
