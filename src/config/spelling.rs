//! Which word was meant.

/// The word nearest to `written`, if it is near enough to be a slip.
pub(super) fn closest(written: &str, words: &[&'static str]) -> Option<&'static str> {
    let allowed = written.chars().count() / 3;
    let folded = fold(written);
    words
        .iter()
        .map(|word| (distance(&folded, &fold(word)), *word))
        .filter(|(distance, _)| *distance <= allowed.min(MAX_DISTANCE))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Words for a sentence: `a`, `b` and `c`.
pub(super) fn listed(words: &[&'static str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "none".to_owned(),
    }
}

fn fold(word: &str) -> Vec<char> {
    word.chars()
        .take(MAX_LENGTH)
        .filter(|letter| !matches!(letter, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Levenshtein's distance.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut left = index + 1;
        next.push(left);
        for (pair, wanted) in row.windows(2).zip(other) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(letter != wanted)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// More changed letters than this are another word.
const MAX_DISTANCE: usize = 2;

/// No key is longer.
const MAX_LENGTH: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_finds_none() {
        let words = ["audience", "access_ttl", "listen", "file"];
        for (written, meant) in [
            ("audiance", Some("audience")),
            ("accessTtl", Some("access_ttl")),
            ("access-ttl", Some("access_ttl")),
            ("lissten", Some("listen")),
            ("fil", Some("file")),
            ("x", None),
            ("hunter", None),
            ("trusted_issuers", None),
        ] {
            assert_eq!(closest(written, &words), meant, "{written}");
        }
    }
}
