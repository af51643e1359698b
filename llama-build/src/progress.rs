//! Tells how far the work is: plain lines on standard output, and one line in a file for a program
//! that shows it to a person while Cargo hides our output.

use std::path::PathBuf;

/// Where progress goes.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    file: Option<PathBuf>,
    quiet: bool,
}

impl Progress {
    /// Progress that is also written to `file`, when there is one.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, quiet: false }
    }

    /// Progress in `file` alone.
    #[must_use]
    pub fn quiet(file: PathBuf) -> Self {
        Self { file: Some(file), quiet: true }
    }

    /// A new piece of work.
    pub fn say(&self, what: &str) {
        self.line(what);
        self.note(what);
    }

    /// What a tool says.
    pub fn line(&self, line: &str) {
        if !self.quiet {
            println!("{line}");
        }
    }

    /// One line of a build tool's output; Ninja and Make begin each step with `[…]`.
    pub fn step(&self, stage: &str, line: &str) {
        self.line(line);
        if let Some((count, what)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            let what = what.rsplit_once('/').map_or(what, |(_, file)| file);
            self.note(&format!("{stage} [{}] {what}", count.trim()));
        }
    }

    /// What fetching and unpacking tell.
    pub fn news(&self, news: llama_src::Progress<'_>) {
        match news {
            llama_src::Progress::Say(what) => self.say(what),
            llama_src::Progress::Step { what, done, total: Some(total) } => {
                self.note(&format!("{what} [{}/{} MB]", done >> 20, total >> 20));
            }
            llama_src::Progress::Step { what, done, total: None } => {
                self.note(&format!("{what} [{} MB]", done >> 20));
            }
        }
    }

    fn note(&self, line: &str) {
        if let Some(file) = &self.file {
            // Whether anybody reads it is not the build's concern.
            let _ = std::fs::write(file, line);
        }
    }
}
