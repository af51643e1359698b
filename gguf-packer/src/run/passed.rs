//! The part of an image's command that its server gets. An image comes from a stranger: it says how its model computes,
//! and the person who runs it decides about the machine and the address.

use super::target::Target;
use crate::Error;
use crate::image::command::{self, Kept};

/// Options that a note names.
const NAMED: usize = 8;

/// Characters of an option that a note shows.
const LONGEST: usize = 60;

/// Arguments of an image, and what a person should know about the others.
pub(super) struct Passed {
    pub(super) args: Vec<String>,
    pub(super) note: Option<String>,
}

/// For a server on this machine, which reads, writes and serves any file that an option names.
///
/// # Errors
/// When neither the rest of the command nor `extra` names a model: llama-server would start without one.
pub(super) fn here(command: &[String], extra: &[String], target: &Target) -> Result<Passed, Error> {
    let Kept { args, left_out } = command::about_the_model(command);
    if command::has_model(&args) || command::has_model(extra) {
        return Ok(Passed {
            args,
            note: note(&left_out, "an image decides only how its model computes"),
        });
    }
    let (name, options) = (target.name.as_deref().unwrap_or("MODEL"), Options::of(&left_out));
    Err(Error::new(format!(
        "the command of {name} names no model of the image, and run ignores {} of an image",
        options.quoted()
    ))
    .hint(format!("if you trust the image: gguf-packer run {name} -- {}", options.typed()))
    .hint(format!("or start it in a container: gguf-packer run {name} --by IMAGE")))
}

/// For a server in a container, whose port is published as the person says.
pub(super) fn in_container(command: &[String]) -> Passed {
    let Kept { args, left_out } = command::without_address(command);
    Passed { args, note: note(&left_out, "an image does not decide where its server listens") }
}

fn note(left_out: &[String], why: &str) -> Option<String> {
    let options = Options::of(left_out);
    let (quoted, typed) = (options.quoted(), options.typed());
    (!left_out.is_empty())
        .then(|| format!("ignored {quoted} of the image: {why}; to use it, type it: -- {typed}"))
}

/// Options as a person reads them: each once, the first ones only, in characters that a terminal shows. A stranger
/// chose the words.
struct Options {
    shown: Vec<String>,
    others: usize,
}

impl Options {
    fn of(left_out: &[String]) -> Self {
        let mut shown = Vec::new();
        for option in left_out {
            let start = option.chars().take(LONGEST);
            let option = start.map(|c| if c.is_control() { '?' } else { c }).collect();
            if !shown.contains(&option) {
                shown.push(option);
            }
        }
        let others = shown.len().saturating_sub(NAMED);
        shown.truncate(NAMED);
        Self { shown, others }
    }

    fn quoted(&self) -> String {
        let names = self.shown.iter().map(|option| format!("`{}`", option.replace(" …", "")));
        let names = names.collect::<Vec<_>>().join(", ");
        if self.others > 0 { format!("{names} and {} others", self.others) } else { names }
    }

    fn typed(&self) -> String {
        self.shown.join(" ")
    }
}

#[cfg(test)]
#[path = "passed_tests.rs"]
mod tests;
