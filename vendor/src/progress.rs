//! What long work says while it runs, for a terminal line or a log.

/// One piece of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Something that is worth a line of its own.
    Say(&'a str),
    /// How far a piece of work is, in bytes; comes often.
    Step {
        /// The work, as in `fetch` or `unpack`.
        what: &'a str,
        /// Bytes done.
        done: u64,
        /// Bytes to do, where that is known.
        total: Option<u64>,
    },
}

/// Receives the news.
pub type Report<'a> = dyn FnMut(Progress<'_>) + 'a;
