//! What each stage starts from, and what `--from` means.

use std::rc::Rc;

use crate::reference::Name;

use super::instruction::Origin;
use super::keyword::Keyword;
use super::rule::Rule;
use super::scope::Scope;
use super::settings::Settings;
use super::state::{Head, Walk};
use super::statement::Statement;
use super::suggest::nearest;
use super::text::{Place, Text};
use super::variables::Quoting;

/// The `ARG`s before the first `FROM`, and the stages.
pub(super) fn split(statements: &[Statement]) -> (&[Statement], Vec<&[Statement]>) {
    let is_from = |statement: &Statement| statement.keyword == Keyword::From;
    let first = statements.iter().position(is_from).unwrap_or(statements.len());
    let (globals, rest) = statements.split_at(first);
    let starts: Vec<usize> = rest
        .iter()
        .enumerate()
        .filter(|(_, statement)| is_from(statement))
        .map(|(at, _)| at)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([rest.len()]);
    (globals, starts.iter().zip(ends).map(|(start, end)| &rest[*start..end]).collect())
}

/// The text of a stage's base.
pub(super) fn base_of(statement: &Statement, escape: char) -> Text<'_> {
    let word = &statement.args[0];
    let place = Place::In(statement, word.at);
    Text { text: &word.text, rule: Rule::UndefinedArgInFrom, escape, quoting: Quoting::Word, place }
}

impl<'a> Walk<'a> {
    /// Reads all `FROM`s; in them only the variables before the first one have values.
    pub(super) fn read_heads(&mut self, stages: &[&'a [Statement]]) {
        let globals = Rc::clone(&self.globals);
        for stage in stages {
            let (from, body) = stage.split_first().expect("a stage begins with its FROM");
            let name = from.args.get(2).map(|word| word.text.to_lowercase());
            let context = name.as_deref().and_then(|name| context_of(name, self.settings));
            let replaced = context.is_some();
            let origin = match context {
                Some(context) => Origin::Named(context),
                None => self.origin(from, &globals).unwrap_or(Origin::Scratch),
            };
            let platform = self.platform(from, &globals);
            self.heads.push(Head { from, body, name, origin, platform, replaced });
        }
    }

    fn origin(&mut self, from: &'a Statement, globals: &Scope) -> Option<Origin> {
        let word = base_of(from, self.script.directives.escape);
        let base = self.expand(word, globals)?;
        let place = word.place.of(0);
        if base.is_empty() {
            let what = format!("base name (`{}`) should not be blank", word.text);
            self.problem(place, what, "scratch, or --build-arg NAME=IMAGE");
            return None;
        }
        if let Some(index) = self.stage_before(&base, self.heads.len()) {
            return Some(Origin::Stage(index));
        }
        if let Some(context) = context_of(&base, self.settings) {
            return Some(Origin::Named(context));
        }
        if base.eq_ignore_ascii_case("scratch") {
            return Some(Origin::Scratch);
        }
        self.image(base, place)
    }

    fn platform(&mut self, from: &'a Statement, globals: &Scope) -> Option<String> {
        let word = from.flags.iter().find(|flag| flag.name == "platform")?.value.as_ref()?;
        let mut text = Text::word(from, word, self.script.directives.escape);
        text.rule = Rule::UndefinedArgInFrom;
        let value = self.expand(text, globals)?;
        let parts: Vec<&str> = value.split('/').collect();
        let good = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        };
        if (2..=3).contains(&parts.len()) && parts.iter().all(good) {
            return Some(value);
        }
        let what = if value.is_empty() {
            "the value of `--platform` is empty".to_owned()
        } else {
            format!("invalid platform `{value}`")
        };
        self.problem(text.place.of(0), what, "--platform=linux/amd64");
        None
    }

    /// What `--from` names in the stage with the index `stage`.
    pub(super) fn from(&mut self, value: &str, place: usize, stage: usize) -> Option<Origin> {
        if let Ok(index) = value.parse::<usize>() {
            if index < stage {
                return Some(Origin::Stage(index));
            }
            let what = format!("no stage {index} before this one");
            self.problem(place, what, "count stages from 0, or name them: FROM … AS name");
            return None;
        }
        if let Some(index) = self.stage_before(value, stage) {
            return Some(Origin::Stage(index));
        }
        if value == "context" {
            return Some(Origin::Context);
        }
        if let Some(context) = context_of(value, self.settings) {
            return Some(Origin::Named(context));
        }
        if value == "scratch" {
            return Some(Origin::Scratch);
        }
        if self.stage_before(value, self.heads.len()).is_some() {
            let what = format!("the stage `{value}` comes after this one");
            self.problem(place, what, "move it above this stage");
            return None;
        }
        self.image(value.to_owned(), place)
    }

    fn image(&mut self, reference: String, place: usize) -> Option<Origin> {
        let names = self.heads.iter().filter_map(|head| head.name.as_deref());
        let meant = nearest(&reference, names);
        if reference.parse::<Name>().is_ok() {
            if let Some(name) = meant {
                let message = format!(
                    "`{reference}` is used as an image name; did you mean the stage `{name}`?"
                );
                self.warnings.push(self.script.source.warning(place, None, message));
            }
            return Some(Origin::Image(reference));
        }
        let hint = match meant {
            Some(name) => format!("did you mean the stage `{name}`?"),
            None => "registry.example/models/qwen2:0.5b".to_owned(),
        };
        self.problem(
            place,
            format!("`{reference}` is neither a stage nor a valid image name"),
            hint,
        );
        None
    }

    /// The last stage of that name before the one with the index `end`.
    fn stage_before(&self, name: &str, end: usize) -> Option<usize> {
        let name = name.to_lowercase();
        self.heads[..end].iter().rposition(|head| head.name.as_deref() == Some(&name))
    }

    /// The stage that the command line asks for; the last one when it does not.
    pub(super) fn target(&mut self) -> Option<usize> {
        let last = self.heads.len() - 1;
        let Some(target) = &self.settings.target else { return Some(last) };
        if let Some(index) = self.stage_before(target, self.heads.len()) {
            return Some(index);
        }
        if let Some(index) = target.parse().ok().filter(|index| *index <= last) {
            return Some(index);
        }
        let names: Vec<&str> = self.heads.iter().filter_map(|head| head.name.as_deref()).collect();
        let hint = match (nearest(target, names.iter().copied()), names.is_empty()) {
            (Some(name), _) => format!("--target {name}"),
            (None, false) => format!("use one of these targets: {}", names.join(", ")),
            (None, true) if last == 0 => "remove `--target`: the file has one stage".to_owned(),
            (None, true) => format!("use --target 0 to {last}, or name the stages: FROM … AS name"),
        };
        let place = self.heads[last].from.place();
        self.problem(place, format!("target stage `{target}` could not be found"), hint);
        None
    }
}

/// The named context of the command line that stands for `name`: `alpine` stands for
/// `docker.io/library/alpine:latest`.
fn context_of(name: &str, settings: &Settings) -> Option<String> {
    let short = familiar(name);
    settings.contexts.iter().find(|context| familiar(context) == short).cloned()
}

fn familiar(name: &str) -> String {
    let name = name.to_lowercase();
    let short = name.strip_prefix("docker.io/").unwrap_or(&name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    short.strip_suffix(":latest").unwrap_or(short).to_owned()
}
