//! Errors for a person who wants to go on: what failed, where we looked, what to type next. Programs ask for the kind.

use std::{fmt, io};

/// The kinds of errors that a program tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The words or variables of the user are wrong.
    Usage,
    /// Something that the work needs is not there.
    Missing,
    /// Something is there, but its hash or version is another one.
    Mismatch,
    /// We do not accept something that is there, or a server does not accept us.
    Refused,
    /// A server does not answer, or answers that it cannot.
    Network,
    /// The disk is full.
    DiskFull,
    /// The memory is full.
    OutOfMemory,
    /// A program that we started failed.
    Tool,
    /// The operating system failed otherwise.
    Io,
    /// Everything else.
    Other,
}

/// A failure: one fact, the places where we looked, hints that can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    what: String,
    looked_in: Vec<String>,
    hints: Vec<String>,
    log: Vec<String>,
    status: Option<i32>,
}

impl Error {
    /// An error that says `what`: lower case, no full stop.
    pub fn new(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Other, what)
    }

    /// [`Kind::Usage`], in words like those of [`Self::new`].
    pub fn usage(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Usage, what)
    }

    /// [`Kind::Missing`].
    pub fn missing(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Missing, what)
    }

    /// [`Kind::Mismatch`].
    pub fn mismatch(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Mismatch, what)
    }

    /// [`Kind::Refused`].
    pub fn refused(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Refused, what)
    }

    /// [`Kind::Network`].
    pub fn network(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Network, what)
    }

    /// [`Kind::Tool`].
    pub fn tool(what: impl Into<String>) -> Self {
        Self::with_kind(Kind::Tool, what)
    }

    /// An input or output error at `path` while doing `what`.
    pub fn io(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::from_io(format!("cannot {what} {}", path.display()), error)
    }

    /// An input or output error after the words `what`.
    pub fn from_io(what: impl fmt::Display, error: &io::Error) -> Self {
        let text = format!("{what}: {error}");
        match error.kind() {
            io::ErrorKind::StorageFull => Self::new(text).full_disk(),
            io::ErrorKind::OutOfMemory => Self::with_kind(Kind::OutOfMemory, text),
            io::ErrorKind::NotFound => Self::with_kind(Kind::Missing, text),
            _ => Self::with_kind(Kind::Io, text),
        }
    }

    /// An error of `kind`, in words like those of [`Self::new`].
    pub(crate) fn with_kind(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            looked_in: Vec::new(),
            hints: Vec::new(),
            log: Vec::new(),
            status: None,
        }
    }

    /// The fact alone.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code of a program that ends with this error: 2 for wrong words, as other programs do, 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.kind == Kind::Usage { 2 } else { 1 }
    }

    /// Whether a tool's own output, as far as it is shown, contains `words`.
    #[must_use]
    pub fn log_has(&self, words: &str) -> bool {
        self.log.iter().any(|line| line.contains(words))
    }

    /// Names the thing that failed in front of the fact.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// Makes it a full disk, and adds the way out.
    #[must_use]
    pub fn full_disk(mut self) -> Self {
        self.kind = Kind::DiskFull;
        self.hint("free some disk space and run the same command again")
    }

    /// Makes it a full memory, and adds the way out.
    #[must_use]
    pub fn full_memory(mut self, hint: impl Into<String>) -> Self {
        self.kind = Kind::OutOfMemory;
        self.hint(hint)
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

    /// Joins several errors, so that everything that is wrong is told at once. The kind is the first one's.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_operating_system_has_its_kind() {
        for (of, kind) in [
            (io::ErrorKind::StorageFull, Kind::DiskFull),
            (io::ErrorKind::OutOfMemory, Kind::OutOfMemory),
            (io::ErrorKind::NotFound, Kind::Missing),
            (io::ErrorKind::PermissionDenied, Kind::Io),
        ] {
            let error = Error::from_io("cannot read it", &of.into());
            assert_eq!(error.kind(), kind);
            assert_eq!(error.to_string().contains("\n  hint: free"), kind == Kind::DiskFull);
        }
    }

    #[test]
    fn several_errors_are_one_with_the_kind_of_the_first() {
        let all = vec![Error::usage("a").hint("b"), Error::missing("c").hint("d")];
        let error = Error::all(all);
        assert_eq!(error.to_string(), "a\n  hint: b\nc\n  hint: d");
        assert_eq!((error.kind(), error.exit_code()), (Kind::Usage, 2));
        assert_eq!(Error::mismatch("c").at("f").to_string(), "f: c");
        assert_eq!(Error::mismatch("c").exit_code(), 1);
    }
}
