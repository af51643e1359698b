//! The folders that a build reads: where each is, and what keeps files of it out.

use std::collections::BTreeMap;

use super::llb::Output;
use crate::language::ignore::Ignore;

/// The folders that a build reads.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    /// The one that is built.
    pub(super) main: Place,
    /// Named ones, and what keeps files of them out.
    pub(super) named: BTreeMap<String, (Place, Ignored)>,
    /// Patterns that keep files of the main one out.
    pub(super) ignored: Ignored,
}

/// Where a folder is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// On the client's disk, under this name of the session.
    Client(String),
    /// The result of other operations.
    Made(Output),
}

impl Default for Place {
    fn default() -> Self {
        Self::Client("context".to_owned())
    }
}

/// An ignore file.
#[derive(Debug, Clone, Default)]
pub(super) struct Ignored {
    /// The file, as errors call it.
    pub(super) file: Option<String>,
    pub(super) patterns: Vec<String>,
    pub(super) ignore: Ignore,
}
