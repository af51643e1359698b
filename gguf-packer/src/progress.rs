//! What happens during a transfer, for a terminal, a log or another program.

/// One piece of news. `id` names what it is about, the same from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// It has begun.
    Started {
        /// Of what.
        id: &'a str,
        /// What it does, and to what.
        text: &'a str,
    },
    /// It goes on; comes often.
    Step {
        /// Of what.
        id: &'a str,
        /// Bytes that are done.
        done: u64,
        /// Bytes that there are.
        total: u64,
    },
    /// It is done.
    Done {
        /// Of what.
        id: &'a str,
        /// How it ended: `pulled`, `already there`.
        text: &'a str,
    },
    /// Something that a person should know: a wait, a choice that was made.
    Note(&'a str),
}

/// Receives news, from several threads.
pub type Report<'a> = &'a (dyn Fn(Event<'_>) + Sync);
