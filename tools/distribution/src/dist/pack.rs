//! A finished distribution as an archive: what that is called, and what is packed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use llama_src::Error;

use super::archive;
use product::manifest::{self, Manifest};
use product::variant::PACKER;

/// What the archive of a distribution is called, without its ending, and the folder in it.
pub fn stem(version: &str, folder: &str) -> String {
    match folder.strip_prefix(PACKER) {
        Some(target) => format!("{}-{version}{target}", PACKER),
        None => format!("llama-server-{version}-{folder}"),
    }
}

/// Packs the distribution `dir` as `version` into the folder `out`; the archive, whose SHA-256 lies beside it.
///
/// # Errors
/// When it is none, or not what its manifest says, or cannot be written; when `version` is none.
pub fn pack(dir: &Path, version: &str, out: &Path) -> Result<PathBuf> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "-+.".contains(c);
    ensure!(
        version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(is_fine),
        Error::usage(format!("`{version}` is not a version")).hint("--version 1.2.3")
    );
    let manifest = Manifest::read(dir)?;
    manifest.check_files(dir)?;
    // As it is called, not as somebody names it: `.` has no name.
    let dir = &dir.canonicalize().with_context(|| format!("cannot open {}", dir.display()))?;
    let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let stem = stem(version, &folder.context("a distribution is in a folder with a name")?);
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    write(dir, &manifest, &stem, out, manifest.source_date_epoch)
}

pub(super) fn write(
    dir: &Path,
    manifest: &Manifest,
    stem: &str,
    out: &Path,
    epoch: u64,
) -> Result<PathBuf> {
    let mut files: Vec<String> = manifest.files.keys().cloned().collect();
    files.push(manifest::FILE.to_owned());
    let to = archive::path(out, stem);
    archive::write(dir, &files, &to, stem, epoch)?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use product::files;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_what_the_manifest_names_is_packed() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, out) = (temp.path().join("cpu-x"), temp.path().join("out"));
        fs::create_dir_all(dir.join("bin")).unwrap();
        fs::write(dir.join("llama-server"), "a").unwrap();
        files::symlink("../llama-server", &dir.join("bin/llama-server")).unwrap();
        let sha256 = files::sha256(&dir.join("llama-server")).unwrap();
        let listed = BTreeMap::from([
            ("llama-server".to_owned(), manifest::File::Regular { sha256, size: 1 }),
            (
                "bin/llama-server".to_owned(),
                manifest::File::Link { target: "../llama-server".to_owned() },
            ),
        ]);
        let manifest = Manifest { files: listed, ..Manifest::example() };
        fs::write(dir.join(manifest::FILE), manifest.text()).unwrap();
        let archive = pack(&dir.join("bin/.."), "1.2.3", &out).unwrap();
        assert_eq!(archive, out.join("llama-server-1.2.3-cpu-x.tar.gz"));
        for version in ["", "v1.2.3", "1.2/3"] {
            let error = pack(&dir, version, &out).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{version}` is not a version")), "{error}");
        }
        let refused = |path: &str| {
            let error = pack(&dir, "1.2.3", &out).unwrap_err().to_string();
            let due = format!("{path} is not the file that version.json names");
            assert!(error.contains(&due), "{error}");
        };
        fs::write(dir.join("llama-server"), "b").unwrap();
        refused("llama-server");
        fs::write(dir.join("llama-server"), "a").unwrap();
        fs::remove_file(dir.join("bin/llama-server")).unwrap();
        refused("bin/llama-server");
    }
}
