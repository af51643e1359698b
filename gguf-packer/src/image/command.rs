//! The files that a model's command names: which options of llama-server take one, in today's form and in that
//! of 2024; and the part of it that an image may choose.

pub(crate) mod numbers;
pub(crate) mod options;
mod prompt_cache;

pub use prompt_cache::PromptCache;

use serde_json::Value;

use self::options::{About, Known, Takes};
use crate::Error;

/// What a named file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Model,
    /// The small model that guesses ahead.
    Drafter,
    /// The eyes and ears.
    Projector,
    /// A LoRA adapter or a control vector.
    Adapter,
    /// A text: a chat template, a system prompt, a grammar. The image has it.
    Text,
    /// A file that the image may have, or the machine that runs it: keys and certificates.
    Runtime,
}

/// A file that a command names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is for.
    pub role: Role,
    /// The option, as it is written.
    pub option: String,
    /// Which argument has the name.
    pub at: usize,
    /// The name.
    pub path: String,
    /// Whether the argument has nothing but this one file, with or without its scale.
    pub alone: bool,
}

/// How an option's argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One name.
    One,
    /// Names with commas between them.
    List,
    /// `NAME:SCALE,…`, or in 2024 `NAME SCALE`.
    Scaled,
}

/// Options that get the model from elsewhere, which downloads it.
pub(crate) const DOWNLOADS: [&str; 7] =
    ["-mu", "--model-url", "-hf", "-hfr", "--hf-repo", "-dr", "--docker-repo"];

/// Options with which llama-server has several models.
const SEVERAL: [&str; 2] = ["--models-dir", "--models-preset"];

/// A word of a command that is an option, or should be one, with the values that belong to it.
pub(crate) struct Unit {
    /// Which argument it is.
    pub(crate) at: usize,
    /// Its name, as llama-server reads it.
    pub(crate) name: String,
    /// What the table says of it.
    known: Option<Known>,
    /// How many values belong to it. At the end of the command some may be missing.
    pub(crate) values: usize,
}

/// `args` divided as llama-server divides them.
pub(crate) fn units(args: &[String]) -> Vec<Unit> {
    let (mut units, mut at) = (Vec::new(), 0);
    while let Some(word) = args.get(at) {
        let known = options::find(word);
        let values = known.map_or(0, |known| known.takes.count(&args[at + 1..]));
        units.push(Unit { at, name: options::name(word), known, values });
        at += 1 + values;
    }
    units
}

impl Unit {
    /// Its values, as many as there are.
    pub(crate) fn given<'a>(&self, args: &'a [String]) -> &'a [String] {
        &args[self.at + 1..(self.at + 1 + self.values).min(args.len())]
    }

    /// Its name as llama-server reads it. A word that is no option may be the value of one that the table does not
    /// know, and stays as it is.
    pub(crate) fn word<'a>(&'a self, args: &'a [String]) -> &'a String {
        if self.known.is_some() { &self.name } else { &args[self.at] }
    }

    /// Its role and form, if it names a file.
    fn file(&self) -> Option<(Role, Form)> {
        match self.known?.takes {
            Takes::File(role, form) => Some((role, form)),
            Takes::Values(_) | Takes::Number | Takes::Switch => None,
        }
    }
}

/// A command without some of its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The arguments that stayed.
    pub args: Vec<String>,
    /// The options that did not, each with `…` if it takes a value.
    pub left_out: Vec<String>,
}

/// The part of an image's command that a server on this machine may get: the options about the model. llama-server
/// gets no option that the table does not know, because it may write, read or serve any file here. It gets no value
/// that is the name of an option, so that no program divides the command otherwise.
#[must_use]
pub fn about_the_model(args: &[String]) -> Kept {
    keep(args, |unit| {
        let given = unit.given(args);
        let is_whole = given.len() == unit.values;
        let is_known = unit.known.is_some_and(|known| known.about == About::Model);
        is_known && is_whole && given.iter().all(|value| options::find(value).is_none())
    })
}

/// The part of an image's command that a server in a container gets: all but where it listens.
#[must_use]
pub fn without_address(args: &[String]) -> Kept {
    keep(args, |unit| unit.known.is_none_or(|known| known.about != About::Address))
}

fn keep(args: &[String], passes: impl Fn(&Unit) -> bool) -> Kept {
    let mut kept = Kept { args: Vec::new(), left_out: Vec::new() };
    for unit in units(args) {
        if passes(&unit) {
            kept.args.push(unit.word(args).clone());
            kept.args.extend_from_slice(unit.given(args));
        } else {
            let value = if unit.values > 0 { " …" } else { "" };
            kept.left_out.push(format!("{}{value}", unit.name));
        }
    }
    kept
}

/// The command that an image's config says.
#[must_use]
pub fn of_config(config: &Value) -> Vec<String> {
    let words = config["config"]["Cmd"].as_array().into_iter().flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// The last value of the option with these `names`: the one that llama-server takes.
pub(crate) fn last_value<'a>(args: &'a [String], names: &[&str]) -> Option<&'a str> {
    let unit = units(args).into_iter().rfind(|unit| names.contains(&unit.name.as_str()))?;
    unit.given(args).first().map(String::as_str)
}

/// The files that `args` name.
///
/// # Errors
/// When an option has no argument.
pub fn files(args: &[String]) -> Result<Vec<Named>, Error> {
    let mut files = Vec::new();
    rename(args, |file| {
        files.push(file.clone());
        Ok(file.path.clone())
    })?;
    Ok(files)
}

/// The model that `args` name: the last one, as for llama-server.
///
/// # Errors
/// When an option has no argument.
pub fn model(args: &[String]) -> Result<Option<Named>, Error> {
    Ok(files(args)?.into_iter().rfind(|file| file.role == Role::Model))
}

/// Whether `args` say where a model is.
#[must_use]
pub fn has_model(args: &[String]) -> bool {
    let elsewhere = [&DOWNLOADS[..], &SEVERAL[..]].concat();
    units(args).iter().any(|unit| elsewhere.contains(&unit.name.as_str()))
        || model(args).is_ok_and(|model| model.is_some())
}

/// `args` with each file's name replaced by what `to` says.
///
/// # Errors
/// When an option has no argument; whatever `to` says is wrong; all at once.
pub fn rename(
    args: &[String],
    mut to: impl FnMut(&Named) -> Result<String, Error>,
) -> Result<Vec<String>, Error> {
    let (mut renamed, mut errors) = (args.to_vec(), Vec::new());
    for unit in units(args) {
        let Some((role, form)) = unit.file() else { continue };
        let (option, at) = (&args[unit.at], unit.at + 1);
        let Some(argument) = args.get(at) else {
            errors.push(
                Error::new(format!("the option `{option}` needs a file"))
                    .hint(format!("CMD [\"{option}\", \"FILE\"]")),
            );
            break;
        };
        let mut each = |path: &str, alone| {
            let path = path.to_owned();
            to(&Named { role, option: option.clone(), at, path, alone }).map_err(|e| errors.push(e))
        };
        if let Some(new) = rename_argument(argument, form, &mut each) {
            renamed[at] = new;
        }
    }
    if errors.is_empty() { Ok(renamed) } else { Err(Error::all(errors)) }
}

/// `args` without the options whose files have one of `roles`.
#[must_use]
pub fn without(args: &[String], roles: &[Role]) -> Vec<String> {
    let mut kept = Vec::new();
    for unit in units(args) {
        if !unit.file().is_some_and(|(role, _)| roles.contains(&role)) {
            kept.push(args[unit.at].clone());
            kept.extend_from_slice(unit.given(args));
        }
    }
    kept
}

fn rename_argument(
    argument: &str,
    form: Form,
    to: &mut impl FnMut(&str, bool) -> Result<String, ()>,
) -> Option<String> {
    let items: Vec<&str> =
        if form == Form::One { vec![argument] } else { argument.split(',').collect() };
    let alone = items.len() == 1;
    let mut renamed = Vec::new();
    for item in items {
        let (path, scale) = match scale_of(item) {
            Some((path, scale)) if form == Form::Scaled => (path, Some(scale)),
            _ => (item, None),
        };
        // An empty argument is as good as none.
        let path = if path.is_empty() { String::new() } else { to(path, alone).ok()? };
        renamed.push(scale.map_or(path.clone(), |scale| format!("{path}:{scale}")));
    }
    Some(renamed.join(","))
}

/// `NAME:SCALE` in its parts.
#[must_use]
pub fn scale_of(item: &str) -> Option<(&str, &str)> {
    item.rsplit_once(':').filter(|(_, scale)| is_scale(scale))
}

fn is_scale(text: &str) -> bool {
    text.parse::<f32>().is_ok()
}

#[cfg(test)]
#[path = "command/tests.rs"]
mod tests;
