//! The text of a file with its places, and what is wrong at one of them: the place, the line, a caret
//! under it, and what to write.

use std::fmt;

use super::instruction::Position;

/// Problems, and warnings, after which nobody looks for more.
pub(super) const MOST: usize = 200;
/// Problems told before the rest is only counted.
const SHOWN: usize = 20;
/// Characters of a line that are shown, before and after the place.
const BEFORE: usize = 60;
const AFTER: usize = 40;

/// The text of one file.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: String,
    text: String,
    starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { file: file.to_owned(), text: text.to_owned(), starts }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The place of the byte at `offset`.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        let mark = usize::from(before.starts_with('\u{feff}'));
        Position { line, column: before.chars().count() + 1 - mark }
    }

    /// Says that `what` is wrong at `offset`.
    pub(super) fn problem(&self, offset: usize, what: impl Into<String>) -> Problem {
        let at = self.position(offset);
        let (file, excerpt) = (self.file.clone(), self.excerpt(at));
        Problem { file, at, what: what.into(), hints: Vec::new(), excerpt }
    }

    /// The part of a line around a place, and the place's column in it, counted from 0.
    fn excerpt(&self, at: Position) -> (String, usize) {
        let line = self.text[self.starts[at.line - 1]..].split('\n').next().unwrap_or_default();
        let line = line.trim_start_matches('\u{feff}').trim_end();
        let from = (at.column - 1).saturating_sub(BEFORE);
        let mut rest = line.chars().skip(from);
        let part: String = rest.by_ref().take(at.column - 1 - from + AFTER).collect();
        let column = (at.column - 1 - from).min(part.chars().count());
        let part = part.replace(char::is_control, " ");
        let (left, right) =
            (if from > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
        (format!("{left}{part}{right}"), column + left.chars().count())
    }
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the person named it.
    pub file: String,
    /// Where.
    pub at: Position,
    /// What, lower case, without a full stop.
    pub what: String,
    /// What to write instead.
    pub hints: Vec<String>,
    excerpt: (String, usize),
}

impl Problem {
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.at;
        write!(f, "{}:{line}:{column}: {}", self.file, self.what)?;
        let (text, caret) = &self.excerpt;
        let number = line.to_string();
        write!(f, "\n  {number} | {text}")?;
        write!(f, "\n  {:width$} | {:caret$}^", "", "", width = number.len())?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// All that is wrong in a file, in its order; one thing at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(Vec<Problem>);

impl Errors {
    /// `Ok` when nothing is wrong.
    pub(super) fn check(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.sort_by_key(|problem| problem.at);
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// Each of them.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{problem}", if index > 0 { "\n" } else { "" })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more errors"),
        }
    }
}

impl std::error::Error for Errors {}

impl From<Errors> for crate::Error {
    fn from(errors: Errors) -> Self {
        Self::new(errors.to_string())
    }
}

/// Something that works, and should be otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file, as the person named it.
    pub file: String,
    /// Where, if it is about a place.
    pub at: Option<Position>,
    /// The rule that it breaks, if it is one of the checks.
    pub rule: Option<super::rule::Rule>,
    /// What it is about.
    pub message: String,
}

impl Source {
    pub(super) fn warning(
        &self,
        offset: usize,
        rule: Option<super::rule::Rule>,
        message: impl Into<String>,
    ) -> Warning {
        let at = Some(self.position(offset));
        Warning { file: self.file.clone(), at, rule, message: message.into() }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(rule) = self.rule {
            write!(f, ": {rule}")?;
        }
        write!(f, ": {}", self.message)
    }
}
