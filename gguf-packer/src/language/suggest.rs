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
        // Letters to add, drop, change or swap with their neighbour.
        .map(|known| (strsim::osa_distance(&word, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= limit && *distance < known.len().min(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
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
