//! Numbers in decimal. The formatter of the standard library takes some hundred instructions for each; an access line has eleven.

/// Appends `value`, with zeros before it until it has `width` digits, of which there are twenty at most.
pub(super) fn push(out: &mut String, value: u64, width: usize) {
    let mut digits = [b'0'; MOST];
    let (mut rest, mut used) = (value, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(MOST - used.max(width).min(MOST)) {
        out.push(char::from(*digit));
    }
}

/// As many as the largest `u64` has.
const MOST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_formatter_writes() {
        let mut values: Vec<u64> = (0..20).flat_map(|power| [10_u64.pow(power) - 1, 10_u64.pow(power)]).collect();
        values.extend([7, 42, 1_767_323_045, u64::MAX - 1, u64::MAX]);
        for value in values {
            for width in [0, 1, 2, 3, 4, 20] {
                let mut out = "x".to_owned();
                push(&mut out, value, width);
                assert_eq!(out, format!("x{value:0width$}"));
            }
        }
    }
}
