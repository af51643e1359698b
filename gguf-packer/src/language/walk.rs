//! A walk through the instructions of a file's stages: variables get their values, words become typed
//! instructions, and what is wrong is collected.

use std::rc::Rc;

use super::call::{Call, Notes, Value, one_line};
use super::fault::Budget;
use super::heads::split;
use super::instruction::{AddSource, Instruction, Origin, Step};
use super::keyword::Keyword;
use super::rule::Rule;
use super::scope::Scope;
use super::script::Script;
use super::settings::Settings;
use super::source::MOST;
use super::state::Walk;
use super::statement::Statement;
use super::text::{Place, Text, declarations};
use super::variables::Quoting;
use super::{files, model};

impl<'a> Walk<'a> {
    /// Reads what stands before the first stage, and where each stage comes from.
    pub(super) fn new(script: &'a Script, settings: &'a Settings) -> Self {
        let mut walk = Self {
            script,
            settings,
            ignore: None,
            globals: Rc::default(),
            heads: Vec::new(),
            walked: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            findings: Vec::new(),
            budget: Budget::default(),
        };
        let (globals, stages) = split(&script.statements);
        let mut scope = Scope::of_platforms(settings);
        for statement in globals {
            walk.declare(statement, &mut scope);
        }
        walk.globals = Rc::new(scope);
        walk.read_heads(&stages);
        walk.walked.resize_with(walk.heads.len(), || None);
        walk
    }

    /// Walks a stage and those it is based on; those that its instructions read from remain.
    pub(super) fn stage(&mut self, index: usize) {
        let mut bases = vec![index];
        while let Some(Origin::Stage(base)) = bases.last().map(|stage| &self.heads[*stage].origin) {
            bases.push(*base);
        }
        for stage in bases.into_iter().rev() {
            if self.walked[stage].is_none() {
                let outer = match self.heads[stage].origin {
                    Origin::Stage(base) => self.walked[base].as_ref().map(|(scope, _)| scope),
                    _ => None,
                };
                let mut scope = Scope::within(outer.unwrap_or(&self.globals));
                let steps = self.steps(stage, &mut scope);
                self.walked[stage] = Some((Rc::new(scope), steps));
            }
        }
    }

    fn steps(&mut self, stage: usize, scope: &mut Scope) -> Vec<Step> {
        let mut steps = Vec::new();
        let body = if self.heads[stage].replaced { &[] } else { self.heads[stage].body };
        for statement in body {
            if self.problems.len() >= MOST {
                break;
            }
            if statement.keyword == Keyword::Arg {
                self.declare(statement, scope);
                continue;
            }
            let at = self.script.source.position(statement.place());
            let instruction = match statement.keyword {
                Keyword::Label => self.label(statement, scope),
                _ => self.instruction(statement, scope, stage),
            };
            if let Some((text, instruction)) = instruction {
                steps.push(Step { at, text, instruction });
            }
        }
        steps
    }

    /// Gives the variables of an `ARG` their values: the command line's, or the file's.
    fn declare(&mut self, statement: &Statement, scope: &mut Scope) {
        for (name, default) in declarations(statement) {
            let value = match (self.settings.build_args.get(name), default) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(word)) => {
                    let text = Text::word(statement, &word, self.script.directives.escape);
                    let value = self.expand(text, scope);
                    value.or_else(|| Some(String::new()))
                }
                (None, None) => None,
            };
            scope.declare(name, value);
        }
    }

    fn instruction(
        &mut self,
        statement: &'a Statement,
        scope: &Scope,
        stage: usize,
    ) -> Option<(String, Instruction)> {
        let call = self.call(statement, scope)?;
        // A problem with `--from` hides no other.
        let from = call
            .flag("from")
            .map(|value| self.from(&value.text, value.at, stage).unwrap_or(Origin::Context));
        let mut notes = Notes {
            source: &self.script.source,
            problems: &mut self.problems,
            warnings: &mut self.warnings,
        };
        let instruction = match statement.keyword {
            Keyword::Add => files::add(&call, &mut notes),
            Keyword::Cat => files::cat(&call, &mut notes),
            Keyword::Copy => files::copy(&call, from, &mut notes),
            Keyword::Cmd => model::cmd(&call, &mut notes),
            Keyword::Convert => model::convert(&call, from, &mut notes),
            Keyword::Quantize => model::quantize(&call, from, &mut notes),
            Keyword::Arg | Keyword::From | Keyword::Label => return None,
        };
        self.find_ignored(&call, &instruction);
        Some((call.text(), instruction))
    }

    /// Gives all flags and words of an instruction their values.
    fn call(&mut self, statement: &'a Statement, scope: &Scope) -> Option<Call<'a>> {
        let escape = self.script.directives.escape;
        let problems = self.problems.len();
        let mut flags = Vec::new();
        for flag in &statement.flags {
            let value = flag.value.as_ref().and_then(|word| {
                // The value of a flag is a word, also where the arguments are a list.
                let place = Place::In(statement, word.at);
                let (rule, quoting) = (Rule::UndefinedVar, Quoting::Word);
                let text = Text { text: &word.text, rule, escape, quoting, place };
                let value = self.expand(text, scope)?;
                Some(Value { text: value, at: place.of(0), body: None })
            });
            if let Some(value) = value.as_ref().filter(|value| value.text.is_empty()) {
                let what = format!("the value of `--{}` is empty", flag.name);
                self.problem(value.at, what, "set every variable in it");
            }
            flags.push((flag.name, value));
        }
        let mut args = Vec::new();
        for (index, word) in statement.args.iter().enumerate() {
            let at = statement.line.place(word.at);
            if let Some(heredoc) = statement.heredoc(index) {
                let body = self.body(heredoc, scope).unwrap_or_default();
                let body = Some((heredoc.mark.name.clone(), body));
                args.push(Value { text: format!("<<{}", heredoc.mark.name), at, body });
                continue;
            }
            let text = Text::word(statement, word, escape);
            let text = self.expand(text, scope).unwrap_or_default();
            args.push(Value { text, at, body: None });
        }
        (self.problems.len() == problems).then_some(Call { statement, flags, args })
    }

    /// The text of a heredoc. Its escape character is a backslash, whatever the file's is.
    fn body(&mut self, heredoc: &super::statement::Heredoc, scope: &Scope) -> Option<String> {
        if !heredoc.mark.expand {
            return Some(heredoc.text.clone());
        }
        let place =
            if heredoc.mark.strip { Place::At(heredoc.at) } else { Place::From(heredoc.at) };
        let (rule, quoting) = (Rule::UndefinedVar, Quoting::Text);
        self.expand(Text { text: &heredoc.text, rule, escape: '\\', quoting, place }, scope)
    }

    /// `LABEL name=value …`, and the old `LABEL name value`.
    fn label(&mut self, statement: &'a Statement, scope: &Scope) -> Option<(String, Instruction)> {
        let escape = self.script.directives.escape;
        let mut pairs = Vec::new();
        for word in &statement.args {
            let (name, value) = match word.text.split_once('=') {
                Some((name, value)) => {
                    let at = word.at + name.len() + 1;
                    (name, super::words::Word { text: value.to_owned(), at })
                }
                None => (word.text.as_str(), statement.behind_first()?),
            };
            let mut text = Text::word(statement, word, escape);
            text.text = name;
            let name = self.expand(text, scope);
            let value = self.expand(Text::word(statement, &value, escape), scope);
            pairs.extend(name.zip(value));
            if !word.text.contains('=') {
                break;
            }
        }
        let mut text = "LABEL".to_owned();
        for (name, value) in &pairs {
            text.push_str(&format!(" {name}={value}"));
        }
        Some((one_line(&text), Instruction::Label(pairs)))
    }

    /// Notes the sources that the ignore file keeps out of the context.
    fn find_ignored(&mut self, call: &Call<'_>, instruction: &Instruction) {
        let Some(ignore) = self.ignore else { return };
        let (verb, remote): (_, Vec<bool>) = match instruction {
            Instruction::Add(add) => {
                let is_path = |source: &AddSource| matches!(source, AddSource::Path(_));
                ("Add", add.sources.iter().map(|source| !is_path(source)).collect())
            }
            Instruction::Copy(copy) if copy.from == Origin::Context => ("Copy", Vec::new()),
            _ => return,
        };
        let remote = remote.into_iter().chain(std::iter::repeat(false));
        for (Value { text, at, body }, remote) in call.sources().iter().zip(remote) {
            let local = body.is_none() && !remote && self.findings.len() < MOST;
            if local && ignore.excludes(text) {
                let message = format!(
                    "Attempting to {verb} file \"{text}\" that is excluded by the ignore file"
                );
                let rule = Some(Rule::CopyIgnoredFile);
                self.findings.push(self.script.source.warning(*at, rule, message));
            }
        }
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
