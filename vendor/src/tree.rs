//! Folders as git sees them: the files in them, and the git tree id that proves what they are.
//!
//! A tree id covers names, contents and the executable bit. Where a file system has no such bit
//! (Windows) the list of executables comes from the archive, and later from the stamp that was written
//! after verification (`stamp.rs`).

use std::collections::BTreeSet;
use std::fs::{self, File, FileType};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha1::{Digest, Sha1};

use crate::Error;
use crate::walk::{self, Found};

/// A file of a tree.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path inside the tree, with `/` between folders.
    pub path: String,
    /// Size in bytes.
    pub len: u64,
    /// Time of last change.
    pub modified: SystemTime,
    /// True if the owner may execute it; never where the file system has no such bit.
    pub executable: bool,
}

/// All files below `dir` that `keep` wants, in git's order. `keep` is asked for folders too (with a
/// trailing `/`), and a folder that it does not want is not entered. A top-level `.git` is no part of a tree.
///
/// # Errors
/// When something cannot be read, or is neither file nor folder, or its name is not UTF-8.
pub fn walk(dir: &Path, keep: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, Error> {
    // Full paths in byte order are git's order: a folder sorts as if its name ended in `/`.
    let found = walk::kept(dir, &|path| ![".git", ".git/"].contains(&path) && keep(path))?;
    let files = found.into_iter().filter(|found| !found.kind.is_dir());
    files.map(|Found { path, kind }| entry(dir.join(&path), path, kind)).collect()
}

fn entry(at: PathBuf, path: String, kind: FileType) -> Result<Entry, Error> {
    if !kind.is_file() {
        let what = format!("not a file or a folder in the source tree: {}", at.display());
        return Err(Error::refused(what).hint("replace the link with a copy"));
    }
    let failed = |e| Error::io("read", &at, &e);
    let meta = fs::symlink_metadata(&at).map_err(failed)?;
    let modified = meta.modified().map_err(failed)?;
    Ok(Entry { path, len: meta.len(), modified, executable: is_executable(&meta) })
}

/// The git tree id of the files `entries` below `dir`. `executables` replaces the file system's opinion on
/// which files are executable.
///
/// # Errors
/// When a file cannot be read.
pub fn id(
    dir: &Path,
    entries: &[Entry],
    executables: Option<&BTreeSet<String>>,
) -> Result<String, Error> {
    let blob = |entry: &Entry| blob(&dir.join(&entry.path));
    id_of(entries, executables, &blob)
}

/// The same with the ids of the contents from `blob`.
pub(crate) fn id_of(
    entries: &[Entry],
    executables: Option<&BTreeSet<String>>,
    blob: &dyn Fn(&Entry) -> Result<[u8; 20], Error>,
) -> Result<String, Error> {
    let executable = |entry: &Entry| match executables {
        Some(list) => list.contains(&entry.path),
        None => entry.executable,
    };
    Ok(hex(&tree(entries, 0, &executable, blob)?))
}

/// Lower-case hexadecimal text of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes the tree whose entries share the first `skip` bytes of their paths.
fn tree(
    entries: &[Entry],
    skip: usize,
    executable: &dyn Fn(&Entry) -> bool,
    blob: &dyn Fn(&Entry) -> Result<[u8; 20], Error>,
) -> Result<[u8; 20], Error> {
    let mut body = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let name = &first.path[skip..];
        let (mode, name, count, id) = if let Some((folder, _)) = name.split_once('/') {
            let inside = &first.path[..=skip + folder.len()];
            let count = rest.iter().take_while(|entry| entry.path.starts_with(inside)).count();
            ("40000", folder, count, tree(&rest[..count], inside.len(), executable, blob)?)
        } else {
            let mode = if executable(first) { "100755" } else { "100644" };
            (mode, name, 1, blob(first)?)
        };
        body.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        body.extend_from_slice(&id);
        rest = &rest[count..];
    }
    let mut hash = Sha1::new();
    hash.update(format!("tree {}\0", body.len()));
    hash.update(&body);
    Ok(hash.finalize().into())
}

fn blob(path: &Path) -> Result<[u8; 20], Error> {
    let failed = |e| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or_default() + 1);
    file.read_to_end(&mut content).map_err(failed)?;
    Ok(blob_of(&content))
}

/// Git's id of the content of the file at `path`.
///
/// # Errors
/// When it cannot be read.
pub fn file_id(path: &Path) -> Result<String, Error> {
    Ok(hex(&blob(path)?))
}

/// Git's id of a text, whatever ends its lines.
#[must_use]
pub fn text_id(text: &str) -> String {
    hex(&blob_of(text.replace('\r', "").as_bytes()))
}

/// Git's id of a file with this content.
pub(crate) fn blob_of(content: &[u8]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hash.finalize().into()
}

#[cfg(unix)]
fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(dir: &Path, executables: &[&str]) -> String {
        let list = executables.iter().map(|path| (*path).to_owned()).collect();
        id(dir, &walk(dir, &|_| true).unwrap(), Some(&list)).unwrap()
    }

    #[test]
    fn ids_are_those_of_git() {
        let dir = tempfile::tempdir().unwrap();
        // Git's well-known id of the empty tree.
        assert_eq!(id_of(dir.path(), &[]), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        // `a-b`, `a.c`, `a/` and `a0` sort differently as names and as paths; the id is from `git write-tree`.
        fs::create_dir_all(dir.path().join("a/ü")).unwrap();
        for path in ["a/ü/x", "a-b", "a.c", "a0", "run"] {
            fs::write(dir.path().join(path), format!("{path}\n")).unwrap();
        }
        assert_eq!(id_of(dir.path(), &["run"]), "7f24bbc78f99d8742d6fd77c652acf9f00fcb267");
        fs::create_dir_all(dir.path().join(".git")).unwrap();
        fs::write(dir.path().join(".git/HEAD"), "").unwrap();
        assert_eq!(id_of(dir.path(), &["run"]), "7f24bbc78f99d8742d6fd77c652acf9f00fcb267");
        assert_ne!(id_of(dir.path(), &[]), "7f24bbc78f99d8742d6fd77c652acf9f00fcb267");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let error = walk(dir.path(), &|_| true).unwrap_err().to_string();
        let at = dir.path().join("link");
        assert_eq!(
            error,
            format!(
                "not a file or a folder in the source tree: {}\n  hint: replace the link with a \
                copy",
                at.display()
            )
        );
    }
}
