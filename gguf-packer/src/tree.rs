//! A tree of files as data: what lies where, and the digest of each file's content. Building an image
//! moves such entries about; the content stays where it is in the store.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One path of a layer or of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Relative to the image's root, `/` between its parts, without `.`, `..`, or a slash at either end.
    pub path: String,
    /// What lies there.
    #[serde(flatten)]
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    #[serde(default)]
    pub uid: u64,
    /// Group.
    #[serde(default)]
    pub gid: u64,
    /// Seconds since 1970.
    #[serde(default)]
    pub mtime: u64,
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file whose content the store has.
    File {
        /// Name of the content.
        digest: Digest,
        /// Bytes.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// What it says, as it says it.
        target: String,
    },
    /// A path of the layers below that is gone.
    Whiteout,
    /// A folder of which nothing that the layers below have is left.
    Opaque,
    /// A device or a pipe; a base image may have one, we make none.
    Special,
}

/// The file system that layers make when they lie on each other; it has no whiteouts.
///
/// A copy of it shares the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeSet<At>);

/// An entry by its path, which is thus there once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct At(Arc<Entry>);

impl Borrow<str> for At {
    fn borrow(&self) -> &str {
        &self.0.path
    }
}

impl Ord for At {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.path.cmp(&other.0.path)
    }
}

impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Entries that lie on each other, as those of one layer.
impl FromIterator<Entry> for Tree {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut tree = Self::default();
        entries.into_iter().for_each(|entry| tree.put(entry));
        tree
    }
}

impl Tree {
    /// Lays `layer` over what is there.
    pub fn apply(&mut self, layer: &[Entry]) {
        // Whiteouts hide what the layers below have, wherever in their own layer they stand.
        for entry in layer {
            match entry.kind {
                Kind::Whiteout => self.remove(&entry.path),
                Kind::Opaque => self.remove_below(&entry.path),
                _ => {}
            }
        }
        for entry in layer {
            match entry.kind {
                Kind::Whiteout | Kind::Opaque => {}
                _ => self.put(entry.clone()),
            }
        }
    }

    fn put(&mut self, entry: Entry) {
        if entry.kind != Kind::Folder {
            self.remove_below(&entry.path);
        }
        self.0.replace(At(Arc::new(entry)));
    }

    /// The entry at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path).map(|at| &*at.0)
    }

    /// All entries, ordered by path.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().map(|at| &*at.0)
    }

    /// The entries below the folder `path`; all with an empty path.
    pub fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.range::<str, _>(as_str(&inside(path))).map(|at| &*at.0)
    }

    /// The names in the folder `path`, ordered, also those of folders that no layer has an entry of.
    #[must_use]
    pub fn names(&self, path: &str) -> Vec<String> {
        let (mut start, end) = inside(path);
        let skip = if path.is_empty() { 0 } else { path.len() + 1 };
        let mut names = BTreeSet::new();
        while let Some(At(entry)) = self.0.range::<str, _>(as_str(&(start, end.clone()))).next() {
            let key = &entry.path;
            let (name, deeper) = match key[skip..].split_once('/') {
                Some((name, _)) => (name, true),
                None => (&key[skip..], false),
            };
            names.insert(name.to_owned());
            let seen = &key[..skip + name.len()];
            // What is inside a folder is one range, which is stepped over.
            start =
                Bound::Excluded(if deeper { format!("{seen}/\u{10FFFF}") } else { key.clone() });
        }
        names.into_iter().collect()
    }

    fn remove(&mut self, path: &str) {
        self.0.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, path: &str) {
        let gone: Vec<String> = self.below(path).map(|entry| entry.path.clone()).collect();
        for key in gone {
            self.0.remove(key.as_str());
        }
    }
}

/// The range of the paths inside the folder `path`.
fn inside(path: &str) -> (Bound<String>, Bound<String>) {
    if path.is_empty() {
        return (Bound::Unbounded, Bound::Unbounded);
    }
    // `0` follows `/`.
    (Bound::Excluded(format!("{path}/")), Bound::Excluded(format!("{path}0")))
}

fn as_str((start, end): &(Bound<String>, Bound<String>)) -> (Bound<&str>, Bound<&str>) {
    (start.as_ref().map(String::as_str), end.as_ref().map(String::as_str))
}

/// Most bytes of a path.
pub(crate) const MOST_PATH: usize = 4096;
/// Most bytes of a name in it.
const MOST_NAME: usize = 255;
/// Most names in it.
const MOST_NAMES: usize = 256;

/// Refuses a path that is longer or deeper than the paths of a person; the error says which one and why. Whoever reads
/// paths from elsewhere asks this before anything grows with them.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    let names = || path.split('/').filter(|name| !matches!(*name, "" | "."));
    let why = if path.len() > MOST_PATH || names().any(|name| name.len() > MOST_NAME) {
        "is too long".to_owned()
    } else if names().nth(MOST_NAMES).is_some() {
        format!("is more than {MOST_NAMES} folders deep")
    } else {
        return Ok(());
    };
    let start: String = path.chars().take(40).collect();
    Err(format!("`{start}…` {why}"))
}

/// Whether `path` lies inside the folder `folder`.
#[must_use]
pub fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> Entry {
        Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
    }

    fn file(path: &str, text: &str) -> Entry {
        entry(path, Kind::File { digest: Digest::of(text), size: text.len() as u64 })
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|entry| entry.path.as_str()).collect()
    }

    #[test]
    fn layers_lie_on_each_other() {
        let mut tree = Tree::default();
        tree.apply(&[entry("a", Kind::Folder), file("a/x", "1"), file("a/y", "1"), file("b", "1")]);
        tree.apply(&[file("a/x", "2"), entry("b", Kind::Whiteout), file("c", "2")]);
        assert_eq!(paths(&tree), ["a", "a/x", "a/y", "c"]);
        assert_eq!(tree.get("a/x"), Some(&file("a/x", "2")));
        tree.apply(&[file("a/z", "3"), entry("a", Kind::Opaque)]);
        assert_eq!(paths(&tree), ["a", "a/z", "c"]);
        tree.apply(&[file("a", "4")]);
        assert_eq!(paths(&tree), ["a", "c"]);
        assert_eq!(tree.below("").count(), 2);
    }

    #[test]
    fn paths_have_bounds() {
        let deep = |names: usize| vec!["d"; names].join("/");
        assert_eq!(check_path(&format!("./{}/", deep(256))), Ok(()));
        assert_eq!(check_path(&vec!["d".repeat(255); 16].join("/")), Ok(()));
        let error = |why: &str| Err(format!("`{}…` {why}", &deep(21)[..40]));
        assert_eq!(check_path(&deep(257)), error("is more than 256 folders deep"));
        assert_eq!(check_path(&deep(40_000)), error("is too long"));
        assert_eq!(check_path(&"d".repeat(256)), Err(format!("`{}…` is too long", "d".repeat(40))));
    }

    #[test]
    fn a_folder_has_names() {
        let mut tree = Tree::default();
        tree.apply(&[file("a", "1"), file("a-b", "1"), file("c/d/e", "1"), file("c/d-f", "1")]);
        tree.apply(&[file("c/d0", "1"), file("cc/x", "1")]);
        assert_eq!(tree.names(""), ["a", "a-b", "c", "cc"]);
        assert_eq!(tree.names("c"), ["d", "d-f", "d0"]);
        assert_eq!(tree.names("c/d"), ["e"]);
        assert_eq!(tree.names("a"), [""; 0]);
        assert_eq!(tree.below("c").count(), 3);
    }
}
