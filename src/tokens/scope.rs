//! Scopes (RFC 6749 §3.3): case-sensitive words, compared whole, never by prefix.

use std::fmt;

/// One scope: `1*( %x21 / %x23-5B / %x5D-7E )`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Box<str>);

/// The text is not a scope (RFC 6749 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is one or more of the characters `!`, `#` to `[` and `]` to `~`")]
pub struct NotAScope;

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// [`NotAScope`] if it is empty or has a blank, a quote, a backslash or anything outside visible ASCII.
    pub fn parse(text: &str) -> Result<Self, NotAScope> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if !text.is_empty() && text.bytes().all(allowed) { Ok(Self(text.into())) } else { Err(NotAScope) }
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Scopes in the order they were named, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// Reads a `scope` parameter or claim: words separated by runs of SP, and nothing else (RFC 6749 §3.3).
    ///
    /// # Errors
    /// [`NotAScope`] if one of the words is none; a tab is no separator.
    pub fn parse(text: &str) -> Result<Self, NotAScope> {
        words(text).map(Scope::parse).collect()
    }

    /// [`ScopeSet::parse`] for what a stranger asks for: comparing all of the words with each other must not become work
    /// that anybody can order.
    ///
    /// # Errors
    /// [`NotAScope`], also if there are more words than 256.
    pub fn parse_requested(text: &str) -> Result<Self, NotAScope> {
        if words(text).nth(MOST_REQUESTED).is_some() { Err(NotAScope) } else { Self::parse(text) }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `scope` is one of them.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether all of `wanted` are here.
    #[must_use]
    pub fn contains_all(&self, wanted: &Self) -> bool {
        wanted.iter().all(|scope| self.contains(scope))
    }

    /// Whether one of `wanted` is here.
    #[must_use]
    pub fn contains_any(&self, wanted: &Self) -> bool {
        wanted.iter().any(|scope| self.contains(scope))
    }

    /// Those that are in `other` too, in this set's order.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.iter().filter(|scope| other.contains(scope)).cloned().collect())
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|word| !word.is_empty())
}

const MOST_REQUESTED: usize = 256;

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Vec::new();
        for scope in scopes {
            if !set.contains(&scope) {
                set.push(scope);
            }
        }
        Self(set)
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                out.write_str(" ")?;
            }
            scope.fmt(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_scopes_than_anybody_asks_for_are_not_read() {
        let words = |count: usize| (0..count).map(|word| format!("s{word} ")).collect::<String>();
        assert_eq!(ScopeSet::parse_requested(&words(256)).map(|set| set.len()), Ok(256));
        assert_eq!(ScopeSet::parse_requested(&words(257)), Err(NotAScope));
        // What was granted is read again, however much it was.
        assert_eq!(ScopeSet::parse(&words(1000)).map(|set| set.len()), Ok(1000));
    }

    #[test]
    fn a_parameter_is_split_on_runs_of_blanks_only() {
        for (text, words) in [
            ("", Ok(String::new())),
            ("me", Ok("me".to_owned())),
            (" me  items me ", Ok("me items".to_owned())),
            ("items:read a,b", Ok("items:read a,b".to_owned())),
            ("me\titems", Err(NotAScope)),
            ("me\u{a0}items", Err(NotAScope)),
            ("me\"x", Err(NotAScope)),
            ("me\\x", Err(NotAScope)),
        ] {
            assert_eq!(ScopeSet::parse(text).map(|set| set.to_string()), words, "{text:?}");
        }
    }
}
