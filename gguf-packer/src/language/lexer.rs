//! Lines of a file become lines of instructions: comments are dropped, continued lines are joined,
//! each byte keeps its place.

/// An instruction's line, continued lines joined, without its heredocs.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    /// Pairs of where a piece begins in `text` and in the file.
    pieces: Vec<(usize, usize)>,
    /// The first empty line between its lines.
    pub(super) gap: Option<usize>,
}

impl Line {
    /// Where the byte at `offset` of the text is in the file.
    pub(super) fn place(&self, offset: usize) -> usize {
        let piece = self.pieces.partition_point(|(start, _)| *start <= offset).max(1) - 1;
        let (start, place) = self.pieces[piece];
        place + (offset - start)
    }

    fn new() -> Self {
        Self { text: String::new(), pieces: Vec::new(), gap: None }
    }

    fn push(&mut self, piece: &str, place: usize) {
        self.pieces.push((self.text.len(), place));
        self.text.push_str(piece);
    }
}

/// Reads a file line by line.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    escape: char,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, escape: char) -> Self {
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at: mark, escape }
    }

    /// The next line with its end, and where it begins.
    pub(super) fn raw(&mut self) -> Option<(usize, &'a str)> {
        let rest = &self.text[self.at..];
        let line = rest.split_inclusive('\n').next()?;
        let at = self.at;
        self.at += line.len();
        Some((at, line))
    }

    /// The next instruction's line.
    pub(super) fn line(&mut self) -> Option<Line> {
        loop {
            let (at, raw) = self.raw()?;
            let text = raw.trim_end_matches(['\r', '\n']);
            let start = text.trim_start();
            if start.starts_with('#') {
                continue;
            }
            let place = at + (text.len() - start.len());
            let (piece, goes_on) = self.trim_continuation(start);
            if !goes_on && piece.is_empty() {
                continue;
            }
            let mut line = Line::new();
            line.push(piece, place);
            if goes_on {
                self.join(&mut line);
            }
            return Some(line);
        }
    }

    /// Appends the lines that continue `line`; comments and empty lines between them do not end it.
    fn join(&mut self, line: &mut Line) {
        while let Some((at, raw)) = self.raw() {
            let text = raw.trim_end_matches(['\r', '\n']);
            if text.trim_start().starts_with('#') {
                continue;
            }
            if text.trim().is_empty() {
                line.gap.get_or_insert(at);
                continue;
            }
            let (piece, goes_on) = self.trim_continuation(text);
            line.push(piece, at);
            if !goes_on {
                return;
            }
        }
    }

    /// The line without the escape character at its end, and whether it had one. An escape character
    /// before it takes its meaning away.
    fn trim_continuation<'t>(&self, text: &'t str) -> (&'t str, bool) {
        match text.trim_end_matches([' ', '\t']).strip_suffix(self.escape) {
            Some(rest) if !rest.ends_with(self.escape) => (rest, true),
            _ => (text, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text, '\\');
        std::iter::from_fn(|| lexer.line().map(|line| line.text)).collect()
    }

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        for (text, expected) in [
            ("a\nb", vec!["a", "b"]),
            ("\u{feff}a\r\nb\r\n", vec!["a", "b"]),
            ("a \\\nb", vec!["a b"]),
            ("a \\  \t\n  b", vec!["a   b"]),
            ("a \\\r\nb\r\n", vec!["a b"]),
            ("a \\\n# no\nb", vec!["a b"]),
            ("a \\\n  # no\n\n\\\nb", vec!["a b"]),
            ("  a # b", vec!["a # b"]),
            ("a \\\\\nb", vec!["a \\\\", "b"]),
            ("# c\n\n  # d\na", vec!["a"]),
            ("\\\na", vec!["a"]),
            ("a \\", vec!["a "]),
            ("", vec![]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
        assert_eq!(Lexer::new("a `\nb\\\n", '`').line().expect("a line").text, "a b\\");
    }

    #[test]
    fn each_byte_knows_its_place() {
        let text = "# one\n#\n# A says a\n  a \\\n\n  b";
        let line = Lexer::new(text, '\\').line().expect("a line");
        assert_eq!(line.text, "a   b");
        assert_eq!(line.place(0), text.find("a \\").expect("a"));
        assert_eq!(line.place(4), text.find('b').expect("b"));
        assert_eq!(line.gap, text.find("\n  b"));
    }
}
