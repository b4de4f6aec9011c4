//! A user from a row.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;

use super::columns::{Columns, is_json};
use crate::tokens::issue::RESERVED;
use crate::tokens::{Scope, ScopeSet};
use crate::users::user::{ATTRIBUTES, CLIENT_PREFIX, NAME_LIMIT};
use crate::users::{StoredHash, User};

/// Why a row is nobody who can log in. The others are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Its hash is NULL, empty, or what applications put there on purpose so that no password fits: this user logs in elsewhere.
    #[error("there is no password")]
    NoPassword,
    /// It is disabled; the rest cannot be used, and need not be.
    #[error("it is disabled")]
    Disabled,
    /// The hash cannot be checked.
    #[error("{0}")]
    Hash(crate::users::password::Unusable),
    /// Something else is not as it must be; what, and never the value.
    #[error("{0}")]
    Value(String),
}

fn unfit(problem: impl Into<String>) -> Unfit {
    Unfit::Value(problem.into())
}

/// The subject and what else there is of a user, if the row is fit to be one; that of `wanted`, if somebody certain is.
pub(super) fn user(row: &Row, columns: &Columns, wanted: Option<&str>) -> Result<User, Unfit> {
    let username = columns.username.map(|place| id(row, place)).transpose()?;
    let subject = columns.subject.map(|place| id(row, place)).transpose()?;
    let (subject, username) = match (subject, username) {
        (Some(subject), username) => (subject, username),
        (None, Some(username)) => (username, None),
        (None, None) => return Err(unfit("it has neither `subject` nor `username`")),
    };
    if subject.starts_with(CLIENT_PREFIX) {
        return Err(unfit("its subject begins with `client:`, as those of clients do"));
    }
    if wanted.is_some_and(|wanted| wanted != subject) {
        return Err(unfit("it is another user than the one whose session asks; mend the query"));
    }
    // Of what is not known neither may let anybody in.
    let disabled = columns.disabled.map_or(Ok(false), |place| Ok(get::<bool>(row, place)?.unwrap_or(true)))?;
    let active = columns.active.map_or(Ok(true), |place| Ok(get::<bool>(row, place)?.unwrap_or(false)))?;
    let disabled = disabled || !active;
    // A mistake in another column does not undo the decision.
    fit(row, columns, (subject, username), disabled).map_err(|problem| if disabled { Unfit::Disabled } else { problem })
}

fn fit(
    row: &Row,
    columns: &Columns,
    (subject, username): (String, Option<String>),
    disabled: bool,
) -> Result<User, Unfit> {
    let hash = columns.password_hash.map(|place| text(row, place)).transpose()?.flatten();
    let hash = hash.filter(|hash| !is_locked(hash)).ok_or(Unfit::NoPassword)?;
    let password_hash = StoredHash::parse(&hash).map_err(Unfit::Hash)?;
    let scopes = columns.scopes.map_or(Ok(Vec::new()), |place| words(row, place))?;
    let scopes = scopes.iter().map(|scope| Scope::parse(scope)).collect::<Result<ScopeSet, _>>();
    let mut claims = columns.claims.map_or(Ok(Map::new()), |place| object(row, place))?;
    if let Some(username) = username {
        claims.insert(PREFERRED_USERNAME.to_owned(), username.into());
    }
    Ok(User {
        username: subject,
        password_hash: Arc::new(password_hash),
        disabled,
        scopes: scopes.map_err(|error| unfit(format!("one of its `scopes` is none: {error}")))?,
        roles: columns.roles.map_or(Ok(Vec::new()), |place| words(row, place))?,
        email: attribute(row, columns.email)?,
        full_name: attribute(row, columns.full_name)?,
        claims,
    })
}

/// What stands where there is no password: `!` in front is Django's and crypt(3)'s way to write it, `*` crypt(3)'s. Any other text that is
/// no hash may be a mistake.
fn is_locked(hash: &str) -> bool {
    hash.is_empty() || hash.starts_with(['!', '*'])
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Result<Option<T>, Unfit> {
    row.try_get(place).map_err(|_| unfit("one of its values cannot be read"))
}

fn kind(row: &Row, place: usize) -> &Type {
    row.columns().get(place).map_or(&Type::UNKNOWN, tokio_postgres::Column::type_)
}

fn text(row: &Row, place: usize) -> Result<Option<String>, Unfit> {
    let text = get::<String>(row, place)?;
    // `char(n)` is filled up with blanks that nobody wrote.
    Ok(if *kind(row, place) == Type::BPCHAR { text.map(|text| text.trim_end_matches(' ').to_owned()) } else { text })
}

fn id(row: &Row, place: usize) -> Result<String, Unfit> {
    let id = match *kind(row, place) {
        Type::UUID => get::<Uuid>(row, place)?.map(|id| id.to_string()),
        Type::INT2 => get::<i16>(row, place)?.map(|id| id.to_string()),
        Type::INT4 => get::<i32>(row, place)?.map(|id| id.to_string()),
        Type::INT8 => get::<i64>(row, place)?.map(|id| id.to_string()),
        _ => text(row, place)?,
    };
    id.filter(|id| is_name(id)).ok_or_else(|| unfit("its name is empty, too long, or has control characters"))
}

/// Applications store an empty text where there is nothing, and names put together of such are blank.
fn attribute(row: &Row, place: Option<usize>) -> Result<Option<String>, Unfit> {
    let Some(place) = place else { return Ok(None) };
    match text(row, place)?.filter(|text| !text.trim().is_empty()) {
        Some(text) if !is_name(&text) => {
            Err(unfit("its `email` or `full_name` is too long, or has control characters"))
        }
        text => Ok(text),
    }
}

/// A text of words, a list, or a JSON list. NULL, also in the list that joining with an empty table gives, is nothing.
fn words(row: &Row, place: usize) -> Result<Vec<String>, Unfit> {
    let kind = kind(row, place);
    let found: Vec<Option<String>> = if is_json(kind) {
        match get::<Value>(row, place)? {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items.into_iter().map(word).collect::<Result<_, _>>()?,
            Some(_) => return Err(unfit("its `scopes` or `roles` are no JSON list")),
        }
    } else if <Vec<String> as FromSql<'_>>::accepts(kind) {
        get::<Vec<Option<String>>>(row, place)?.unwrap_or_default()
    } else {
        let text = text(row, place)?.unwrap_or_default();
        text.split_ascii_whitespace().map(|word| Some(word.to_owned())).collect()
    };
    let found: Vec<_> = found.into_iter().flatten().collect();
    if found.iter().all(|word| is_name(word)) {
        Ok(found)
    } else {
        Err(unfit("one of its `scopes` or `roles` is empty, too long, or has control characters"))
    }
}

fn word(item: Value) -> Result<Option<String>, Unfit> {
    match item {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(unfit("its `scopes` or `roles` are no JSON list of texts")),
    }
}

fn object(row: &Row, place: usize) -> Result<Map<String, Value>, Unfit> {
    let claims = match get::<Value>(row, place)? {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err(unfit("its `claims` are no JSON object")),
    };
    if claims.keys().any(|name| RESERVED.contains(&name.as_str()) || ATTRIBUTES.contains(&name.as_str())) {
        return Err(unfit("its `claims` have one that doorward sets itself, or that has a column of its own"));
    }
    Ok(claims)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_LIMIT && !text.chars().any(char::is_control)
}

const PREFERRED_USERNAME: &str = "preferred_username";
