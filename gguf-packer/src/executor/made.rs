//! A file that a tool made of files of the store: how it gets them, how it is put down and remembered.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::convert::By;
use crate::digest::Digest;
use crate::tree::{Entry, Kind};

use super::run::Run;

/// A file that was made, as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Who converted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<By>,
}

impl Made {
    /// What is remembered for `key` and still there, else what `make` makes; and whether it was there.
    pub(super) fn of(
        run: &Run<'_>,
        key: &Digest,
        make: impl FnOnce() -> Result<Self, Error>,
    ) -> Result<(Self, bool), Error> {
        let known = run.remembered::<Self>(key);
        let known = known.filter(|made| run.store().blob_size(&made.digest) == Some(made.size));
        if let Some(made) = known {
            return Ok((made, true));
        }
        let made = make()?;
        run.remember(key, &made)?;
        Ok((made, false))
    }
}

/// Lays a content of the store at `to`, without a copy where that can be.
pub(super) fn lay(run: &Run<'_>, entry: &Entry, to: &Path) -> Result<(), Error> {
    let Kind::File { digest, .. } = &entry.kind else { return Ok(()) };
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
    let blob = run.store().blob_path(digest);
    if fs::hard_link(&blob, to).is_ok() {
        return Ok(());
    }
    reflink_copy::reflink_or_copy(&blob, to).map_err(|e| Error::io("copy", &blob, &e))?;
    Ok(())
}
