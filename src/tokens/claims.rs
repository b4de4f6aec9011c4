//! The claims of an access token, each of the type it must have.

use serde_json::{Map, Value};

use super::{Malformed, Scope, ScopeSet};
use crate::base::Timestamp;

/// The claims of a JWT access token (RFC 7519 §4.1, RFC 9068 §2.2). A claim of the wrong type is an error, never "absent":
/// an `exp` that is a string would otherwise never expire.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub issuer: Box<str>,
    /// `sub`, not empty.
    pub subject: Box<str>,
    /// `aud`, a string or an array of strings; empty if absent.
    pub audience: Vec<Box<str>>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `jti`.
    pub token_id: Option<Box<str>>,
    /// `sid`: the login session.
    pub session: Option<Box<str>>,
    /// `client_id`.
    pub client: Option<Box<str>>,
    /// What was granted.
    pub scopes: ScopeSet,
    /// All of them, as they came.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Reads claims. `scope_claim` names the one that holds the scopes: a string of words or an array of them.
    ///
    /// # Errors
    /// [`Malformed`] if one that is needed is missing, or one that is known has the wrong type.
    pub fn read(all: Map<String, Value>, scope_claim: &str) -> Result<Self, Malformed> {
        Ok(Self {
            issuer: text(&all, "iss")?.ok_or(Malformed)?,
            subject: text(&all, "sub")?.filter(|subject| !subject.is_empty()).ok_or(Malformed)?,
            audience: audience(&all)?,
            expires_at: date(&all, "exp")?.ok_or(Malformed)?,
            not_before: date(&all, "nbf")?,
            issued_at: date(&all, "iat")?,
            // An empty one names nothing, and would be shared by all tokens that have it.
            token_id: text(&all, "jti")?.filter(|token_id| !token_id.is_empty()),
            session: text(&all, "sid")?,
            client: text(&all, "client_id")?,
            scopes: scopes(&all, scope_claim),
            all,
        })
    }
}

fn text(all: &Map<String, Value>, name: &str) -> Result<Option<Box<str>>, Malformed> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err(Malformed),
    }
}

/// A NumericDate (RFC 7519 §2): a number of seconds, which may have a fraction.
fn date(all: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Malformed> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().ok_or(Malformed)?;
            // Beyond the year 9999 it is a mistake (milliseconds) or an attack on a conversion.
            if !(0.0..253_402_300_800.0).contains(&seconds) {
                return Err(Malformed);
            }
            #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
            Ok(Some(Timestamp::from_millis((seconds * 1000.0) as i64)))
        }
        Some(_) => Err(Malformed),
    }
}

fn audience(all: &Map<String, Value>) -> Result<Vec<Box<str>>, Malformed> {
    match all.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.as_str().into()]),
        Some(Value::Array(several)) => {
            several.iter().map(|item| item.as_str().map(Box::from).ok_or(Malformed)).collect()
        }
        Some(_) => Err(Malformed),
    }
}

/// One source and never a union of several; what is no scope grants nothing.
fn scopes(all: &Map<String, Value>, claim: &str) -> ScopeSet {
    match all.get(claim) {
        Some(Value::String(words)) => words.split(' ').filter_map(|word| Scope::parse(word).ok()).collect(),
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).filter_map(|word| Scope::parse(word).ok()).collect()
        }
        _ => ScopeSet::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(members: &str) -> Result<Claims, Malformed> {
        let text = format!(r#"{{"iss":"i","sub":"s"{members}}}"#);
        Claims::read(crate::base::json::object(text.as_bytes()).map_err(|_| Malformed)?, "scope")
    }

    #[test]
    fn dates_are_numbers_of_sane_size() {
        for (exp, seconds) in [
            ("9999999999", Some(9_999_999_999)),
            ("1700000000.5", Some(1_700_000_000)),
            ("0", Some(0)),
            ("-1", None),
            ("\"9999999999\"", None),
            ("null", None),
            ("true", None),
            ("[]", None),
            ("{}", None),
            ("1e309", None),
            ("1e50", None),
            ("9.9e18", None),
            ("1700000000000", None),
            ("18446744073709551616", None),
        ] {
            let read = read(&format!(r#","exp":{exp}"#)).ok().map(|claims| claims.expires_at.seconds());
            assert_eq!(read, seconds, "{exp}");
        }
        assert!(read("").is_err(), "exp is needed");
        assert_eq!(read(r#","exp":5,"jti":"""#).unwrap().token_id, None);
    }

    #[test]
    fn wrong_types_are_never_absent() {
        for members in [
            r#""nbf":"1""#,
            r#""iat":null"#,
            r#""jti":5"#,
            r#""sid":[]"#,
            r#""client_id":{}"#,
            r#""aud":5"#,
            r#""aud":["a",5]"#,
            r#""aud":[["a"]]"#,
        ] {
            assert!(read(&format!(r#","exp":5,{members}"#)).is_err(), "{members}");
        }
    }

    #[test]
    fn scopes_come_from_one_claim_and_blanks_only() {
        for (claim, scopes) in [
            (r#""me items""#, "me items"),
            (r#"["me","items",5]"#, "me items"),
            (r#""read\tadmin""#, ""),
            (r#""read,admin""#, "read,admin"),
            (r#"" admin""#, "admin"),
            ("5", ""),
        ] {
            let claims = read(&format!(r#","exp":5,"scope":{claim},"scp":"admin""#)).unwrap();
            assert_eq!(claims.scopes.to_string(), scopes, "{claim}");
        }
    }
}
