//! Durations as they are written: `250ms`, `10s`, `15m`, `12h`, `30d`.

use std::time::Duration;

/// Reads a duration: digits and one unit, nothing else. `None` if it is none, or longer than 100 years.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let duration = Duration::from_millis(number.checked_mul(millis)?);
    (duration <= LONGEST).then_some(duration)
}

/// Writes a duration in the largest unit that shows it whole.
pub(super) fn spell(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) =
        UNITS.into_iter().rev().find(|(_, size)| millis > 0 && millis.is_multiple_of(*size)).unwrap_or(("s", 1000));
    format!("{}{unit}", millis / size)
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Beyond a century a duration is a slip, and sums with it would need care everywhere.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, millis) in [
            ("250ms", Some(250)),
            ("0s", Some(0)),
            ("10s", Some(10_000)),
            ("15m", Some(900_000)),
            ("12h", Some(43_200_000)),
            ("30d", Some(2_592_000_000)),
            ("", None),
            ("10", None),
            ("s", None),
            ("1m30s", None),
            ("1.5s", None),
            ("-1s", None),
            ("+1s", None),
            ("10 s", None),
            ("10S", None),
            ("99999999999999999999s", None),
            ("36601d", None),
        ] {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn what_is_spelled_reads_back() {
        for text in ["250ms", "10s", "15m", "12h", "30d", "0s", "90s"] {
            assert_eq!(parse(text).map(spell).as_deref(), Some(text));
        }
    }
}
