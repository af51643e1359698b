//! Rules that a file may break and still be built: the original's fourteen, in its words.

use std::collections::BTreeSet;

use crate::reference::Name;

use super::ignore::Ignore;
use super::instruction::Stage;
use super::keyword::Keyword;
use super::script::Script;
use super::settings::Settings;
use super::source::{MOST, Warning};
use super::state::Walk;
use super::statement::Statement;
use super::text::{declarations, quietly};
use super::{heads, stages};

pub use super::rule::Rule;

/// The rules that a file breaks, in its order, without those that its `# check=` skips. With a target,
/// the values of variables are looked at in the stages that it needs; else in all.
#[must_use]
pub fn lint(script: &Script, settings: &Settings, ignore: Option<&Ignore>) -> Vec<Warning> {
    let mut findings = Findings { script, found: Vec::new() };
    findings.casing();
    for statement in &script.statements {
        findings.form(statement);
    }
    findings.stages();
    findings.defaults(settings);
    let mut found = findings.found;
    let mut walk = Walk::new(script, settings);
    walk.ignore = ignore;
    match walk.target().filter(|_| settings.target.is_some()) {
        Some(target) => drop(stages::need(&mut walk, target)),
        None => (0..walk.heads.len()).for_each(|stage| walk.stage(stage)),
    }
    found.append(&mut walk.findings);
    found.retain(|warning| warning.rule.is_none_or(|rule| wanted(script, rule)));
    found.sort_by_key(|warning| (warning.at, warning.rule));
    found.dedup();
    found
}

/// Says that the base of a stage is of another platform than the one that is built for; the builder
/// knows once it has the image.
#[must_use]
pub fn base_platform(
    script: &Script,
    stage: &Stage,
    image: &str,
    expected: &str,
    actual: &str,
) -> Option<Warning> {
    let start = |platform: &str| platform.split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    let rule = Rule::InvalidBaseImagePlatform;
    if start(expected) == start(actual) || !wanted(script, rule) {
        return None;
    }
    let message = format!(
        "Base image {image} was pulled with platform \"{actual}\", expected \"{expected}\" for current build"
    );
    let file = script.file().to_owned();
    Some(Warning { file, at: Some(stage.at), rule: Some(rule), message })
}

fn wanted(script: &Script, rule: Rule) -> bool {
    let check = script.check();
    !check.skip_all && !check.skip.iter().any(|skipped| *skipped == rule.to_string())
}

struct Findings<'a> {
    script: &'a Script,
    found: Vec<Warning>,
}

impl Findings<'_> {
    fn add(&mut self, place: usize, rule: Rule, message: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(self.script.source.warning(place, Some(rule), message));
        }
    }

    /// The case that most instructions have is right.
    fn casing(&mut self) {
        let written = self.script.statements.iter().map(|statement| statement.written.as_str());
        let lower = written.clone().filter(|name| **name == name.to_lowercase()).count();
        let upper = written.filter(|name| **name == name.to_uppercase()).count();
        for statement in &self.script.statements {
            let name = &statement.written;
            let (right, case) = if lower > upper {
                (name.to_lowercase(), "lowercase")
            } else {
                (name.to_uppercase(), "uppercase")
            };
            if *name != right {
                let message = format!(
                    "Command '{name}' should match the case of the command majority ({case})"
                );
                self.add(statement.place(), Rule::ConsistentInstructionCasing, message);
            }
        }
    }

    /// What each instruction shows by itself.
    fn form(&mut self, statement: &Statement) {
        if let Some(gap) = statement.line.gap {
            self.add(gap, Rule::NoEmptyContinuation, "Empty continuation line");
        }
        match statement.keyword {
            Keyword::From => self.stage_name(statement),
            Keyword::Arg => {
                for (word, (name, _)) in statement.args.iter().zip(declarations(statement)) {
                    if is_secret(name) {
                        let message = format!(
                            "Do not use ARG or ENV instructions for sensitive data (ARG \"{name}\")"
                        );
                        let place = statement.line.place(word.at);
                        self.add(place, Rule::SecretsUsedInArgOrEnv, message);
                    }
                }
            }
            Keyword::Label if !statement.args[0].text.contains('=') => {
                let message = "\"LABEL key=value\" should be used instead of legacy \"LABEL key value\" format";
                let place = statement.line.place(statement.args[0].at);
                self.add(place, Rule::LegacyKeyValueFormat, message);
            }
            _ => {}
        }
    }

    fn stage_name(&mut self, statement: &Statement) {
        let [_, keyword, name] = &statement.args[..] else { return };
        let place = statement.line.place(name.at);
        if name.text != name.text.to_lowercase() {
            let message = format!("Stage name '{}' should be lowercase", name.text);
            self.add(place, Rule::StageNameCasing, message);
        }
        let from = &statement.written;
        let right = if *from == from.to_lowercase() {
            keyword.text.to_lowercase()
        } else {
            keyword.text.to_uppercase()
        };
        // A `From` is told of by itself.
        let consistent = *from == from.to_lowercase() || *from == from.to_uppercase();
        if consistent && keyword.text != right {
            let message = format!("'{}' and '{from}' keywords' casing do not match", keyword.text);
            self.add(statement.line.place(keyword.at), Rule::FromAsCasing, message);
        }
    }

    /// What stages show beside each other.
    fn stages(&mut self) {
        let mut names = BTreeSet::new();
        let mut cmd: Option<usize> = None;
        for statement in &self.script.statements {
            let place = statement.place();
            match (statement.keyword, statement.args.get(2)) {
                (Keyword::From, word) => {
                    cmd = None;
                    let Some(word) = word else { continue };
                    let (name, place) = (word.text.to_lowercase(), statement.line.place(word.at));
                    if name == "scratch" || name == "context" {
                        let message = format!(
                            "Stage name should not use the same name as reserved stage \"{name}\""
                        );
                        self.add(place, Rule::ReservedStageName, message);
                    }
                    if !names.insert(name.clone()) {
                        let message = format!(
                            "Duplicate stage name \"{name}\", stage names should be unique"
                        );
                        self.add(place, Rule::DuplicateStageName, message);
                    }
                }
                (Keyword::Cmd, _) => {
                    // The one before is told of: it has no effect.
                    if let Some(before) = cmd.replace(place) {
                        let message = "Multiple CMD instructions should not be used in the same stage because only the last one will be used";
                        self.add(before, Rule::MultipleInstructionsDisallowed, message);
                    }
                }
                _ => {}
            }
        }
    }

    /// What `FROM` names when no build argument is given.
    fn defaults(&mut self, settings: &Settings) {
        let settings = Settings { build_args: Default::default(), ..settings.clone() };
        let walk = Walk::new(self.script, &settings);
        for head in &walk.heads {
            let base = heads::base_of(head.from, self.script.directives.escape);
            let Some(name) = quietly(base, &walk.globals) else { continue };
            if name != base.text && name.parse::<Name>().is_err() {
                let message = format!(
                    "Default value for ARG {} results in empty or invalid base image name",
                    base.text
                );
                self.add(base.place.of(0), Rule::InvalidDefaultArgInFrom, message);
            }
        }
    }
}

const SECRETS: [&str; 10] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];

/// Before `TOKEN` and `KEY`, these name something of a model or something open.
const OPEN: [&str; 7] = ["bos", "eos", "eot", "pad", "public", "stop", "unk"];

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let parts: Vec<&str> = name.split('_').collect();
    parts.iter().enumerate().any(|(index, part)| {
        let before = index.checked_sub(1).map(|before| parts[before]);
        SECRETS.contains(part) && before.is_none_or(|before| !OPEN.contains(&before))
    })
}

/// Whether warnings are to fail the build: `# check=error=true`, and there are some.
#[must_use]
pub fn fails(script: &Script, warnings: &[Warning]) -> bool {
    script.check().error && !warnings.is_empty()
}

#[cfg(test)]
#[path = "lint_tests.rs"]
mod tests;
