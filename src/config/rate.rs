//! How often something may happen, as it is written: `10/5m`.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use crate::users::Allowance;

/// Reads digits, a slash and a duration, nothing else. `None` if it is none, or nothing could ever happen.
pub(super) fn parse(text: &str) -> Option<Allowance> {
    let (number, within) = text.split_once('/')?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let failures = number.parse::<NonZeroU32>().ok().filter(|_| is_number)?;
    Some(Allowance { failures, within: duration::parse(within)? })
}

/// A longer one is a lock-out, not a throttle.
pub(super) const WINDOWS: RangeInclusive<Duration> = Allowance::SHORTEST..=Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_a_slash_and_a_duration() {
        for (text, expected) in [
            ("10/5m", Some((10, 300_000))),
            ("1/1s", Some((1, 1000))),
            ("50/250ms", Some((50, 250))),
            ("010/5m", Some((10, 300_000))),
            ("0/5m", None),
            ("+1/5m", None),
            ("-1/5m", None),
            ("/5m", None),
            ("10", None),
            ("10/", None),
            ("10/5", None),
            ("10 / 5m", None),
            ("10/m", None),
            ("10/5m/", None),
            ("4294967296/5m", None),
            ("", None),
        ] {
            let found = parse(text).map(|rate| (rate.failures.get(), rate.within.as_millis()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
