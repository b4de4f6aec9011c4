//! `doorward user`: the users file, changed in place.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Failure;
use super::hash_password::{MAX_PASSWORD_BYTES, hashed, scheme};
use super::{Configuration, environment, input, output};
use crate::base::Secret;
use crate::config::users_edit::{Change, NewUser};
use crate::config::users_write::{UsersFileError, UsersPlace, UsersRead, change_users, read_users, users_place};
use crate::users::password::Scheme;

/// What is to be done with whom.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Let somebody new log in.
    ///
    /// The password is typed at a hidden prompt, or read from stdin with `--password-stdin`. The rest of the file stays as it is, comments and all; a
    /// running doorward takes the change up by itself.
    Add(Add),
    /// Let somebody log in no more, until `enable`.
    Disable(Named),
    /// Let somebody log in again.
    Enable(Named),
    /// Show who is there; no hashes.
    List(List),
    /// Give somebody another password: typed at a hidden prompt, or read from stdin with `--password-stdin`.
    Passwd(Passwd),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    password: Password,
    /// What may be granted; once for each scope.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A role, for `X-Forwarded-Groups`; once for each.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Electronic mail address.
    #[arg(long)]
    email: Option<String>,
    /// The name that people use.
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// Not to log in before `enable`.
    #[arg(long)]
    disabled: bool,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The name that is typed at login.
    username: String,
    #[command(flatten)]
    configuration: Configuration,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    configuration: Configuration,
    /// As a JSON array of objects.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Passwd {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, Args)]
struct Password {
    /// Read the password from stdin and not from a prompt. It is never an argument: those are public.
    #[arg(long)]
    password_stdin: bool,
    /// As of `hash-password`.
    #[arg(long, default_value = Scheme::Argon2id.name(), value_parser = scheme)]
    scheme: Scheme,
}

impl User {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Add(add) => add.run(),
            Self::Disable(named) => named.set(true),
            Self::Enable(named) => named.set(false),
            Self::List(list) => list.run(),
            Self::Passwd(Passwd { named, password }) => {
                let file = named.file()?;
                if !is_there(&read_users(&file).map_err(failure)?, &named.username) {
                    return Err(Failure::usage(UsersFileError::Unknown(file)));
                }
                let change = Change::Password { hash: password.hash()?, username: named.username };
                changed(&file, &change, "has another password")
            }
        }
    }
}

impl Add {
    fn run(self) -> Result<ExitCode, Failure> {
        let file = self.named.file()?;
        // Before anybody types a password for nothing; it is asked again when it counts.
        if is_there(&read_users(&file).map_err(failure)?, &self.named.username) {
            return Err(Failure::usage(UsersFileError::Known(file)));
        }
        let said = if self.disabled { "is there, and disabled" } else { "can log in" };
        let user = NewUser {
            password_hash: self.password.hash()?,
            username: self.named.username,
            scopes: self.scopes,
            roles: self.roles,
            email: self.email,
            full_name: self.full_name,
            disabled: self.disabled,
        };
        changed(&file, &Change::Add(user), said)
    }
}

impl Named {
    fn file(&self) -> Result<PathBuf, Failure> {
        users_file(&self.configuration)
    }

    fn set(self, disabled: bool) -> Result<ExitCode, Failure> {
        let file = self.file()?;
        let change = Change::Disabled { username: self.username, disabled };
        changed(&file, &change, if disabled { "cannot log in any more" } else { "can log in" })
    }
}

impl Password {
    fn hash(&self) -> Result<String, Failure> {
        hashed(self.scheme, &self.read()?)
    }

    fn read(&self) -> Result<Secret, Failure> {
        let typed = if self.password_stdin {
            input::from_stdin(MAX_PASSWORD_BYTES)
        } else if io::stdin().is_terminal() {
            input::password(MAX_PASSWORD_BYTES)
        } else {
            return Err(Failure::usage(
                "there is no terminal to type a password at: write it to stdin with `--password-stdin`",
            ));
        };
        typed.map_err(Failure::usage)
    }
}

impl List {
    fn run(self) -> Result<ExitCode, Failure> {
        let users = read_users(&users_file(&self.configuration)?).map_err(failure)?;
        let shown: Vec<Value> = users.written.iter().map(|written| shown(written, &users)).collect();
        if self.json {
            output::line(format_args!("{:#}", Value::Array(shown)));
        } else {
            table(&shown);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is shown of a user: each of these by name, so that nothing else of the file can be.
fn shown(written: &Value, users: &UsersRead) -> Value {
    let of = |key: &str| written.get(key).cloned().unwrap_or_default();
    let list = |key| match of(key) {
        Value::Null => json!([]),
        list => list,
    };
    let usable = users.usable.iter().any(|user| written["username"] == *user.username);
    json!({
        "username": of("username"),
        "disabled": written["disabled"] == true,
        "usable_hash": usable,
        "scopes": list("scopes"),
        "roles": list("roles"),
        "email": of("email"),
        "full_name": of("full_name"),
    })
}

fn table(users: &[Value]) {
    let words = |value: &Value| {
        let items = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        items.collect::<Vec<_>>().join(" ")
    };
    let row = |user: &Value| {
        let state = match (user["disabled"] == true, user["usable_hash"] == true) {
            (true, _) => "disabled",
            (false, true) => "enabled",
            (false, false) => "no usable hash",
        };
        let text = |key: &str| plain(user[key].as_str().unwrap_or_default());
        [text("username"), state.to_owned(), words(&user["scopes"]), words(&user["roles"]), text("email")]
    };
    let head = ["USER", "STATE", "SCOPES", "ROLES", "EMAIL"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(users.iter().map(row)).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..).map_while(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        output::line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// What would move the cursor, or turn the direction of writing around, is shown as its escape: a name must not look like another.
fn plain(text: &str) -> String {
    let escaped = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut shown = String::new();
    for letter in text.chars() {
        if escaped(letter) { shown.extend(letter.escape_unicode()) } else { shown.push(letter) }
    }
    shown
}

fn users_file(configuration: &Configuration) -> Result<PathBuf, Failure> {
    match users_place(&configuration.config, &environment).map_err(Failure::Configuration)? {
        UsersPlace::File(file) => Ok(file),
        UsersPlace::Database => {
            let what = "`users.postgres`: the users are in the database; add and change them there, by the application they belong to";
            Err(Failure::usage(format!("{}: {what}", configuration.config.display())))
        }
    }
}

fn is_there(users: &UsersRead, username: &str) -> bool {
    users.written.iter().any(|user| user["username"] == *username)
}

fn changed(file: &Path, change: &Change, said: &str) -> Result<ExitCode, Failure> {
    let changed = change_users(file, change, PATIENCE).map_err(failure)?;
    let so = if changed { "" } else { " (nothing had to be changed)" };
    output::note(format_args!("{}: `{}` {said}{so}", file.display(), change.username()));
    Ok(ExitCode::SUCCESS)
}

fn failure(error: UsersFileError) -> Failure {
    match error {
        UsersFileError::Broken(problems) => Failure::Configuration(problems),
        other => Failure::usage(other),
    }
}

/// For another command on the same file.
const PATIENCE: Duration = Duration::from_secs(5);
