//! The path of a route: exact, template or prefix.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use super::path::{PathError, segments};

/// A path of `policy.routes`: `/exact`, `/items/{item_id}` or `/admin/**`.
///
/// It is written decoded, as [`CanonicalPath::reading`](super::CanonicalPath::reading) has it. `{name}` stands for one segment,
/// `/**` for the path before it and all below. A slash at the end says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: Box<str>,
    segments: Vec<Segment>,
    prefix: bool,
}

/// Why a path of `policy.routes` cannot be one, said as its cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No `/` at the start.
    #[error("a path begins with `/`")]
    NotAbsolute,
    /// `%`.
    #[error("write the path decoded, `/a b` for `/a%20b`; a literal `%` cannot be named")]
    Escape,
    /// `?` or `#`.
    #[error("a path ends before `{0}`: routes do not look at the query")]
    Query(char),
    /// `;`.
    #[error("leave the parameters away: `/a;x` is matched as `/a` too, and both must pass")]
    Parameters,
    /// `\` or a control character.
    #[error("take the backslash or control character out: no request with one gets as far as a route")]
    Separator,
    /// `//`, or only blanks between two slashes.
    #[error("put something between the two slashes: no request with an empty segment gets as far as a route")]
    EmptySegment,
    /// `.` or `..`.
    #[error("write the path without `.` and `..`: no request with one gets as far as a route")]
    DotSegment,
    /// A brace that does not enclose a whole segment.
    #[error("a parameter is a whole segment, as in `/items/{{item_id}}`: `{0}` is none")]
    PartOfSegment(String),
    /// `{}` or a name with something but letters, digits and `_`.
    #[error("name the parameter with letters, digits and `_`, as in `{{item_id}}`: `{0}` is no name")]
    ParameterName(String),
    /// `{file:path}`.
    #[error(
        "write `{{{0}}}` for one segment or `/**` for any number of them: what they look like is the upstream's to check"
    )]
    Convertor(String),
    /// One name twice.
    #[error("give each parameter its own name: `{0}` stands there twice")]
    DuplicateParameter(String),
    /// `*` anywhere but in a final `/**`.
    #[error("`/**` stands at the end only, for all below a path; write `{{name}}` for one segment")]
    Star,
    /// More segments than any path has.
    #[error("a path has at most {MAX_SEGMENTS} segments")]
    TooLong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    Parameter(Box<str>),
}

/// Which pattern is asked first where several match: the smaller. Total for the patterns that match one path, but for those that
/// [`Table::compile`](super::Table::compile) refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Rank {
    pub(super) kind: Kind,
    segments: Reverse<usize>,
    literals: Reverse<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Exact,
    Template,
    Prefix,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`], the first there is.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::NotAbsolute);
        }
        for letter in text.chars() {
            match letter {
                '%' => return Err(PatternError::Escape),
                '?' | '#' => return Err(PatternError::Query(letter)),
                ';' => return Err(PatternError::Parameters),
                '\\' => return Err(PatternError::Separator),
                control if control.is_ascii_control() => return Err(PatternError::Separator),
                _ => {}
            }
        }
        // One rule for both sides: a route for a path that is always refused could only mislead.
        segments::check(text).map_err(|error| match error {
            PathError::DotSegment => PatternError::DotSegment,
            _ => PatternError::EmptySegment,
        })?;
        let path = segments::without_final_slash(text);
        let (path, prefix) = path.strip_suffix("/**").map_or((path, false), |path| (path, true));
        let mut segments = Vec::new();
        for segment in path.split('/').skip(1).filter(|segment| !segment.is_empty()) {
            let segment = Segment::parse(segment)?;
            if let Segment::Parameter(name) = &segment
                && segments.contains(&segment)
            {
                return Err(PatternError::DuplicateParameter(name.to_string()));
            }
            segments.push(segment);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(PatternError::TooLong);
        }
        Ok(Self { text: text.into(), segments, prefix })
    }

    /// As it was written; the label of metrics and logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it ends in `/**`.
    #[must_use]
    pub const fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// How many segments it has, the `/**` of a prefix not counted.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "`/` is a path like others")]
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether some path that it matches is `path` or below it; that one is plain, and empty stands for all paths.
    #[must_use]
    pub fn reaches(&self, path: &str, ignore_case: bool) -> bool {
        let mut wanted = path.split('/').skip(1);
        let meets = |(segment, wanted): (&Segment, &str)| match segment {
            Segment::Literal(literal) if ignore_case => literal.eq_ignore_ascii_case(wanted),
            Segment::Literal(literal) => **literal == *wanted,
            Segment::Parameter(_) => true,
        };
        self.segments.iter().zip(wanted.by_ref()).all(meets) && (self.prefix || wanted.next().is_none())
    }

    /// With its ASCII letters in lower case. Parameters keep their names: they match any segment.
    pub(super) fn folded(&self) -> Self {
        let fold = |segment: &Segment| match segment {
            Segment::Literal(literal) => Segment::Literal(literal.to_ascii_lowercase().into()),
            Segment::Parameter(name) => Segment::Parameter(name.clone()),
        };
        Self { segments: self.segments.iter().map(fold).collect(), ..self.clone() }
    }

    /// Without the `/**` of a prefix.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    pub(super) fn rank(&self) -> Rank {
        let literals = self.segments.iter().filter(|segment| matches!(segment, Segment::Literal(_))).count();
        let kind = match self.prefix {
            true => Kind::Prefix,
            false if literals == self.segments.len() => Kind::Exact,
            false => Kind::Template,
        };
        Rank { kind, segments: Reverse(self.segments.len()), literals: Reverse(literals) }
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text.contains('*') {
            return Err(PatternError::Star);
        }
        if !text.contains(['{', '}']) {
            return Ok(Self::Literal(text.into()));
        }
        let name = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .filter(|name| !name.contains(['{', '}']))
            .ok_or_else(|| PatternError::PartOfSegment(text.to_owned()))?;
        if let Some((name, _)) = name.split_once(':') {
            return Err(PatternError::Convertor(name.to_owned()));
        }
        if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
            return Err(PatternError::ParameterName(text.to_owned()));
        }
        Ok(Self::Parameter(name.into()))
    }

    /// Whether some segment of a path is matched by both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => one == other,
            _ => true,
        }
    }
}

/// The routes are walked by recursion; a request cannot make it deeper than this.
const MAX_SEGMENTS: usize = 128;
