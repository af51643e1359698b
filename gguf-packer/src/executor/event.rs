//! What happens during a build, for a terminal, a log or another program.

/// One piece of news. `node` is the node's place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// It has begun.
    Started {
        /// The node.
        node: usize,
        /// What it does.
        text: &'a str,
    },
    /// It goes on; comes often.
    Step {
        /// The node.
        node: usize,
        /// The file or tensor.
        item: &'a str,
        /// How much of it is done.
        done: u64,
        /// How much there is, where that is known.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
    },
    /// Something that a person should know: a wait, a warning.
    Note {
        /// The node.
        node: usize,
        /// What.
        text: &'a str,
    },
    /// It is done.
    Done {
        /// The node.
        node: usize,
        /// Nothing had to be done.
        cached: bool,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Tensors.
    Tensors,
    /// Files.
    Files,
    /// Pieces of a text.
    Chunks,
}
