//! Values for `$name` and `${name…}`, quotes and escapes, as BuildKit's shell lexer has them.

use std::collections::BTreeSet;

use super::fault::{Budget, Fault, fault, modifier, open_quote, too_much};
use super::glob::Glob;
use super::scope::Scope;

/// The longest value, in bytes.
pub(super) const LONGEST: usize = 1 << 20;
/// Braces in braces.
const DEEPEST: usize = 64;

/// What the quotes and escapes of a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    /// A word: `'…'` is as it stands, `"…"` keeps spaces, an escape takes the meaning of the next
    /// character away.
    Word,
    /// The text of a heredoc or of a JSON string: quotes are text, an escape counts only before `$` and
    /// itself, so that `\n` of a chat template stays.
    Text,
}

/// A variable that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) at: usize,
    /// Whether the file says what to do without a value: `${name:-…}`.
    pub(super) guarded: bool,
}

/// Expands variables in one text.
pub(super) struct Expander<'a> {
    text: &'a str,
    at: usize,
    escape: char,
    quoting: Quoting,
    raw_escapes: bool,
    depth: usize,
    scope: &'a Scope,
    budget: &'a mut Budget,
    uses: BTreeSet<Use>,
}

impl<'a> Expander<'a> {
    pub(super) fn new(
        text: &'a str,
        (escape, quoting): (char, Quoting),
        scope: &'a Scope,
        budget: &'a mut Budget,
    ) -> Self {
        let uses = BTreeSet::new();
        Self { text, at: 0, escape, quoting, raw_escapes: false, depth: 0, scope, budget, uses }
    }

    /// The text with its values, and the variables it named.
    pub(super) fn expand(mut self) -> Result<(String, BTreeSet<Use>), Fault> {
        let text = self.until(None, false)?;
        Ok((text, self.uses))
    }

    /// Everything up to `stop`, which is passed over, or to the end.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<String, Fault> {
        let outer = std::mem::replace(&mut self.raw_escapes, raw_escapes);
        let mut out = String::new();
        let result = loop {
            let Some(c) = self.peek() else {
                break stop.map_or(Ok(()), |stop| Err(self.missing(stop)));
            };
            if Some(c) == stop {
                self.next();
                break Ok(());
            }
            if let Err(fault) = self.piece(c, stop, &mut out) {
                break Err(fault);
            }
        };
        self.raw_escapes = outer;
        result.map(|()| out)
    }

    fn piece(&mut self, c: char, stop: Option<char>, out: &mut String) -> Result<(), Fault> {
        let at = self.at;
        match (c, self.quoting) {
            ('$', _) => {
                let value = self.dollar()?;
                out.push_str(&value);
                self.spend(at, value.len(), out)
            }
            ('\'', Quoting::Word) => self.single_quoted(out),
            ('"', Quoting::Word) => self.double_quoted(out),
            (c, _) if c == self.escape => {
                self.next();
                self.escaped(stop, out);
                Ok(())
            }
            _ => {
                self.next();
                out.push(c);
                self.spend(at, c.len_utf8(), out)
            }
        }
    }

    /// What follows an escape character outside of quotes.
    fn escaped(&mut self, stop: Option<char>, out: &mut String) {
        let next = self.peek();
        let counts = match self.quoting {
            Quoting::Word => true,
            Quoting::Text => match next {
                Some(c) => c == '$' || c == '\n' || c == self.escape || Some(c) == stop,
                None => false,
            },
        };
        if self.raw_escapes || !counts {
            out.push(self.escape);
        }
        if counts || self.raw_escapes {
            out.extend(self.next());
        }
    }

    fn single_quoted(&mut self, out: &mut String) -> Result<(), Fault> {
        let at = self.at;
        self.next();
        let rest = &self.text[self.at..];
        let end = rest.find('\'').ok_or_else(|| open_quote(at, '\''))?;
        out.push_str(&rest[..end]);
        self.at += end + 1;
        self.spend(at, end, out)
    }

    fn double_quoted(&mut self, out: &mut String) -> Result<(), Fault> {
        let at = self.at;
        self.next();
        loop {
            match self.peek() {
                None => return Err(open_quote(at, '"')),
                Some('"') => {
                    self.next();
                    return Ok(());
                }
                Some('$') => {
                    let value = self.dollar()?;
                    out.push_str(&value);
                    self.spend(at, value.len(), out)?;
                }
                Some(c) => {
                    self.next();
                    self.in_double_quotes(c, out);
                    self.spend(at, c.len_utf8(), out)?;
                }
            }
        }
    }

    fn in_double_quotes(&mut self, c: char, out: &mut String) {
        if c != self.escape {
            out.push(c);
            return;
        }
        if self.raw_escapes {
            out.push(c);
        }
        match self.peek() {
            Some(next) if next == '"' || next == '$' || next == self.escape => {
                self.next();
                out.push(next);
            }
            // An escape character at the end is dropped; before anything else it is text.
            Some(_) if !self.raw_escapes => out.push(c),
            _ => {}
        }
    }

    fn dollar(&mut self) -> Result<String, Fault> {
        let at = self.at;
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(self.value(&name, at, false).unwrap_or_default().to_owned());
        }
        self.next();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_much(at, format!("more than {DEEPEST} nested braces")));
        }
        let value = self.braced(at);
        self.depth -= 1;
        value
    }

    /// What stands between `${` and `}`.
    fn braced(&mut self, at: usize) -> Result<String, Fault> {
        if self.peek().is_none() {
            return Err(fault(at, "this `${` is not closed"));
        }
        let name = self.name();
        if name.is_empty() {
            return Err(fault(at, "`${` without a name"));
        }
        match self.next() {
            None => Err(fault(at, "this `${` is not closed")),
            Some('}') => Ok(self.value(&name, at, false).unwrap_or_default().to_owned()),
            Some(':') => match self.next() {
                Some(c @ ('-' | '+' | '?')) => self.alternative(&name, at, c, true),
                Some(c @ ('#' | '%')) => self.trimmed(&name, at, c),
                other => Err(modifier(at, ':', other)),
            },
            Some(c @ ('-' | '+' | '?')) => self.alternative(&name, at, c, false),
            Some(c @ ('#' | '%')) => self.trimmed(&name, at, c),
            Some('/') => self.replaced(&name, at),
            Some(c) => Err(modifier(at, c, None)),
        }
    }

    /// `${name-word}`, `${name+word}`, `${name?word}`, each with a colon too.
    fn alternative(
        &mut self,
        name: &str,
        at: usize,
        kind: char,
        empty_counts: bool,
    ) -> Result<String, Fault> {
        let word = self.until(Some('}'), false)?;
        let value = self.value(name, at, true);
        let there = value.filter(|value| !(empty_counts && value.is_empty()));
        match (kind, there) {
            ('-', None) => Ok(word),
            ('-' | '?', Some(value)) => Ok(value.to_owned()),
            ('+', None) => Ok(String::new()),
            ('+', Some(_)) => Ok(word),
            _ => {
                let why = if value.is_some() { "is empty" } else { "has no value" };
                let what = if word.is_empty() {
                    format!("`{name}` {why}")
                } else {
                    format!("{name}: {word}")
                };
                // A build argument reaches only variables that the file declares.
                let hint = if self.scope.knows(name) {
                    format!("--build-arg {name}=VALUE")
                } else {
                    format!("declare it in a line before: ARG {name}")
                };
                Err(Fault { at, what, hint })
            }
        }
    }

    /// `${name#pattern}`, `##`, `%`, `%%`.
    fn trimmed(&mut self, name: &str, at: usize, kind: char) -> Result<String, Fault> {
        let word = self.until(Some('}'), true)?;
        let longest = word.strip_prefix(kind);
        let glob = self.glob(longest.unwrap_or(&word), at)?;
        let mut text: Vec<char> = self.value(name, at, false).unwrap_or_default().chars().collect();
        self.compare(text.len(), word.len(), at)?;
        if kind == '#' {
            let end = glob.find(&text, 0, true, longest.is_some()).map_or(0, |found| found.end);
            return Ok(text[end..].iter().collect());
        }
        text.reverse();
        let found = glob.reversed().find(&text, 0, true, longest.is_some());
        let end = found.map_or(0, |found| found.end);
        Ok(text[end..].iter().rev().collect())
    }

    /// `${name/pattern/word}` and `${name//pattern/word}`.
    fn replaced(&mut self, name: &str, at: usize) -> Result<String, Fault> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.until(Some('/'), true)?;
        let word = self.until(Some('}'), true)?;
        let glob = self.glob(&pattern, at)?;
        let text: Vec<char> = self.value(name, at, false).unwrap_or_default().chars().collect();
        self.compare(text.len(), pattern.len(), at)?;
        let mut out = String::new();
        let (mut from, mut copied, mut ended) = (0, 0, None);
        while let Some(found) = glob.find(&text, from, false, true) {
            out.extend(&text[copied..found.start]);
            // Nothing that is found right behind a match is no match of its own.
            if !(found.is_empty() && ended == Some(found.start)) {
                out.push_str(&word);
            }
            (copied, ended) = (found.end, Some(found.end));
            self.spend(at, found.len() + word.len(), &out)?;
            from = found.end.max(found.start + usize::from(found.is_empty()));
            if !all || from > text.len() {
                break;
            }
        }
        out.extend(&text[copied..]);
        Ok(out)
    }

    fn glob(&self, pattern: &str, at: usize) -> Result<Glob, Fault> {
        Glob::parse(pattern, self.escape).map_err(|what| {
            let hint = format!(
                "write {0}* {0}? {0}}} {0}/ {0}{0} for the characters themselves",
                self.escape
            );
            Fault { at, what, hint }
        })
    }

    /// The name of a variable, a number, or one sign.
    fn name(&mut self) -> String {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().unwrap_or(' ');
        let length = if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
        } else if "@*#?-$!".contains(first) {
            1
        } else {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        };
        self.at += length;
        rest[..length].to_owned()
    }

    fn value(&mut self, name: &str, at: usize, guarded: bool) -> Option<&'a str> {
        self.uses.insert(Use { name: name.to_owned(), at, guarded });
        self.scope.value(name)
    }

    fn missing(&self, stop: char) -> Fault {
        let what =
            if stop == '/' { "a `/` is missing in `${…/…/…}`" } else { "a `}` is missing" };
        fault(self.text.len(), what)
    }

    fn spend(&mut self, at: usize, bytes: usize, out: &str) -> Result<(), Fault> {
        if out.len() > LONGEST {
            return Err(too_much(at, format!("the value is longer than {LONGEST} bytes")));
        }
        match self.budget.bytes.checked_sub(bytes) {
            Some(left) => self.budget.bytes = left,
            None => return Err(too_much(at, "all values in this file together are too long")),
        }
        Ok(())
    }

    fn compare(&mut self, text: usize, pattern: usize, at: usize) -> Result<(), Fault> {
        match self.budget.steps.checked_sub(text.saturating_mul(pattern.max(1))) {
            Some(left) => self.budget.steps = left,
            None => return Err(too_much(at, "this file matches too many patterns")),
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
