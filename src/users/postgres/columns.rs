//! Which column of the configured query is what of a user.

use tokio_postgres::Column;
use tokio_postgres::types::{FromSql, Type};

/// Places of the columns that were found by their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) subject: Option<usize>,
    pub(super) username: Option<usize>,
    pub(super) password_hash: Option<usize>,
    pub(super) disabled: Option<usize>,
    pub(super) active: Option<usize>,
    pub(super) scopes: Option<usize>,
    pub(super) roles: Option<usize>,
    pub(super) claims: Option<usize>,
    pub(super) email: Option<usize>,
    pub(super) full_name: Option<usize>,
    /// Names that mean nothing here.
    pub(super) ignored: Vec<String>,
}

impl Columns {
    /// Of those that a statement gives. The error says what is wrong, and the cure.
    pub(super) fn of(columns: &[Column]) -> Result<Self, String> {
        Self::named(columns.iter().map(|column| (column.name(), column.type_())))
    }

    fn named<'a>(given: impl Iterator<Item = (&'a str, &'a Type)>) -> Result<Self, String> {
        let mut columns = Self::default();
        for (place, (name, kind)) in given.enumerate() {
            let (slot, wanted) = match name {
                "subject" => (&mut columns.subject, Kind::Id),
                "username" => (&mut columns.username, Kind::Id),
                "password_hash" => (&mut columns.password_hash, Kind::Text),
                "disabled" => (&mut columns.disabled, Kind::Flag),
                "active" | "is_active" => (&mut columns.active, Kind::Flag),
                "scopes" => (&mut columns.scopes, Kind::Words),
                "roles" => (&mut columns.roles, Kind::Words),
                "claims" => (&mut columns.claims, Kind::Object),
                "email" => (&mut columns.email, Kind::Text),
                "full_name" | "name" => (&mut columns.full_name, Kind::Text),
                other => {
                    columns.ignored.push(other.to_owned());
                    continue;
                }
            };
            if slot.replace(place).is_some() {
                return Err(format!("two of its columns are `{name}`, or mean the same; take one out"));
            }
            if !wanted.takes(kind) {
                return Err(format!("its column `{name}` is `{kind}`, and must be {}; cast it", wanted.words()));
            }
        }
        if columns.password_hash.is_none() {
            return Err("it has no column `password_hash`; write `SELECT … AS password_hash`".to_owned());
        }
        if columns.subject.is_none() && columns.username.is_none() {
            return Err(
                "it has no column `username` (nor `subject`), which becomes `sub`; write `SELECT … AS username`"
                    .to_owned(),
            );
        }
        Ok(columns)
    }
}

enum Kind {
    Id,
    Text,
    Flag,
    Words,
    Object,
}

impl Kind {
    fn takes(&self, kind: &Type) -> bool {
        match self {
            Self::Id => is_text(kind) || [Type::UUID, Type::INT2, Type::INT4, Type::INT8].contains(kind),
            Self::Text => is_text(kind),
            Self::Flag => *kind == Type::BOOL,
            Self::Words => is_text(kind) || is_json(kind) || <Vec<String> as FromSql<'_>>::accepts(kind),
            Self::Object => is_json(kind),
        }
    }

    fn words(&self) -> &'static str {
        match self {
            Self::Id => "a text, UUID or whole number",
            Self::Text => "a text",
            Self::Flag => "a boolean",
            Self::Words => "a text of words, a list of texts or a JSON list of texts",
            Self::Object => "a JSON object",
        }
    }
}

pub(super) fn is_text(kind: &Type) -> bool {
    <String as FromSql<'_>>::accepts(kind)
}

pub(super) fn is_json(kind: &Type) -> bool {
    [Type::JSON, Type::JSONB].contains(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_must_fit() {
        for (given, expected) in [
            (vec![("username", Type::VARCHAR), ("password_hash", Type::TEXT)], Ok(vec![])),
            (vec![("subject", Type::UUID), ("password_hash", Type::TEXT), ("id", Type::INT4)], Ok(vec!["id"])),
            (
                vec![
                    ("username", Type::INT8),
                    ("password_hash", Type::BPCHAR),
                    ("roles", Type::TEXT_ARRAY),
                    ("scopes", Type::JSONB),
                ],
                Ok(vec![]),
            ),
            (
                vec![("username", Type::TEXT), ("password_hash", Type::TEXT), ("Username", Type::TEXT)],
                Ok(vec!["Username"]),
            ),
            (vec![("username", Type::TEXT)], Err("`password_hash`")),
            (vec![("password_hash", Type::TEXT), ("email", Type::TEXT)], Err("`username`")),
            (vec![("username", Type::TEXT), ("password_hash", Type::BYTEA)], Err("must be a text")),
            (vec![("username", Type::FLOAT8), ("password_hash", Type::TEXT)], Err("a text, UUID or whole number")),
            (
                vec![("username", Type::TEXT), ("password_hash", Type::TEXT), ("is_active", Type::INT4)],
                Err("a boolean"),
            ),
            (
                vec![("username", Type::TEXT), ("password_hash", Type::TEXT), ("claims", Type::TEXT)],
                Err("a JSON object"),
            ),
            (
                vec![
                    ("username", Type::TEXT),
                    ("password_hash", Type::TEXT),
                    ("active", Type::BOOL),
                    ("is_active", Type::BOOL),
                ],
                Err("two of its columns"),
            ),
            (
                vec![("username", Type::TEXT), ("username", Type::TEXT), ("password_hash", Type::TEXT)],
                Err("two of its columns"),
            ),
        ] {
            let found = Columns::named(given.iter().map(|(name, kind)| (*name, kind)));
            match (found, expected) {
                (Ok(columns), Ok(ignored)) => assert_eq!(columns.ignored, ignored, "{given:?}"),
                (Err(problem), Err(part)) => assert!(problem.contains(part), "{given:?}: {problem}"),
                (found, _) => panic!("{given:?}: {found:?}"),
            }
        }
    }
}
