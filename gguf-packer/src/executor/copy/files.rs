//! Something that has files: a tree, or a folder on the disk. Links are followed inside of it, never out.

use crate::Error;
use crate::tree::{Entry, Kind, Tree};

use super::path;

/// Links that are followed before they are taken for a circle.
const MOST_LINKS: usize = 40;

/// Something that has files. Paths are as in [`Entry`]; the empty one is the root folder.
pub(crate) trait Files {
    /// What lies at `path`; a link is not followed.
    fn look(&self, path: &str) -> Result<Option<Entry>, Error>;

    /// The names in the folder `path`, ordered.
    fn names(&self, path: &str) -> Result<Vec<String>, Error>;
}

impl Files for Tree {
    fn look(&self, path: &str) -> Result<Option<Entry>, Error> {
        if let Some(entry) = self.get(path) {
            return Ok(Some(entry.clone()));
        }
        let folder = path.is_empty() || self.below(path).next().is_some();
        Ok(folder.then(|| folder_entry(path)))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Error> {
        Ok(Self::names(self, path))
    }
}

/// A folder that anyone may read.
pub(crate) fn folder_entry(path: &str) -> Entry {
    Entry { path: path.to_owned(), kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0, mtime: 0 }
}

/// The path that `path` comes to when links on it and at its end are followed; what is not there stays as
/// it is said. `..` stops at the root.
pub(crate) fn follow(files: &dyn Files, path: &str) -> Result<String, Error> {
    let mut done = String::new();
    let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut links = 0;
    while let Some(part) = rest.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let at = path::join(&done, &part);
        let Some(Entry { kind: Kind::Link { target }, .. }) = files.look(&at)? else {
            done = at;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err(Error::new(format!("too many levels of symbolic links: `{path}`")));
        }
        if target.starts_with('/') {
            done.clear();
        }
        rest.extend(target.split('/').rev().map(str::to_owned));
    }
    Ok(done)
}

/// Whether a folder lies at `path`.
pub(crate) fn is_folder(files: &dyn Files, path: &str) -> Result<bool, Error> {
    Ok(files.look(path)?.is_some_and(|entry| entry.kind == Kind::Folder))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::Digest;

    /// A tree of `path`, `path/`, `path=text` and `path->target`.
    pub(crate) fn tree(lines: &[&str]) -> Tree {
        let entries: Vec<Entry> = lines.iter().map(|line| entry(line)).collect();
        let mut tree = Tree::default();
        tree.apply(&entries);
        tree
    }

    /// One entry of [`tree`].
    pub(crate) fn entry(line: &str) -> Entry {
        let (path, kind, mode) = if let Some((path, target)) = line.split_once("->") {
            (path, Kind::Link { target: target.to_owned() }, 0o777)
        } else if let Some(path) = line.strip_suffix('/') {
            (path, Kind::Folder, 0o755)
        } else {
            let (path, text) = line.split_once('=').unwrap_or((line, line));
            let digest = Digest::of(text);
            (path, Kind::File { digest, size: text.len() as u64 }, 0o644)
        };
        Entry { path: path.to_owned(), kind, mode, uid: 0, gid: 0, mtime: 0 }
    }

    #[test]
    fn links_are_followed_inside_of_the_root() {
        let tree = tree(&["a/b/f", "in->a/b", "up->../../../a", "abs->/a/b/f", "c->d", "d->c"]);
        let follow = |path: &str| follow(&tree, path).map_err(|e| e.to_string());
        assert_eq!(follow("in/f").as_deref(), Ok("a/b/f"));
        assert_eq!(follow("up/b").as_deref(), Ok("a/b"));
        assert_eq!(follow("abs").as_deref(), Ok("a/b/f"));
        assert_eq!(follow("in/new/x").as_deref(), Ok("a/b/new/x"));
        assert_eq!(follow("c/x"), Err("too many levels of symbolic links: `c/x`".to_owned()));
        assert!(is_folder(&tree, "a/b").expect("a tree") && is_folder(&tree, "").expect("a tree"));
        assert!(!is_folder(&tree, "in").expect("a tree"));
    }
}
