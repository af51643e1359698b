//! What a person may have meant by a misspelt word.

/// The nearest of `known`, if it is near enough to be meant; case does not count.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    if word.len() > 64 {
        return None;
    }
    let limit = match word.len() {
        0..=2 => 0,
        3 => 1,
        4..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|known| known.len().abs_diff(word.len()) <= limit * 4 && known.len() <= 64)
        .take(200)
        .map(|known| (distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= limit && *distance < known.len().min(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Letters to add, drop, change or swap with their neighbour (Damerau and Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    // The first row and the first column count what is added and what is dropped.
    let mut rows: Vec<Vec<usize>> =
        (0..=from.len()).map(|i| (i..=i + to.len()).collect()).collect();
    for i in 1..=from.len() {
        for j in 1..=to.len() {
            let change = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["QUANTIZE", "CONVERT", "COPY", "CAT", "CMD"];
        for (word, meant) in [
            ("QUANTISE", Some("QUANTIZE")),
            ("copu", Some("COPY")),
            ("COPPY", Some("COPY")),
            ("CTA", Some("CAT")),
            ("DOG", None),
            ("BUT", None),
            ("WORKDIR", None),
            ("X", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
