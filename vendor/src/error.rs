//! What went wrong, told to a person who wants to go on: what, where was looked, what to type next.

use std::fmt;

/// A failed build: one fact, the places looked at, hints that can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    what: String,
    looked_in: Vec<String>,
    hints: Vec<String>,
    log: Vec<String>,
    status: Option<i32>,
}

impl Error {
    /// An error that says `what`: lower case, no full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            looked_in: Vec::new(),
            hints: Vec::new(),
            log: Vec::new(),
            status: None,
        }
    }

    /// An input or output error at `path` while doing `what`.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let text = Self::new(format!("cannot {what} {}: {error}", path.display()));
        if error.kind() == std::io::ErrorKind::StorageFull { text.full_disk() } else { text }
    }

    /// Adds the way out of a full disk.
    #[must_use]
    pub fn full_disk(self) -> Self {
        self.hint("free some disk space and run the same command again")
    }

    /// Adds a place that was searched in vain.
    #[must_use]
    pub fn looked_in(mut self, place: impl Into<String>) -> Self {
        self.looked_in.push(place.into());
        self
    }

    /// Adds a next step that can be typed.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds lines of a tool's own output, shown before the hints.
    #[must_use]
    pub fn log(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.log.extend(lines);
        self
    }

    /// Notes with which status a tool ended; messages have it in their words already.
    #[must_use]
    pub fn with_status(mut self, status: Option<i32>) -> Self {
        self.status = status;
        self
    }

    /// The status with which a tool ended; `None` when none did, or a signal ended it.
    #[must_use]
    pub fn status(&self) -> Option<i32> {
        self.status
    }

    /// Joins several errors, so that everything that is wrong is told at once.
    ///
    /// # Panics
    /// With an empty list: there is no error to tell.
    pub fn all(errors: Vec<Self>) -> Self {
        let mut errors = errors.into_iter();
        let mut first = errors.next().expect("`all` is called with at least one error");
        for error in errors {
            first.what = format!("{}\n{error}", first.to_string().trim_end());
            first.looked_in.clear();
            first.hints.clear();
            first.log.clear();
        }
        first
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.looked_in.is_empty() {
            write!(f, "\n  looked in: {}", self.looked_in.join(", "))?;
        }
        for line in &self.log {
            write!(f, "\n  | {line}")?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
