//! The files of a distribution with the two hashes that SPDX wants.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::tree::hex;
use sha1::Digest as _;
use sha2::Digest as _;

/// A file and its hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed {
    /// Path in the distribution, with `/`.
    pub(super) path: String,
    pub(super) sha1: String,
    pub(super) sha256: String,
}

/// Every file in `dir` whose path is not in `except`, by path. Links are none: they lead to such files.
pub(super) fn hash_all(dir: &Path, except: &[&str]) -> Result<Vec<Hashed>> {
    let mut files = Vec::new();
    walk(dir, "", except, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(dir: &Path, prefix: &str, except: &[&str], files: &mut Vec<Hashed>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), except, files)?;
        } else if kind.is_file() && !except.contains(&path.as_str()) {
            files.push(hash(&entry.path(), path)?);
        }
    }
    Ok(())
}

fn hash(file: &Path, path: String) -> Result<Hashed> {
    let context = || format!("read {}", file.display());
    let mut reader = fs::File::open(file).with_context(context)?;
    let (mut sha1, mut sha256) = (sha1::Sha1::new(), sha2::Sha256::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = reader.read(&mut buffer).with_context(context)?;
        if length == 0 {
            break;
        }
        sha1.update(&buffer[..length]);
        sha256.update(&buffer[..length]);
    }
    Ok(Hashed { path, sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()) })
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
        let files = hash_all(dir.path(), &["version.json"]).unwrap();
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
