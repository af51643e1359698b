//! What a walk through a file has read and found so far, and how it notes more.

use std::rc::Rc;

use super::fault::Budget;
use super::ignore::Ignore;
use super::instruction::{Origin, Step};
use super::scope::Scope;
use super::script::Script;
use super::settings::Settings;
use super::source::{MOST, Problem, Warning};
use super::statement::Statement;
use super::text::{Text, expand, undefined};

/// The walk, and what it has found.
pub(super) struct Walk<'a> {
    pub(super) script: &'a Script,
    pub(super) settings: &'a Settings,
    pub(super) ignore: Option<&'a Ignore>,
    pub(super) globals: Rc<Scope>,
    pub(super) heads: Vec<Head<'a>>,
    /// Of each stage that was walked, its variables at its end and its steps.
    pub(super) walked: Vec<Option<(Rc<Scope>, Vec<Step>)>>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    /// Rules that are broken.
    pub(super) findings: Vec<Warning>,
    pub(super) budget: Budget,
}

/// A `FROM` and the instructions below it.
pub(super) struct Head<'a> {
    pub(super) from: &'a Statement,
    pub(super) body: &'a [Statement],
    pub(super) name: Option<String>,
    pub(super) origin: Origin,
    pub(super) platform: Option<String>,
    /// Whether a named context stands for it.
    pub(super) replaced: bool,
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

    pub(super) fn problem(
        &mut self,
        place: usize,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.problems.len() < MOST {
            self.problems.push(self.script.source.problem(place, what).hint(hint));
        }
    }
}
