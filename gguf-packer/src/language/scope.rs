//! Which variables have which values at a place of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::fault::{Budget, Fault};
use super::lint::Rule;
use super::source::MOST;
use super::statement::Statement;
use super::suggest::nearest;
use super::variables::{Expander, Quoting, Use};
use super::walk::{Settings, Walk};
use super::words::Word;

/// Variables at a place. Those of the stage that a stage is based on are shared, not copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Declared here, with a value or without.
    own: BTreeMap<String, Option<String>>,
    outer: Option<Rc<Scope>>,
}

impl Scope {
    /// What a file has before its first line: the platforms, which a build argument may change.
    pub(super) fn of_platforms(settings: &Settings) -> Self {
        let value = |(name, value): (&String, &String)| {
            let value = settings.build_args.get(name).unwrap_or(value);
            (name.clone(), Some(value.clone()))
        };
        Self { own: settings.platform.iter().map(value).collect(), outer: None }
    }

    /// A scope that begins with all that this one has.
    pub(super) fn within(outer: &Rc<Self>) -> Self {
        Self { own: BTreeMap::new(), outer: Some(Rc::clone(outer)) }
    }

    /// Declares a variable; without a value it keeps the one that it has.
    pub(super) fn declare(&mut self, name: &str, value: Option<String>) {
        let before = value.is_none().then(|| self.value(name).map(str::to_owned)).flatten();
        self.own.insert(name.to_owned(), value.or(before));
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let declared = self.chain().find_map(|scope| scope.own.get(name));
        declared.and_then(|value| value.as_deref())
    }

    fn knows(&self, name: &str) -> bool {
        self.chain().any(|scope| scope.own.contains_key(name))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.chain().flat_map(|scope| scope.own.keys().map(String::as_str))
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outer.as_deref())
    }
}

impl Drop for Scope {
    /// Without recursion: a file may have many stages based on each other.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(scope) = outer {
            outer = Rc::try_unwrap(scope).ok().and_then(|mut scope| scope.outer.take());
        }
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
                    if self.findings.len() >= MOST {
                        break;
                    }
                    let place = text.place.of(used.at);
                    let message = undefined(text.rule, used, scope);
                    self.findings.push(source.warning(place, Some(text.rule), message));
                }
                Some(value)
            }
            Err(fault) => {
                self.problem(text.place.of(fault.at), fault.what, fault.hint);
                None
            }
        }
    }
}

type Expanded = Result<(String, BTreeSet<Use>), Fault>;

fn expand(text: Text<'_>, scope: &Scope, budget: &mut Budget) -> Expanded {
    Expander::new(text.text, (text.escape, text.quoting), scope, budget).expand()
}

/// Expands and notes nothing.
pub(super) fn quietly(text: Text<'_>, scope: &Scope) -> Option<String> {
    expand(text, scope, &mut Budget::default()).ok().map(|(value, _)| value)
}

fn undefined(rule: Rule, used: &Use, scope: &Scope) -> String {
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
