//! Values made harmless: no byte a client chose can end a line, start one, or change how one is shown.

/// The longest value a line holds, in bytes as written. Longer ones end in `…`.
pub(super) const LONGEST: usize = 2048;

/// Whether `"` stays as it is: only where no quotes stand around the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Keep,
    Escape,
}

/// Appends `value`, escaped as in a JSON string and cut at [`LONGEST`].
///
/// Escaped is also what JSON would let stand but a terminal or a log viewer acts upon: DEL and the C1 controls,
/// line and paragraph separators, and everything that reorders or hides text.
pub(super) fn push(out: &mut String, value: &str, quotes: Quotes) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\\' && (byte != b'"' || quotes == Quotes::Keep);
    // Not `all`, which stops at the first: what looks at every byte looks at many of them at once.
    if value.len() <= LONGEST && value.bytes().fold(true, |all, byte| all & plain(byte)) {
        out.push_str(value);
        return;
    }
    let start = out.len();
    for character in value.chars() {
        let before = out.len();
        push_one(out, character, quotes);
        if out.len() - start > LONGEST {
            // An escape is never halved: what is left must still be one JSON string.
            out.truncate(before);
            out.push('…');
            return;
        }
    }
}

/// Whether a text line can hold `value` without quotes.
pub(super) fn is_bare(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= LONGEST
        && value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='))
}

fn push_one(out: &mut String, character: char, quotes: Quotes) {
    match character {
        '"' if quotes == Quotes::Escape => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        hidden if is_deceptive(hidden) => {
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                push_unit(out, *unit);
            }
        }
        visible => out.push(visible),
    }
}

fn push_unit(out: &mut String, unit: u16) {
    out.push_str("\\u");
    for shift in [12_u16, 8, 4, 0] {
        out.push(char::from_digit(u32::from(unit >> shift & 0xF), 16).unwrap_or('0'));
    }
}

/// Controls, separators, and characters that take no room of their own or reorder their neighbours.
const fn is_deceptive(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}'
        | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(value: &str) -> String {
        let mut out = String::new();
        push(&mut out, value, Quotes::Escape);
        out
    }

    #[test]
    fn nothing_deceptive_is_left() {
        for (value, expected) in [
            ("plain /path?", "plain /path?"),
            ("a\nb\rc\td", "a\\nb\\rc\\td"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
            ("\0\u{7f}\u{85}\u{9b}", "\\u0000\\u007f\\u0085\\u009b"),
            ("a\u{2028}b\u{2029}", "a\\u2028b\\u2029"),
            ("\u{202e}evil\u{2066}", "\\u202eevil\\u2066"),
            ("zero\u{200b}width\u{feff}", "zero\\u200bwidth\\ufeff"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
            ("\"quoted\" \\", "\\\"quoted\\\" \\\\"),
            ("grün 東京", "grün 東京"),
        ] {
            assert_eq!(escaped(value), expected, "{value:?}");
            let json = format!("\"{expected}\"");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value, "reads back");
        }
    }

    #[test]
    fn every_character_that_is_no_text_is_escaped() {
        for code in 0..=0x0010_FFFF_u32 {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let text = escaped(&character.to_string());
            assert!(!text.chars().any(char::is_control), "U+{code:04X}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters_and_escapes() {
        assert_eq!(escaped(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
        assert_eq!(escaped(&"x".repeat(LONGEST + 1)), format!("{}…", "x".repeat(LONGEST)));
        let accents = escaped(&format!("x{}", "é".repeat(LONGEST)));
        assert_eq!(accents.len(), 1 + (LONGEST - 2) + "…".len());
        let controls = escaped(&"\u{1}".repeat(1_000_000));
        assert_eq!(controls, format!("{}…", "\\u0001".repeat(LONGEST / 6)));
    }
}
