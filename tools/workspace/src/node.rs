//! The Node.js that [`provision`](crate::tools) puts into the user's cache folder.

use std::path::PathBuf;

use anyhow::Result;

use crate::{cargo, tools};

/// New enough for the web UI.
pub const VERSION: &str = "24.19.0";

/// Where it is, when it is there.
pub fn home() -> PathBuf {
    cargo::toolkits().join(format!("node-{VERSION}"))
}

/// The folder of `node` and `npm`, when it is there.
pub fn folder() -> Option<PathBuf> {
    Some(home().join("bin")).filter(|dir| dir.is_dir())
}

/// What [`ensure`] brings, for a person who is asked.
pub fn what() -> String {
    format!("Node.js {VERSION} from PyPI, 61 MB, into {}", cargo::toolkits().display())
}

/// The folder of `node` and `npm`, brought if it is not there yet.
///
/// # Errors
/// When there is none for this machine, or it cannot be had.
pub fn ensure() -> Result<PathBuf> {
    if folder().is_none() {
        tools::cmd("provision").arg("node").run()?;
    }
    Ok(home().join("bin"))
}
