//! The users document: a list of `{ username, password_hash, disabled, scopes, roles, email, full_name, claims }`.
//!
//! `${` is plain text in it: it is data, written by others and by commands.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use super::code::Code;
use super::document::{Entry, Node, Value};
use super::field::Field;
use super::problem::Position;
use super::reader::Reader;
use super::section::Section;
use super::tokens::is_reserved;
use crate::users::user::{ATTRIBUTES, CLIENT_PREFIX};
use crate::users::{StoredHash, User};

/// The users of a document.
#[derive(Debug, Default)]
pub(super) struct Users {
    pub(super) usable: Vec<User>,
    /// The names of those whose hash cannot be checked.
    pub(super) unusable: Vec<String>,
}

/// Reads the users. Of one with a hash that cannot be checked a warning tells; the others stay.
pub(super) fn users(reader: &Reader<'_>, node: &Node) -> Users {
    // A file of comments only, which is how one begins.
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        return Users::default();
    }
    let mut seen: HashMap<String, Position> = HashMap::new();
    let mut users = Users::default();
    let mut weak = Vec::new();
    for item in Field::new(reader, node, "users".to_owned()).list().unwrap_or_default() {
        let Some(Some(Written { username, at, user, hash_at })) = item.section(user) else { continue };
        if user.is_none() {
            users.unusable.push(username.clone());
        }
        if let Some(first) = seen.insert(username, at) {
            let message = format!("this user stands in line {} already", first.line);
            reader.problem(at, Code::Duplicate, &message, "keep one of the two");
        }
        if let Some(user) = user {
            weak.extend(user.password_hash.is_weak().then_some(hash_at));
            users.usable.push(user);
        }
    }
    if let Some((first, others)) = weak.split_first() {
        warn_of_weak(reader, *first, others.len());
    }
    users
}

/// One for all of them: who takes over another application's users has thousands alike.
fn warn_of_weak(reader: &Reader<'_>, at: Position, others: usize) {
    let count = if others == 0 { String::new() } else { format!("; {others} more users have such a hash") };
    let message = format!("once this hash leaks, its password is quickly guessed: the hash costs too little{count}");
    reader.warning(
        at,
        Code::WeakHash,
        &message,
        "make a new one with `doorward hash-password` when the password changes",
    );
}

/// What stands of a user, and where name and hash do. Without the user if the hash cannot be checked.
struct Written {
    username: String,
    at: Position,
    user: Option<User>,
    hash_at: Position,
}

fn user(section: &Section<'_>) -> Option<Written> {
    let name = section.required("username", "give every user a name");
    let hash = section.required("password_hash", "make one with `doorward hash-password`");
    let at = name.as_ref().map_or(section.at(), Field::at);
    let hash_at = hash.as_ref().map_or(section.at(), Field::at);
    let username = name.and_then(|field| username(&field));
    let password_hash = hash.and_then(|field| field.text().map(|text| StoredHash::parse(&text)));
    let disabled = section.flag("disabled", false);
    let scopes = section.field("scopes").and_then(|field| field.scopes()).unwrap_or_default();
    let roles = section.field("roles").map(|field| roles(&field)).unwrap_or_default();
    let email = section.nullable("email").and_then(|field| field.name());
    let full_name = section.nullable("full_name").and_then(|field| field.name());
    let claims = section.field("claims").map(|field| claims(&field)).unwrap_or_default();
    // Only now: a problem in one key must not hide those in the others.
    let (username, password_hash) = (username?, password_hash?);
    let user = password_hash
        .map_err(|error| {
            let message = format!("this user cannot log in: {error}");
            let help = "make a new hash with `doorward hash-password`";
            section.reader().warning(hash_at, Code::BadHash, &message, help);
        })
        .ok()
        .map(Arc::new)
        .map(|password_hash| User {
            username: username.clone(),
            password_hash,
            disabled,
            scopes,
            roles,
            email,
            full_name,
            claims,
        });
    Some(Written { username, at, user, hash_at })
}

fn username(field: &Field<'_>) -> Option<String> {
    let name = field.name()?;
    if name.starts_with(CLIENT_PREFIX) {
        let help = "take another name: tokens of clients have subjects that begin so";
        return field.refuse(Code::ReservedName, "begins with `client:`", help);
    }
    Some(name)
}

fn roles(field: &Field<'_>) -> Vec<String> {
    field.list().unwrap_or_default().iter().filter_map(Field::name).collect()
}

fn claims(field: &Field<'_>) -> Map<String, Json> {
    let mut claims = Map::new();
    for Entry { key, key_at, value } in field.entries().unwrap_or_default() {
        let refuse = |what, help| field.reader().problem(*key_at, Code::ReservedName, what, help);
        if is_reserved(key) {
            let help = "take it out: it says who a token is for, what it may, or for how long";
            refuse("this claim is one that doorward sets itself", help);
        } else if ATTRIBUTES.contains(&key.as_str()) {
            refuse(
                "this claim has its value from another key of the user",
                "use `username`, `email`, `full_name` and `roles`",
            );
        } else if let Some(json) = json(field.reader(), value) {
            claims.insert(key.clone(), json);
        }
    }
    claims
}

fn json(reader: &Reader<'_>, node: &Node) -> Option<Json> {
    let number = match &node.value {
        Value::Null => return Some(Json::Null),
        Value::Flag(flag) => return Some(Json::Bool(*flag)),
        Value::Text(text) => return Some(Json::String(text.clone())),
        Value::List(items) => return items.iter().map(|item| json(reader, item)).collect(),
        Value::Map(entries) => {
            return entries.iter().map(|entry| Some((entry.key.clone(), json(reader, &entry.value)?))).collect();
        }
        Value::Integer(number) => Number::from_i128(*number),
        Value::Float(number) => Number::from_f64(*number),
    };
    if number.is_none() {
        reader.problem(
            node.at,
            Code::OutOfRange,
            "JSON has no such number",
            "write a finite number of 64 bits, or text",
        );
    }
    number.map(Json::Number)
}
