//! Which paths an ignore file keeps out, as Docker's `.dockerignore` does: patterns from the root,
//! `**` for any folders, `!` for exceptions, the last that matches holds.

use super::source::{Errors, MOST, Source};

/// The longest pattern, in characters.
const LONGEST: usize = 4096;

/// The patterns of an ignore file, or of `--exclude`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ignore(Vec<Pattern>);

impl Ignore {
    /// Reads an ignore file; errors call it `file`.
    ///
    /// # Errors
    /// The lines that are no patterns.
    pub fn parse(text: &str, file: &str) -> Result<Self, Errors> {
        let source = Source::new(file, text);
        let (mut patterns, mut problems, mut at) = (Vec::new(), Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            let written = line.trim_start_matches('\u{feff}');
            if !written.starts_with('#') && !written.trim().is_empty() {
                match Pattern::parse(written) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(_) if problems.len() >= MOST => break,
                    Err(why) => {
                        let start = at + (line.len() - line.trim_start().len());
                        problems
                            .push(source.problem(start, why).hint("docs/*.md, or !docs/keep.md"));
                    }
                }
            }
            at += line.len();
        }
        Errors::check(problems)?;
        Ok(Self(patterns))
    }

    /// The patterns of `--exclude`.
    ///
    /// # Errors
    /// What is wrong with the first that is none.
    pub fn of<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, String> {
        patterns.into_iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `path` is kept out: `/` between its parts, whether or not one is at its beginning.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        let path = path.strip_prefix("./").unwrap_or(path);
        if path.is_empty() || path == "." {
            return false;
        }
        let mut excluded = false;
        for pattern in &self.0 {
            // Only a pattern that would change the answer is asked.
            if pattern.exception == excluded && pattern.matches_or_holds(path) {
                excluded = !pattern.exception;
            }
        }
        excluded
    }

    /// Whether something in the folder `path` may be wanted although the folder is kept out.
    #[must_use]
    pub fn may_hold_exceptions(&self, path: &str) -> bool {
        let path: Vec<char> = path.trim_matches('/').chars().collect();
        self.0.iter().any(|pattern| pattern.exception && pattern.may_match_below(&path))
    }
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
    exception: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character, not `/`.
    One,
    /// `*`: any characters, not `/`.
    Part,
    /// `**/`: any folders, also none.
    Folders,
    /// `**` at the end, or right before plain text: anything.
    Anything,
    /// `[…]`.
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

impl Pattern {
    /// Reads a pattern; `!` before it makes an exception of it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(written: &str) -> Result<Self, String> {
        let written = written.trim();
        let (exception, pattern) = match written.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, written),
        };
        let cleaned = clean(pattern);
        if pattern.is_empty() || cleaned.chars().count() > LONGEST {
            return Err(format!(
                "invalid pattern `{}`",
                written.chars().take(40).collect::<String>()
            ));
        }
        let tokens =
            tokens(&cleaned).map_err(|why| format!("invalid pattern `{written}`: {why}"))?;
        Ok(Self { tokens, exception })
    }

    /// Whether the whole `path` matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        self.ends(&path)[path.len()]
    }

    /// Whether `path` or a folder that holds it matches.
    fn matches_or_holds(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let ends = self.ends(&path);
        ends[path.len()] || path.iter().zip(&ends).any(|(c, ends)| *c == '/' && *ends)
    }

    /// At which places of `path` the pattern can end. It takes as long as both are long, multiplied.
    fn ends(&self, path: &[char]) -> Vec<bool> {
        let mut places = vec![false; path.len() + 1];
        places[0] = true;
        for token in &self.tokens {
            places = token.step(&places, path);
        }
        places
    }

    /// Whether it may match something in the folder: its parts fit those of the folder as far as both go.
    fn may_match_below(&self, folder: &[char]) -> bool {
        let mut parts = self.tokens.split(|token| *token == Token::Char('/'));
        for have in folder.split(|c| *c == '/') {
            let Some(want) = parts.next() else { return true };
            if want.iter().any(|token| {
                matches!(token, Token::Folders | Token::Anything | Token::Class { .. })
            }) {
                return true;
            }
            let part = Self { tokens: want.to_vec(), exception: false };
            if !part.ends(have)[have.len()] {
                return false;
            }
        }
        true
    }
}

impl Token {
    /// The places of `path` where it can end when it can begin at `places`.
    fn step(&self, places: &[bool], path: &[char]) -> Vec<bool> {
        let mut next = vec![false; places.len()];
        match self {
            Self::Char(_) | Self::One | Self::Class { .. } => {
                for (at, c) in path.iter().enumerate() {
                    next[at + 1] = places[at] && self.takes(*c);
                }
            }
            Self::Part | Self::Anything => {
                let mut open = false;
                for (at, place) in places.iter().enumerate() {
                    let crosses = *self == Self::Part && at > 0 && path[at - 1] == '/';
                    open = (open && !crosses) || *place;
                    next[at] = open;
                }
            }
            Self::Folders => {
                let mut open = false;
                for (at, place) in places.iter().enumerate() {
                    next[at] = *place || (open && at > 0 && path[at - 1] == '/');
                    open |= *place;
                }
            }
        }
        next
    }

    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(want) => *want == c,
            Self::One => c != '/',
            Self::Class { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
            Self::Part | Self::Folders | Self::Anything => false,
        }
    }
}

/// The path without `.`, `..`, doubled slashes and slashes at its ends.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.last().is_none_or(|last| *last == "..") && !path.starts_with('/') {
                    parts.push("..");
                } else {
                    parts.pop();
                }
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

fn tokens(pattern: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                let slash = chars.next_if_eq(&'/').is_some();
                let plain = |rest: &str| !rest.contains(['*', '?', '[', '\\']);
                // `**name` at the beginning takes any name that ends so, as in Docker.
                let ending = tokens.is_empty() && !slash && plain(&pattern[2..]);
                if chars.peek().is_none() || ending { Token::Anything } else { Token::Folders }
            }
            '*' => Token::Part,
            '?' => Token::One,
            '[' => class(&mut chars)?,
            '\\' => Token::Char(chars.next().ok_or("nothing follows the `\\`")?),
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

/// What stands between `[` and `]`.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
            return Ok(Token::Class { ranges, negated });
        }
        let from = member(chars)?;
        let to = if chars.next_if_eq(&'-').is_some() { member(chars)? } else { from };
        ranges.push((from, to));
    }
}

fn member(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, &'static str> {
    const OPEN: &str = "a `[` is not closed";
    match chars.next().ok_or(OPEN)? {
        '-' | ']' => Err("a `-` or `]` in brackets needs a `\\` before it"),
        '\\' => chars.next().ok_or(OPEN),
        c => Ok(c),
    }
}

#[cfg(test)]
#[path = "ignore_tests.rs"]
mod tests;
