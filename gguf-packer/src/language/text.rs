//! Texts of a file: where each stands, and how it gets its values.

use std::collections::BTreeSet;

use super::fault::{Budget, Fault};
use super::rule::Rule;
use super::scope::Scope;
use super::statement::Statement;
use super::suggest::nearest;
use super::variables::{Expander, Quoting, Use};
use super::words::Word;

/// A text to expand and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) rule: Rule,
    pub(super) escape: char,
    pub(super) quoting: Quoting,
    pub(super) place: Place<'t>,
}

/// Where the bytes of a text are in the file.
#[derive(Clone, Copy)]
pub(super) enum Place<'t> {
    /// All of them here.
    At(usize),
    /// One after the other, from here on.
    From(usize),
    /// In an instruction's line, from this offset on.
    In(&'t Statement, usize),
}

impl Place<'_> {
    pub(super) fn of(&self, offset: usize) -> usize {
        match self {
            Self::At(place) => *place,
            Self::From(place) => place + offset,
            Self::In(statement, start) => statement.line.place(start + offset),
        }
    }
}

impl<'t> Text<'t> {
    /// A word of a statement; the strings of a list are text.
    pub(super) fn word(statement: &'t Statement, word: &'t Word, escape: char) -> Self {
        let (quoting, place) = if statement.json {
            (Quoting::Text, Place::At(statement.line.place(word.at)))
        } else {
            (Quoting::Word, Place::In(statement, word.at))
        };
        Self { text: &word.text, rule: Rule::UndefinedVar, escape, quoting, place }
    }
}

type Expanded = Result<(String, BTreeSet<Use>), Fault>;

/// The text with its values, and the variables that it named.
pub(super) fn expand(text: Text<'_>, scope: &Scope, budget: &mut Budget) -> Expanded {
    Expander::new(text.text, (text.escape, text.quoting), scope, budget).expand()
}

/// Expands and notes nothing.
pub(super) fn quietly(text: Text<'_>, scope: &Scope) -> Option<String> {
    expand(text, scope, &mut Budget::default()).ok().map(|(value, _)| value)
}

/// What is said of a variable that no `ARG` declares.
pub(super) fn undefined(rule: Rule, used: &Use, scope: &Scope) -> String {
    let meant = nearest(&used.name, scope.names());
    if rule == Rule::UndefinedArgInFrom {
        let meant = meant.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        format!("FROM argument '{}' is not declared{meant}", used.name)
    } else {
        let meant = meant.map(|name| format!(" (did you mean ${name}?)")).unwrap_or_default();
        format!("Usage of undefined variable '${}'{meant}", used.name)
    }
}

/// The variables of an `ARG`: each name, and what is behind its `=`.
pub(super) fn declarations(statement: &Statement) -> impl Iterator<Item = (&str, Option<Word>)> {
    statement.args.iter().map(|word| match word.text.split_once('=') {
        Some((name, value)) => {
            let at = word.at + name.len() + 1;
            (name, Some(Word { text: value.to_owned(), at }))
        }
        None => (word.text.as_str(), None),
    })
}
