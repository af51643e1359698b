//! The note beside a verified tree that saves hashing it again: its tree id, what its files looked like
//! from outside at that moment, and which were executable. Any change to size or time of a file voids it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha1::{Digest, Sha1};

use crate::tree::{self, Entry};
use crate::{Error, place};

/// A tree that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Git tree id of all files.
    pub(crate) tree: String,
    /// Files that the archive calls executable; `None` where the file system can be asked.
    pub(crate) executables: Option<BTreeSet<String>>,
    listing: String,
}

impl Stamp {
    /// Hashes the tree in `dir`.
    pub(crate) fn hash(dir: &Path, executables: Option<BTreeSet<String>>) -> Result<Self, Error> {
        let entries = tree::walk(dir, &|_| true)?;
        let tree = tree::id(dir, &entries, executables.as_ref())?;
        Ok(Self { tree, executables, listing: listing(&entries) })
    }

    /// The stamp of the tree in `dir`, if there is one and no file was touched since.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let Some(stamp) = Self::last(dir) else { return Ok(None) };
        let fresh = listing(&tree::walk(dir, &|_| true)?) == stamp.listing;
        Ok(fresh.then_some(stamp))
    }

    /// The stamp beside `dir`, touched since or not.
    pub(crate) fn last(dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(path(dir)).ok()?;
        let mut lines = text.lines();
        let tree = lines.next()?.strip_prefix("tree ")?.to_owned();
        let listing = lines.next()?.strip_prefix("listing ")?.to_owned();
        let executables = match lines.next()? {
            "executables" => Some(lines.map(str::to_owned).collect()),
            _ => None,
        };
        Some(Self { tree, executables, listing })
    }

    /// Writes the stamp beside `dir`; a folder that cannot be written has none and is hashed each time.
    pub(crate) fn write(&self, dir: &Path) {
        let mut text = format!("tree {}\nlisting {}\n", self.tree, self.listing);
        match &self.executables {
            Some(list) => {
                text.push_str("executables\n");
                list.iter().for_each(|path| text.extend([path, "\n"]));
            }
            None => text.push_str("modes from the file system\n"),
        }
        let _ = place::write_whole(&path(dir), &text);
    }
}

/// Which files of the tree in `dir` are executable; `None` where the file system says so. Without a stamp, as in the
/// folder of a registry, it can only be the packaged part, of which the pin knows `pinned`.
pub(crate) fn executables(dir: &Path, pinned: &[String]) -> Option<BTreeSet<String>> {
    choose(Stamp::last(dir).and_then(|stamp| stamp.executables), pinned, cfg!(unix))
}

fn choose(
    stamp: Option<BTreeSet<String>>,
    pinned: &[String],
    has_modes: bool,
) -> Option<BTreeSet<String>> {
    stamp.or_else(|| (!has_modes).then(|| pinned.iter().cloned().collect()))
}

/// Where the stamp of the tree in `dir` is.
pub(crate) fn path(dir: &Path) -> PathBuf {
    let name = dir.file_name().expect("a tree has a name").to_string_lossy();
    dir.with_file_name(format!(".{name}.verified"))
}

fn listing(entries: &[Entry]) -> String {
    let mut hash = Sha1::new();
    for Entry { path, len, modified, .. } in entries {
        let time = modified.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        hash.update(format!("{path}\0{len}\0{time}\n"));
    }
    tree::hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_knows_what_is_executable_where_neither_a_stamp_nor_the_file_system_does() {
        let of = |name: &str| BTreeSet::from([name.to_owned()]);
        let pinned = ["pinned".to_owned()];
        for (stamp, has_modes, expected) in [
            (None, true, None),
            (None, false, Some(of("pinned"))),
            (Some(of("archive")), true, Some(of("archive"))),
            (Some(of("archive")), false, Some(of("archive"))),
        ] {
            assert_eq!(choose(stamp, &pinned, has_modes), expected);
        }
    }

    #[test]
    fn a_stamp_lasts_until_a_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("t");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("f"), "1").unwrap();
        assert_eq!(Stamp::read(&tree).unwrap(), None);
        for executables in [None, Some(BTreeSet::from(["f".to_owned()]))] {
            let stamp = Stamp::hash(&tree, executables).unwrap();
            stamp.write(&tree);
            assert_eq!(Stamp::read(&tree).unwrap(), Some(stamp));
        }
        fs::write(tree.join("f"), "22").unwrap();
        assert_eq!(Stamp::read(&tree).unwrap(), None);
    }
}
