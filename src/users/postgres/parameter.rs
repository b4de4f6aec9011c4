//! A name as the parameter of a statement.

use std::str::FromStr;

use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

pub(super) type Parameter = Box<dyn ToSql + Send + Sync>;

/// The name as the statement takes it: it may compare it with a number or UUID. `None` = the name is none, or not as the database
/// writes it: `7`, `07` and `+7` would be one user, and each a name of its own where failed logins are counted.
///
/// # Errors
/// What is wrong with a statement whose parameter is of another type, and the cure.
pub(super) fn parameter(name: &str, kind: &Type) -> Result<Option<Parameter>, String> {
    match *kind {
        Type::INT2 => Ok(canonical::<i16>(name).map(boxed)),
        Type::INT4 => Ok(canonical::<i32>(name).map(boxed)),
        Type::INT8 => Ok(canonical::<i64>(name).map(boxed)),
        Type::UUID => Ok(canonical::<Uuid>(name).map(boxed)),
        ref text if <&str as ToSql>::accepts(text) => Ok(Some(boxed(name.to_owned()))),
        ref other => Err(format!("`$1` comes out as `{other}`; write `$1::text`")),
    }
}

/// Whether `name` is `subject` in another spelling, where these are numbers or UUIDs: a statement may cast its `$1` by itself.
pub(super) fn respells(name: &str, subject: &str) -> bool {
    fn same<T: FromStr + PartialEq>(name: &str, subject: &str) -> bool {
        matches!((name.trim().parse::<T>(), subject.parse::<T>()), (Ok(name), Ok(subject)) if name == subject)
    }
    name != subject && (same::<i64>(name, subject) || same::<Uuid>(name, subject))
}

fn canonical<T: FromStr + ToString>(name: &str) -> Option<T> {
    name.parse::<T>().ok().filter(|value| value.to_string() == name)
}

fn boxed<T: ToSql + Send + Sync + 'static>(value: T) -> Parameter {
    Box::new(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    #[test]
    fn one_user_has_one_spelling() {
        for (kind, name, taken) in [
            (Type::INT4, "7", true),
            (Type::INT4, "-7", true),
            (Type::INT8, "99999999999", true),
            (Type::INT4, "99999999999", false),
            (Type::INT2, "07", false),
            (Type::INT4, "+7", false),
            (Type::INT8, "-0", false),
            (Type::INT4, " 7", false),
            (Type::INT4, "", false),
            (Type::UUID, KEY, true),
            (Type::UUID, "67E55044-10B1-426F-9247-BB680E5FE0C8", false),
            (Type::UUID, "67e5504410b1426f9247bb680e5fe0c8", false),
            (Type::UUID, "{67e55044-10b1-426f-9247-bb680e5fe0c8}", false),
            (Type::UUID, "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8", false),
            (Type::TEXT, "07", true),
            (Type::VARCHAR, "+7", true),
        ] {
            assert_eq!(parameter(name, &kind).unwrap().is_some(), taken, "{kind} {name}");
        }
        assert!(parameter("7", &Type::BYTEA).is_err());
    }

    #[test]
    fn a_statement_that_casts_has_no_other_spellings() {
        for (name, subject, another) in [
            ("7", "7", false),
            ("07", "7", true),
            ("+7", "7", true),
            (" 7", "7", true),
            ("8", "7", false),
            ("ada@example.com", "7", false),
            ("67E55044-10B1-426F-9247-BB680E5FE0C8", KEY, true),
            ("{67e55044-10b1-426f-9247-bb680e5fe0c8}", KEY, true),
            (KEY, KEY, false),
            ("007", "007", false),
        ] {
            assert_eq!(respells(name, subject), another, "{name} {subject}");
        }
    }
}
