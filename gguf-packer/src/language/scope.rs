//! Which variables have which values at a place of a file.

use std::collections::{BTreeMap, BTreeSet};

use super::lint::Rule;
use super::statement::Statement;
use super::suggest::nearest;
use super::variables::{Budget, Expander, Fault, Quoting, Use};
use super::walk::{Settings, Walk};
use super::words::Word;

/// Variables at a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) values: BTreeMap<String, String>,
    /// Declared, with a value or without.
    declared: BTreeSet<String>,
}

impl Scope {
    /// What a file has before its first line: the platforms, which a build argument may change.
    pub(super) fn of_platforms(settings: &Settings) -> Self {
        let mut scope = Self::default();
        for (name, value) in &settings.platform {
            let value = settings.build_args.get(name).unwrap_or(value);
            scope.values.insert(name.clone(), value.clone());
        }
        scope
    }

    pub(super) fn declare(&mut self, name: &str, value: Option<String>) {
        self.declared.insert(name.to_owned());
        if let Some(value) = value {
            self.values.insert(name.to_owned(), value);
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.declared.contains(name)
    }
}

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

impl Walk<'_> {
    /// The text with its values; a problem is noted and gives nothing.
    pub(super) fn expand(&mut self, text: Text<'_>, scope: &Scope) -> Option<String> {
        let source = &self.script.source;
        match expand(text, scope, &mut self.budget) {
            Ok((value, uses)) => {
                for used in uses.iter().filter(|used| !used.guarded && !scope.knows(&used.name)) {
                    let place = text.place.of(used.at);
                    let message = undefined(text.rule, used, scope);
                    self.findings.push(source.warning(place, Some(text.rule), message));
                }
                Some(value)
            }
            Err(fault) => {
                let problem = source.problem(text.place.of(fault.at), fault.what);
                self.problems.push(problem.hint(fault.hint));
                None
            }
        }
    }
}

type Expanded = Result<(String, BTreeSet<Use>), Fault>;

fn expand(text: Text<'_>, scope: &Scope, budget: &mut Budget) -> Expanded {
    Expander::new(text.text, (text.escape, text.quoting), &scope.values, budget).expand()
}

/// Expands and notes nothing.
pub(super) fn quietly(text: Text<'_>, scope: &Scope) -> Option<String> {
    expand(text, scope, &mut Budget::default()).ok().map(|(value, _)| value)
}

fn undefined(rule: Rule, used: &Use, scope: &Scope) -> String {
    let names = scope.values.keys().chain(&scope.declared).map(String::as_str);
    let meant = nearest(&used.name, names);
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
