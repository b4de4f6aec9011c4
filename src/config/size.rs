//! Sizes as they are written: `512B`, `16KiB`, `1MiB`.

/// Reads a size in bytes: digits and one unit, nothing else. `None` if it is none, or has more bytes than `u64` can count.
pub(super) fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let (_, bytes) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(bytes)
}

/// Writes a size in the largest unit that shows it whole.
pub(super) fn spell(size: u64) -> String {
    let whole = |(_, bytes): &(&str, u64)| size > 0 && size.is_multiple_of(*bytes);
    let (unit, bytes) = UNITS.into_iter().rev().find(whole).unwrap_or(("B", 1));
    format!("{}{unit}", size / bytes)
}

// `KB` is 1000 bytes to some and 1024 to others, so it is neither here.
const UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, bytes) in [
            ("0B", Some(0)),
            ("512B", Some(512)),
            ("16KiB", Some(16_384)),
            ("1MiB", Some(1_048_576)),
            ("2GiB", Some(2_147_483_648)),
            ("1TiB", Some(1_099_511_627_776)),
            ("", None),
            ("16", None),
            ("KiB", None),
            ("16kib", None),
            ("16KB", None),
            ("16K", None),
            ("16 KiB", None),
            ("1.5KiB", None),
            ("-1B", None),
            ("+1B", None),
            ("16777216TiB", None),
            ("99999999999999999999B", None),
        ] {
            assert_eq!(parse(text), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_spelled_reads_back() {
        for text in ["0B", "513B", "16KiB", "1MiB", "1025KiB", "3GiB", "1TiB"] {
            assert_eq!(parse(text).map(spell).as_deref(), Some(text));
        }
    }
}
