//! Segments of a decoded path.

use super::PathError;

/// Refuses segments that vanish, or climb, in somebody's parser: alone, before parameters (`..;x`: Tomcat), or between blanks
/// (Spring trims them).
///
/// # Errors
/// [`PathError::EmptySegment`], [`PathError::DotSegment`].
pub(in crate::policy) fn check(path: &str) -> Result<(), PathError> {
    let mut segments = of(path).peekable();
    while let Some(segment) = segments.next() {
        let name = name(segment);
        match name.trim_matches(is_blank) {
            "." | ".." => return Err(PathError::DotSegment),
            // After the last slash there may be nothing.
            "" if name.is_empty() && segments.peek().is_none() => {}
            "" => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// [`check`] of a path in which no byte is `%`, `;`, a blank, or beyond ASCII: what vanishes or climbs in it is spelled out.
///
/// # Errors
/// As [`check`].
pub(super) fn check_plain(path: &str) -> Result<(), PathError> {
    let mut segments = path.as_bytes().split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            b"." | b".." => return Err(PathError::DotSegment),
            b"" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// The path as an upstream sees it that drops path parameters (`/a;x/b` is `/a/b`), without a slash at its end.
pub(super) fn without_parameters(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for segment in of(path) {
        plain.push('/');
        plain.push_str(name(segment));
    }
    plain.truncate(without_final_slash(&plain).len());
    plain
}

/// `/x/` is `/x`; `/` stays.
pub(in crate::policy) fn without_final_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    }
}

fn of(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn name(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(name, _)| name)
}

/// What somebody's `trim` takes away; the zero-width ones are no whitespace in Unicode, but are to some.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{180E}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}')
}
