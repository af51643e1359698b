//! The converter's files: packed in this program, unpacked once for each content of theirs.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::Error;
use crate::digest::Digest;

/// Upstream's scripts, as the build script packed them; empty where it found no source.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/converter.tar.gz"));

/// Name of our own script, which starts one of theirs.
pub(super) const START: &str = "start.py";

/// Our own script.
const START_TEXT: &str = include_str!("../start.py");

/// The folder with the scripts below `cache`. What is there is compared, what differs is written again.
pub(super) fn scripts(cache: &Path) -> Result<PathBuf, Error> {
    if PACKED.is_empty() {
        return Err(Error::new("this gguf-packer was built without llama.cpp's converter")
            .hint("fetch llama.cpp's source, then build gguf-packer again: cargo xtask vendor"));
    }
    let files =
        files().map_err(|e| Error::new(format!("the embedded converter is damaged: {e}")))?;
    let name = Digest::of([PACKED, START_TEXT.as_bytes()].concat());
    let folder = cache.join(format!("converter-{}", name.short()));
    if files.iter().all(|(path, content)| is(&folder.join(path), content)) {
        return Ok(folder);
    }
    let failed = |e: &std::io::Error| {
        Error::io("unpack llama.cpp's converter to", &folder, e)
            .hint("choose another folder: XDG_CACHE_HOME=/path/to/cache")
    };
    fs::create_dir_all(cache).map_err(|e| failed(&e))?;
    let new = tempfile::tempdir_in(cache).map_err(|e| failed(&e))?;
    for (path, content) in &files {
        write(&new.path().join(path), content).map_err(|e| failed(&e))?;
    }
    place(new, &folder, &files).map_err(|e| failed(&e))?;
    Ok(folder)
}

/// Gives a whole folder its name; another process may have done so in the meantime.
fn place(
    new: tempfile::TempDir,
    folder: &Path,
    files: &[(PathBuf, Vec<u8>)],
) -> std::io::Result<()> {
    if fs::rename(new.path(), folder).is_ok() {
        // It is there under its name now, there is nothing to remove.
        let _ = new.keep();
        return Ok(());
    }
    // Something in it was changed: each file is replaced as a whole.
    for (path, content) in files.iter().filter(|(path, content)| !is(&folder.join(path), content)) {
        let (from, to) = (new.path().join(path), folder.join(path));
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::rename(&from, &to).or_else(|_| write(&to, content))?;
    }
    Ok(())
}

fn is(path: &Path, content: &[u8]) -> bool {
    fs::read(path).is_ok_and(|there| there == content)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, content)
}

/// Paths and contents.
fn files() -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = vec![(PathBuf::from(START), START_TEXT.as_bytes().to_vec())];
    for entry in tar::Archive::new(GzDecoder::new(PACKED)).entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.push((entry.path()?.into_owned(), content));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_converter_is_unpacked_once_and_mended() {
        let cache = tempfile::tempdir().unwrap();
        let folder = scripts(cache.path()).unwrap();
        for path in ["convert_hf_to_gguf.py", "gguf-py/gguf/constants.py", "LICENSE", START] {
            assert!(folder.join(path).is_file(), "no {path}");
        }
        let changed = folder.join("conversion/base.py");
        let whole = fs::read(&changed).unwrap();
        fs::write(&changed, "import os").unwrap();
        fs::remove_file(folder.join("LICENSE")).unwrap();
        assert_eq!(scripts(cache.path()).unwrap(), folder);
        assert_eq!(fs::read(&changed).unwrap(), whole);
        assert!(folder.join("LICENSE").is_file());
        let names = fs::read_dir(cache.path()).unwrap();
        assert_eq!(names.count(), 1, "nothing else stays in the cache");
    }
}
