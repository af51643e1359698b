//! A finished page: whether it is whole, what it is, and the note about one that was built here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, place, tree};

/// Files that the page needs, as upstream's `scripts/ui-assets.cmake` checks them: (start, end) of the name.
const ASSETS: &[(&str, &str)] = &[
    ("index", ".html"),
    ("manifest", ".webmanifest"),
    ("sw", ".js"),
    ("build", ".json"),
    ("version", ".json"),
    ("bundle", ".js"),
    ("bundle", ".css"),
    ("workbox", ".js"),
];

/// Fails when `dir` lacks something that the page needs.
pub(super) fn validate(dir: &Path) -> Result<(), Error> {
    let files = tree::walk(dir, &|_| true)?;
    let names: Vec<&str> = files.iter().filter_map(|file| file.path.rsplit('/').next()).collect();
    let has = |(start, end): &(&str, &str)| {
        names.iter().any(|name| name.starts_with(start) && name.ends_with(end))
    };
    let missing: Vec<String> = ASSETS
        .iter()
        .filter(|asset| !has(asset))
        .map(|(start, end)| format!("{start}*{end}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::mismatch(format!("the web UI in {} lacks {missing}", dir.display())))
}

/// The git tree id of the page; no file of it counts as executable.
pub(super) fn id(dir: &Path) -> Result<String, Error> {
    tree::id(dir, &tree::walk(dir, &|_| true)?, Some(&BTreeSet::new()))
}

/// Copies the files of `from` that `keep` wants.
pub(super) fn copy(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    for entry in tree::walk(from, keep)? {
        let to = to.join(&entry.path);
        let folder = to.parent().expect("a file is inside a folder");
        fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
        fs::copy(from.join(&entry.path), &to).map_err(|e| Error::io("write", &to, &e))?;
    }
    Ok(())
}

/// Notes in `home` that the page `name` was built here and is `id`; without the note it is built again.
pub(super) fn note(home: &Path, name: &str, id: &str) {
    let _ = place::write_whole(&note_of(home, name), id);
}

/// What the note in `home` says of the page `name`.
pub(super) fn noted(home: &Path, name: &str) -> Option<String> {
    fs::read_to_string(note_of(home, name)).ok()
}

fn note_of(home: &Path, name: &str) -> PathBuf {
    home.join(format!(".{name}.built"))
}
