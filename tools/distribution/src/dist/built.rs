//! What the build of a backend gave: the answer of a Debian root, too.

use std::path::PathBuf;

use llama_build::FlagSet;
use serde::{Deserialize, Serialize};

use crate::toolkit::VendorLibrary;

/// A finished backend.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    pub library: PathBuf,
    pub flags: FlagSet,
    /// What a distribution ships beside it.
    pub vendor: Vec<VendorLibrary>,
}
