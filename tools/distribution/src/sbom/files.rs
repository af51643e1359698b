//! The files of a distribution with the two hashes that SPDX wants.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::tree::hex;
use llama_src::walk;
use product::files;
use product::manifest::File;
use sha1::Digest as _;
use sha2::Digest as _;

/// A file and its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    /// Path in the distribution, with `/`.
    pub(super) path: String,
    pub(super) sha1: String,
    pub(super) sha256: String,
    /// In bytes.
    pub(super) size: u64,
}

/// Every file in `dir` whose path is not in `except`, by path; and the links, which lead to such files.
pub(super) fn all(dir: &Path, except: &[&str]) -> Result<(Vec<Hashed>, BTreeMap<String, File>)> {
    let (mut files, mut links) = (Vec::new(), BTreeMap::new());
    for found in walk::all(dir)? {
        if found.kind.is_symlink() {
            let at = dir.join(&found.path);
            let target =
                fs::read_link(&at).with_context(|| format!("cannot read {}", at.display()))?;
            let target = target.to_string_lossy().into_owned();
            links.insert(found.path, File::Link { target });
        } else if found.kind.is_file() && !except.contains(&found.path.as_str()) {
            files.push(Hashed::read(dir, found.path)?);
        }
    }
    Ok((files, links))
}

impl Hashed {
    /// The file `path` in `dir`.
    pub(super) fn read(dir: &Path, path: String) -> Result<Self> {
        let files::Hashes { sha1, sha256, size } = files::hashes(&dir.join(&path))?;
        Ok(Self { path, sha1, sha256, size })
    }

    /// Its line in the manifest.
    pub(super) fn listed(self) -> (String, File) {
        (self.path, File::Regular { sha256: self.sha256, size: self.size })
    }
}

/// SHA-1 of a text.
pub(super) fn sha1(text: &str) -> String {
    hex(&sha1::Sha1::digest(text.as_bytes()))
}

/// SHA-256 of a text.
pub(super) fn sha256(text: &str) -> String {
    hex(&sha2::Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_hashed_in_the_order_of_their_paths() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        for path in ["b", "bin/x", "a", "version.json"] {
            fs::write(dir.path().join(path), "abc").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("../b", dir.path().join("bin/link")).unwrap();
        let (files, links) = all(dir.path(), &["version.json"]).unwrap();
        #[cfg(unix)]
        assert_eq!(
            links,
            BTreeMap::from([("bin/link".to_owned(), File::Link { target: "../b".to_owned() })])
        );
        assert_eq!(files[0].size, 3);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "bin/x"]);
        assert_eq!(files[0].sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            files[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!((sha1("abc"), sha256("abc")), (files[0].sha1.clone(), files[0].sha256.clone()));
    }
}
