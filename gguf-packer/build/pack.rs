//! Packs llama.cpp's converter: one archive in `OUT_DIR`, empty where there is no source.

use std::fs;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use llama_src::{Error, Request, SourceTree};

use crate::parts::{LEFT_OUT, PARTS};

/// Writes the archive to `to`. Without a source, `CONVERT` does what it can do itself.
///
/// # Errors
/// When a source is there and cannot be read, or is not the pinned one.
pub(crate) fn converter(to: &Path) -> Result<(), Error> {
    let root = llama_src::root();
    println!("cargo::rerun-if-changed={}", root.join("llama.cpp.toml").display());
    let Some(source) = source()? else {
        // It is looked again once something appears there.
        println!("cargo::rerun-if-changed={}", root.display());
        return fs::write(to, []).map_err(|e| Error::io("write", to, &e));
    };
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed={}", source.join(part).display());
        gather(&source, part, &mut files)?;
    }
    files.sort();
    let packed = pack(&source, &files).map_err(|e| Error::io("pack the converter of", &source, &e));
    fs::write(to, packed?).map_err(|e| Error::io("write", to, &e))
}

/// The source that llama-sys builds from, by the same rules; it is there by now where that is built.
fn source() -> Result<Option<PathBuf>, Error> {
    let variable = |name: &str| {
        println!("cargo::rerun-if-env-changed={name}");
        #[expect(clippy::disallowed_methods, reason = "a build script's own environment")]
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let request = Request {
        source_dir: variable("LLAMA_SYS_SOURCE_DIR"),
        cache_dir: variable("LLAMA_SYS_CACHE_DIR"),
        offline: true,
        ..Request::default()
    };
    let cached = request.cache_dir.as_ref().map(|dir| dir.join(&request.pin.tag));
    let homes = [Some(request.root.clone()), cached];
    let is_there = homes.iter().flatten().any(|home| home.join("llama.cpp").is_dir());
    if request.source_dir.is_none() && !is_there {
        return Ok(None);
    }
    let source = SourceTree::prepare(&request, &mut |_| ())?;
    if source.verified {
        source.check(&request.pin)?;
    }
    Ok(Some(source.dir))
}

/// The files of `part`, as paths in the source. Another release may lack some.
fn gather(source: &Path, part: &str, files: &mut Vec<String>) -> Result<(), Error> {
    let at = source.join(part);
    if part == LEFT_OUT || part.ends_with("__pycache__") || !at.exists() {
        return Ok(());
    }
    if at.is_file() {
        files.push(part.to_owned());
        return Ok(());
    }
    let failed = |e: std::io::Error| Error::io("read", &at, &e);
    for entry in fs::read_dir(&at).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        gather(source, &format!("{part}/{}", name.to_string_lossy()), files)?;
    }
    Ok(())
}

/// The same files make the same archive.
fn pack(source: &Path, files: &[String]) -> std::io::Result<Vec<u8>> {
    let mut archive =
        tar::Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
    for path in files {
        let content = fs::read(source.join(path))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, path, &content[..])?;
    }
    archive.into_inner()?.finish()
}
