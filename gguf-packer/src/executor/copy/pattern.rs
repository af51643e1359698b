//! Patterns of one name, as Go's `filepath.Match` reads them: `*`, `?`, `[a-z]`, `[^a]`, `\x`.

/// Whether `text` has anything that makes it a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '*' | '?' | '[' => return true,
            '\\' => {
                chars.next();
            }
            _ => {}
        }
    }
    false
}

/// `text` without the backslashes that keep a character from being a pattern.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(if char == '\\' { chars.next().unwrap_or('\\') } else { char });
    }
    out
}

/// Whether `name` is one that `pattern` means; a broken pattern means none.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut retry = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, n));
            p += 1;
            continue;
        }
        match (p < pattern.len(), n < name.len()) {
            (false, false) => return true,
            (true, true) => {
                if let Some(width) = one(&pattern[p..], name[n]) {
                    (p, n) = (p + width, n + 1);
                    continue;
                }
            }
            _ => {}
        }
        match retry {
            Some((star, from)) if from < name.len() => {
                retry = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// How many characters of the pattern were needed to take `char`; nothing when they do not.
fn one(pattern: &[char], char: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => class(pattern, char),
        '\\' => (pattern.get(1) == Some(&char)).then_some(2),
        plain => (plain == char).then_some(1),
    }
}

fn class(pattern: &[char], char: char) -> Option<usize> {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let (first, mut hit) = (at, false);
    loop {
        if pattern.get(at) == Some(&']') && at > first {
            return (hit != negated).then_some(at + 1);
        }
        let low = class_char(pattern, &mut at)?;
        let high = if pattern.get(at) == Some(&'-') {
            at += 1;
            class_char(pattern, &mut at)?
        } else {
            low
        };
        hit |= (low..=high).contains(&char);
    }
}

fn class_char(pattern: &[char], at: &mut usize) -> Option<char> {
    match pattern.get(*at)? {
        '\\' => *at += 1,
        '-' | ']' => return None,
        _ => {}
    }
    let char = pattern.get(*at).copied()?;
    *at += 1;
    Some(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_go_matches_them() {
        for (pattern, name, expected) in [
            ("*.gguf", "a.gguf", true),
            ("*.gguf", "a.gguf.txt", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.x", "ä.x", true),
            ("?.x", ".x", false),
            ("[a-c]1", "b1", true),
            ("[a-c]1", "d1", false),
            ("[^a-c]1", "d1", true),
            ("[^a-c]1", "a1", false),
            ("[]a]", "]", false),
            ("arr[[]0].txt", "arr[0].txt", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]x]", "]", true),
            ("[a", "a", false),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(is_pattern("a[") && is_pattern("\\a*") && !is_pattern("\\*") && !is_pattern("a"));
        assert_eq!(literal("\\*a\\\\"), "*a\\");
    }

    #[test]
    fn many_stars_take_no_time() {
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }
}
