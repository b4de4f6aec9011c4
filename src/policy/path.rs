//! The path of a request, read once: matched decoded, forwarded as it came.
//!
//! # Why refuse rather than clean up
//! A path that is normalised here and forwarded raw means one thing to the policy and another to the upstream; one that is
//! forwarded normalised is no longer what the client asked for. So whatever two parsers could read differently is refused, and
//! where two readings have to stand (`;x`, and `%2F` on routes that take it), both must pass.

mod decode;
pub(super) mod segments;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// The path of an origin-form target, without its query (RFC 9112 §3.2.1), in one reading or two.
///
/// A reading is `/` or `/a/b`: percent-decoded once, never ending in a slash, so that `/x` and `/x/` share their policy (routers
/// redirect between them). Case is kept, nothing is normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath<'a> {
    raw: &'a str,
    reading: Cow<'a, str>,
    second: Option<String>,
    slash: bool,
    capped: bool,
}

/// Why a path is refused: two parsers could take it for two paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Another form of target, or none.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// A byte outside 0x21–0x7E, `\`, `#`, or the `?` of a query that belongs to somebody else.
    #[error("the path has a byte that must be percent-encoded")]
    RawByte,
    /// `%` without two hexadecimal digits.
    #[error("the path has a `%` without two hexadecimal digits")]
    BadEscape,
    /// An encoded `\`, NUL, C0 or DEL.
    #[error("the path has an encoded backslash or control character")]
    EncodedSeparator,
    /// Invalid UTF-8 after decoding.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// `//`, or a segment of which only parameters or blanks are left.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `.` or `..`, in any spelling.
    #[error("the path has a dot segment")]
    DotSegment,
    /// `;` and `%3B` in one path: it would have more readings than the two that are matched.
    #[error("the path has both `;` and `%3B`")]
    MixedParameters,
    /// `%2F` and parameters in one path: again more readings than two.
    #[error("the path has both `%2F` and `;`")]
    SlashAndParameters,
}

impl<'a> CanonicalPath<'a> {
    /// Reads a path. A path without escapes and parameters is borrowed.
    ///
    /// # Errors
    /// [`PathError`] if two parsers could take it for two paths.
    pub fn parse(raw: &'a [u8]) -> Result<Self, PathError> {
        if raw.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let bytes = raw.iter().fold(0, |all, byte| all | class(*byte));
        if bytes & FORBIDDEN != 0 {
            return Err(PathError::RawByte);
        }
        let raw = str::from_utf8(raw).map_err(|_| PathError::RawByte)?;
        if bytes == PLAIN {
            // Nothing to decode, no parameters, no blanks: nearly every path, on every request.
            segments::check_plain(raw)?;
            let reading = Cow::Borrowed(segments::without_final_slash(raw));
            return Ok(Self { raw, reading, second: None, slash: false, capped: false });
        }
        let escaped = bytes & ESCAPE != 0;
        let once = if escaped { Cow::Owned(decode::once(raw)?) } else { Cow::Borrowed(raw) };
        let (decoded, literal) = if escaped && once.contains(ENCODED_SLASH) {
            (Cow::Owned(once.replace(ENCODED_SLASH, "/")), Some(once))
        } else {
            (once, None)
        };
        // In the reading that has more slashes, so that no segment comes to vanish or climb by being decoded.
        segments::check(&decoded)?;
        let parameters = decoded.matches(';').count();
        if escaped && raw.contains(';') && raw.matches(';').count() != parameters {
            return Err(PathError::MixedParameters);
        }
        let slash = literal.is_some();
        let second = match (literal, parameters > 0) {
            (Some(_), true) => return Err(PathError::SlashAndParameters),
            (Some(literal), false) => Some(without_final_slash(literal).into_owned()),
            (None, true) => Some(segments::without_parameters(&decoded)),
            (None, false) => None,
        };
        let capped = escaped && decode::leads_astray(&decoded);
        Ok(Self { raw, second, slash, capped, reading: without_final_slash(decoded) })
    }

    /// The bytes as they came, which are what the upstream gets.
    #[must_use]
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// Decoded once, `%2F` as any other escape.
    #[must_use]
    pub fn reading(&self) -> &str {
        &self.reading
    }

    /// Where the path has parameters (`;x`), the reading without them: some upstreams drop them. Where it has `%2F`, the reading in
    /// which that is a character of its segment, written as [`ENCODED_SLASH`]: some upstreams split first and decode then. Both
    /// readings must pass.
    #[must_use]
    pub fn second_reading(&self) -> Option<&str> {
        self.second.as_deref()
    }

    /// Whether the path has `%2F`. Only routes that say so take one.
    #[must_use]
    pub const fn has_encoded_slash(&self) -> bool {
        self.slash
    }

    /// Whether decoding it again would make something of it that is refused (`%252F`, `%252e%252e`): it is matched as the
    /// literal it is, but an upstream that decodes twice must not be reached by a route laxer than the default.
    #[must_use]
    pub const fn is_capped(&self) -> bool {
        self.capped
    }
}

/// What a byte makes of the path that it is in.
const fn class(byte: u8) -> u8 {
    match byte {
        0..=0x20 | b'#' | b'?' | b'\\' | 0x7F.. => FORBIDDEN,
        b'%' => ESCAPE,
        b';' => PARAMETER,
        _ => PLAIN,
    }
}

const PLAIN: u8 = 0;
const FORBIDDEN: u8 = 1;
const ESCAPE: u8 = 2;
const PARAMETER: u8 = 4;

fn without_final_slash(path: Cow<'_, str>) -> Cow<'_, str> {
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(segments::without_final_slash(path)),
        Cow::Owned(mut path) => {
            path.truncate(segments::without_final_slash(&path).len());
            Cow::Owned(path)
        }
    }
}

/// What stands for `%2F` in a reading that does not take it for a separator. No path has it otherwise, and no pattern can name it.
pub const ENCODED_SLASH: &str = "\0";
