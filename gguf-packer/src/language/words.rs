//! Words of a line: split at white space, quotes and escapes kept for the expansion of variables.

/// A word as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Where it begins in its line.
    pub(super) at: usize,
}

/// Splits `line[from..]` into words: what stands in `'…'`, `"…"` and `${…}` belongs to one word, and
/// so does what follows the escape character. Tells where something begins that does not end, and what.
pub(super) fn split(line: &str, from: usize, escape: char) -> (Vec<Word>, Option<(usize, String)>) {
    let (mut words, mut start) = (Vec::new(), None);
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut chars = line[from..].char_indices().map(|(index, c)| (from + index, c)).peekable();
    while let Some((at, c)) = chars.next() {
        if c.is_whitespace() && open.is_empty() {
            if let Some(start) = start.take() {
                words.push(Word { text: line[start..at].to_owned(), at: start });
            }
            continue;
        }
        start.get_or_insert(at);
        let within = open.last().map(|(_, end)| *end);
        if Some(c) == within {
            open.pop();
        } else if within == Some('\'') {
            // Nothing has a meaning here.
        } else if c == escape {
            chars.next();
        } else if c == '$' && chars.next_if(|(_, c)| *c == '{').is_some() {
            open.push((at, '}'));
        } else if c == '"' || (c == '\'' && within != Some('"')) {
            open.push((at, c));
        }
    }
    if let Some(start) = start {
        words.push(Word { text: line[start..].to_owned(), at: start });
    }
    let open = open.first().map(|(at, end)| match end {
        '}' => (*at, "${".to_owned()),
        quote => (*at, quote.to_string()),
    });
    (words, open)
}

/// What `<<EOF` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The line that ends the text.
    pub(super) name: String,
    /// Whether variables have their values in the text: the name is not quoted.
    pub(super) expand: bool,
    /// Whether tabs at the beginning of lines are dropped: `<<-EOF`.
    pub(super) strip: bool,
}

/// Reads `<<EOF`, `<<-EOF`, `<<"EOF"` and `3<<EOF`.
pub(super) fn heredoc(word: &str) -> Option<Mark> {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let strip = word.starts_with('-');
    let written = word.strip_prefix('-').unwrap_or(word);
    if written.contains('<') {
        return None;
    }
    let (name, quoted) = unquote(written)?;
    (!name.is_empty()).then_some(Mark { name, expand: !quoted, strip })
}

/// Drops quotes and escapes; `None` when a quote is not closed.
fn unquote(written: &str) -> Option<(String, bool)> {
    let (mut text, mut quote, mut quoted) = (String::new(), None, false);
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) => text.extend(chars.next()),
            ('"' | '\'', None) => (quote, quoted) = (Some(c), true),
            _ => text.push(c),
        }
    }
    quote.is_none().then_some((text, quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        for (line, expected) in [
            ("", vec![]),
            ("  a  b\t", vec!["a", "b"]),
            (r#"a="b c" d"#, vec![r#"a="b c""#, "d"]),
            (r#"'a "b' c"#, vec![r#"'a "b'"#, "c"]),
            (r#""a \" b" c"#, vec![r#""a \" b""#, "c"]),
            (r"a\ b c", vec![r"a\ b", "c"]),
            (r"'a\' b", vec![r"'a\'", "b"]),
            (r#"a "b c"#, vec!["a", r#""b c"#]),
            ("é ü", vec!["é", "ü"]),
            (r"a\", vec![r"a\"]),
            ("${a:-b c} d", vec!["${a:-b c}", "d"]),
            ("${a:-${b c}} d} e", vec!["${a:-${b c}}", "d}", "e"]),
            ("\"${a:-\"b c\"}\" d", vec!["\"${a:-\"b c\"}\"", "d"]),
            ("'${a' b", vec!["'${a'", "b"]),
            (r"\${a b", vec![r"\${a", "b"]),
        ] {
            let (words, open) = split(line, 0, '\\');
            assert_eq!(open.is_some(), line == r#"a "b c"#, "{line}");
            assert_eq!(words.iter().map(|w| &w.text).collect::<Vec<_>>(), expected, "{line}");
            assert!(words.iter().all(|w| line[w.at..].starts_with(&w.text)), "{line}");
        }
        assert_eq!(split("a` b", 0, '`').0.len(), 1);
        for (line, open) in [("a 'b", (2, "'")), ("\"a'", (0, "\"")), ("é ${a:-'b'", (3, "${"))] {
            assert_eq!(split(line, 0, '\\').1, Some((open.0, open.1.to_owned())), "{line}");
        }
    }

    #[test]
    fn marks_of_heredocs() {
        let mark = |name: &str, expand, strip| Some(Mark { name: name.into(), expand, strip });
        for (word, expected) in [
            ("<<EOF", mark("EOF", true, false)),
            ("<<-EOF", mark("EOF", true, true)),
            ("<<'EOF'", mark("EOF", false, false)),
            ("<<-\"E O F\"", mark("E O F", false, true)),
            ("<<E\"O\"F", mark("EOF", false, false)),
            ("3<<EOF", mark("EOF", true, false)),
            ("<<", None),
            ("<<''", None),
            ("<<'EOF", None),
            ("<<<EOF", None),
            ("a<<EOF", None),
            ("EOF", None),
        ] {
            assert_eq!(heredoc(word), expected, "{word}");
        }
    }
}
