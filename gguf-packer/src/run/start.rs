//! How a model is started: the program, its arguments, and what a person should know about them.

use std::fmt;
use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

use super::alias;
use super::compat::{Today, today};
use super::container;
use super::host::Host;
use super::passed::{self, Passed};
use super::target::{Seen, Target};
use crate::Error;
use crate::image::command::numbers;

/// What runs the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Our llama-server, or the one that was found.
    Server(PathBuf),
    /// An image with a llama-server as its entrypoint.
    Image(String),
    /// Another program.
    Program(String),
}

/// A program that is ready to start.
#[derive(Debug, Clone)]
pub struct Start {
    command: Cmd,
    /// What was changed for today's llama-server.
    pub notes: Vec<String>,
}

impl By {
    /// What `--by` says: an image has a tag or a digest, everything else is a program.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let name = text.rsplit('/').next().unwrap_or(text);
        let is_path = text.starts_with(['/', '.', '~']) || text.contains('\\');
        if !is_path && (name.contains(':') || text.contains("@sha256:")) {
            Self::Image(text.to_owned())
        } else {
            Self::Program(text.to_owned())
        }
    }

    /// Whether it takes today's options. `llama-box` and images of the time of GGUF Packer take those of 2024.
    fn is_of_today(&self) -> bool {
        match self {
            Self::Server(_) => true,
            Self::Image(image) => {
                !image.starts_with("ghcr.io/ggerganov/") && !image.contains("llama-box")
            }
            Self::Program(program) => {
                let name = Path::new(program).file_stem().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with("llama-server"))
            }
        }
    }
}

/// Plans how `target` is started by `by`, with more arguments for the server.
///
/// # Errors
/// When an argument is missing, a text that the command names cannot be read, or the server would have no model.
pub fn plan(target: &Target, by: &By, extra: &[String], host: &Host) -> Result<Start, Error> {
    let (mut extra, mut publish) = (extra.to_vec(), String::new());
    let root = match by {
        By::Image(_) => {
            let port = container::published(&mut extra)?;
            publish = container::publish(container::address(&mut extra)?, &port);
            format!("/gp-{}", target.mark)
        }
        By::Server(_) | By::Program(_) => target.folder.display().to_string(),
    };
    if by.is_of_today() {
        numbers::check(&extra)?;
    }
    let command = target.command_from(&root);
    let Passed { args, note } = match by {
        By::Image(_) => passed::in_container(&command),
        By::Server(_) | By::Program(_) => passed::here(&command, &extra, target)?,
    };
    let Today { args, mut notes } = if by.is_of_today() {
        let name = alias::of(target, &[&*args, &*extra].concat());
        today(&[args, name, extra].concat(), &Seen { target, root: &root })?
    } else {
        Today { args: [args, extra].concat(), notes: Vec::new() }
    };
    notes.splice(..0, note);
    let command = match by {
        By::Server(program) => Cmd::new(program).args(&args),
        By::Program(program) => Cmd::new(program).args(&args),
        By::Image(image) => container::line(target, &root, image, &publish, &args, host),
    };
    Ok(Start { command, notes })
}

impl Start {
    /// Becomes the program where the system can do that; otherwise waits for it.
    ///
    /// # Errors
    /// When it cannot be started, or fails.
    pub fn run(&self) -> Result<(), Error> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let mut command = self.command.command();
            let error = command.exec();
            let program = command.get_program().to_string_lossy().into_owned();
            Err(Error::new(format!("cannot run `{program}`: {error}")).hint(
                "choose the program or image that runs the model: --by PROGRAM or --by IMAGE",
            ))
        }
        #[cfg(not(unix))]
        self.command.run()
    }
}

/// The line that a shell takes.
impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.command, f)
    }
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
