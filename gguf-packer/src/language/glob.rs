//! Patterns of `${name#pattern}` and its kin: `*` is any text, `?` one character, a backslash takes
//! their meaning away. The time is bounded by the lengths of pattern and text multiplied.

use std::ops::Range;

/// Pieces between the stars; in a piece `None` is any one character.
pub(super) struct Glob(Vec<Vec<Option<char>>>);

impl Glob {
    /// Reads a pattern; the escape character may stand before itself, `*`, `?`, `}` and `/` only.
    pub(super) fn parse(pattern: &str, escape: char) -> Result<Self, String> {
        let mut pieces = vec![Vec::new()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let next = match c {
                '*' => {
                    pieces.push(Vec::new());
                    continue;
                }
                '?' => None,
                c if c == escape => match chars.next() {
                    Some(c) if c == escape || "*?}/".contains(c) => Some(c),
                    Some(c) => return Err(format!("invalid escape `{escape}{c}` in a pattern")),
                    None => return Err(format!("the pattern ends with `{escape}`")),
                },
                c => Some(c),
            };
            pieces.last_mut().expect("there is one piece from the beginning").push(next);
        }
        Ok(Self(pieces))
    }

    /// The same pattern for the text read backwards.
    pub(super) fn reversed(mut self) -> Self {
        self.0.reverse();
        self.0.iter_mut().for_each(|piece| piece.reverse());
        self
    }

    /// The first place in `text[from..]` where it matches: as much as it can when `greedy`, else as
    /// little; only at `from` when `anchored`.
    pub(super) fn find(
        &self,
        text: &[char],
        from: usize,
        anchored: bool,
        greedy: bool,
    ) -> Option<Range<usize>> {
        let (first, others) = self.0.split_first().expect("there is one piece from the beginning");
        let start = if anchored {
            starts(text, from, first).then_some(from)
        } else {
            seek(text, from, first)
        }?;
        let mut end = start + first.len();
        for (index, piece) in others.iter().enumerate() {
            // The last star of a greedy pattern takes all that leaves room for the last piece.
            let last = greedy && index + 1 == others.len();
            let at = if last { seek_back(text, end, piece) } else { seek(text, end, piece) }?;
            end = at + piece.len();
        }
        Some(start..end)
    }
}

fn starts(text: &[char], at: usize, piece: &[Option<char>]) -> bool {
    text.len() >= at + piece.len()
        && piece.iter().zip(&text[at..]).all(|(want, have)| want.is_none_or(|want| want == *have))
}

fn seek(text: &[char], from: usize, piece: &[Option<char>]) -> Option<usize> {
    (from..=text.len()).find(|at| starts(text, *at, piece))
}

fn seek_back(text: &[char], from: usize, piece: &[Option<char>]) -> Option<usize> {
    (from..=text.len()).rev().find(|at| starts(text, *at, piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, text: &str, anchored: bool, greedy: bool) -> Option<Range<usize>> {
        let text: Vec<char> = text.chars().collect();
        Glob::parse(pattern, '\\').expect("a pattern").find(&text, 0, anchored, greedy)
    }

    #[test]
    fn patterns_find_the_shortest_and_the_longest() {
        for (pattern, text, anchored, greedy, expected) in [
            ("a", "bab", false, false, Some(1..2)),
            ("a", "bab", true, false, None),
            ("?b", "bab", false, false, Some(1..3)),
            ("*b", "abab", true, false, Some(0..2)),
            ("*b", "abab", true, true, Some(0..4)),
            ("b*b", "abab", false, true, Some(1..4)),
            ("*", "ab", true, false, Some(0..0)),
            ("*", "ab", true, true, Some(0..2)),
            ("a*c*e", "abcdecde", true, false, Some(0..5)),
            ("a*c*e", "abcdecde", true, true, Some(0..8)),
            ("a*x", "abc", false, true, None),
            (r"\*\?\}\/\\", r"*?}/\", true, false, Some(0..5)),
            ("", "ab", false, false, Some(0..0)),
        ] {
            assert_eq!(find(pattern, text, anchored, greedy), expected, "{pattern} in {text}");
        }
        for broken in [r"\", r"\x", r"a\"] {
            assert!(Glob::parse(broken, '\\').is_err(), "{broken}");
        }
    }
}
