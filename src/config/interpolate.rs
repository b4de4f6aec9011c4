//! `${NAME}` and `${NAME:-default}` in values.
//!
//! It happens after the YAML is read, so a variable can never add a key, a line or a type (the text of `${X}` is text,
//! whatever `X` holds), and what a variable holds is not looked at again.

use std::borrow::Cow;

use super::code::Code;
use super::reader::Environment;

/// Puts the environment's values in. `:-` gives the default for a variable that is unset or empty, as in a shell;
/// `$${` stands for `${`.
pub(super) fn interpolate<'t>(text: &'t str, environment: Environment<'_>) -> Result<Cow<'t, str>, Failure> {
    if !text.contains(OPENING) {
        return Ok(Cow::Borrowed(text));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str(OPENING);
            rest = after;
            continue;
        }
        result.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Failure::Malformed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_name(name) {
            return Err(Failure::Malformed);
        }
        match (environment(name), default) {
            (Some(value), default) if default.is_none() || !value.is_empty() => result.push_str(&value),
            (_, Some(default)) => result.push_str(default),
            (_, None) => return Err(Failure::Unset),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(Cow::Owned(result))
}

/// Whether something is put into `text`.
pub(super) fn is_interpolated(text: &str) -> bool {
    text.contains(OPENING)
}

/// Why nothing could be put in. It does not say which name: that can be a secret put in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Malformed,
    Unset,
}

impl Failure {
    pub(super) fn code(self) -> Code {
        match self {
            Self::Malformed => Code::BadInterpolation,
            Self::Unset => Code::UnsetVariable,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Malformed => "holds a `${` that does not begin `${NAME}` or `${NAME:-default}`",
            Self::Unset => "names a variable that the environment does not have",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Malformed => "write `$${` for a plain `${`; a name has letters, digits and `_` only",
            Self::Unset => "set the variable, or give a default: `${NAME:-default}`",
        }
    }
}

/// Whether a variable can have this name (POSIX: letters, digits and `_`, no digit in front).
pub(super) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const OPENING: &str = "${";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_once() {
        let environment = |name: &str| match name {
            "HOST" => Some("example".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("plain $HOST {x} $", Ok("plain $HOST {x} $")),
            ("http://${HOST}:80/${HOST}", Ok("http://example:80/example")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-x}", Ok("x")),
            ("${NONE:-}", Ok("")),
            ("${NONE:-a:-b}", Ok("a:-b")),
            ("${HOST:-x}", Ok("example")),
            ("${NESTED}", Ok("${HOST}")),
            ("$${HOST}", Ok("${HOST}")),
            ("$$${HOST}", Ok("$${HOST}")),
            ("$$", Ok("$$")),
            ("${NONE}", Err(Failure::Unset)),
            ("${HOST", Err(Failure::Malformed)),
            ("${}", Err(Failure::Malformed)),
            ("${1A}", Err(Failure::Malformed)),
            ("${A-b}", Err(Failure::Malformed)),
            ("${A:b}", Err(Failure::Malformed)),
        ] {
            assert_eq!(interpolate(text, &environment).as_deref(), expected.as_deref(), "{text}");
        }
    }
}
