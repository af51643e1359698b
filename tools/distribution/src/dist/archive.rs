//! The archive of a distribution: the same bytes for the same files, wherever and whenever it is made.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use product::files;

/// Where `write` puts what, for a distribution called `stem`.
pub fn path(dir: &Path, stem: &str) -> PathBuf {
    dir.join(format!("{stem}.tar.gz"))
}

/// Packs `files`, paths in `from`, below one folder `stem`, and writes the SHA-256 beside it. Both are
/// there whole or not at all.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(from: &Path, files: &[String], to: &Path, stem: &str, epoch: u64) -> Result<()> {
    let aside = to.with_extension("gz.new");
    let result = pack(from, files, &aside, stem, epoch)
        .and_then(|()| files::sha256(&aside))
        .with_context(|| format!("cannot write {}", to.display()));
    let sum = result.inspect_err(|_| drop(fs::remove_file(&aside)))?;
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sums = PathBuf::from(format!("{}.sha256", to.display()));
    // The old sum would not fit the new archive; for a moment there is none.
    let _ = fs::remove_file(&sums);
    fs::rename(&aside, to)?;
    llama_src::place::write_whole(&sums, &format!("{sum}  {name}\n"))
        .with_context(|| format!("cannot write {}", sums.display()))
}

fn pack(from: &Path, files: &[String], to: &Path, stem: &str, epoch: u64) -> Result<()> {
    let file = io::BufWriter::new(File::create(to)?);
    let gzip = GzBuilder::new().mtime(0).write(file, Compression::best());
    let mut tar = Builder::new(gzip);
    let mut entries: Vec<String> = files.to_vec();
    for path in files {
        let folders = path.match_indices('/').map(|(at, _)| format!("{}/", &path[..at]));
        entries.extend(folders);
    }
    entries.push(String::new());
    entries.sort();
    entries.dedup();
    for path in entries {
        append(&mut tar, &from.join(&path), &format!("{stem}/{path}"), epoch)
            .with_context(|| format!("cannot pack {path}"))?;
    }
    let file = tar.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.sync_all()?)
}

fn append(tar: &mut Builder<impl Write>, from: &Path, name: &str, epoch: u64) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    let mut header = Header::new_ustar();
    header.set_mtime(epoch);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    if meta.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        return tar.append_link(&mut header, name, fs::read_link(from)?);
    }
    if meta.is_dir() {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        return tar.append_data(&mut header, name, io::empty());
    }
    header.set_entry_type(EntryType::Regular);
    header.set_size(meta.len());
    header.set_mode(if is_executable(&meta) { 0o755 } else { 0o644 });
    tar.append_data(&mut header, name, File::open(from)?)
}

#[cfg(unix)]
pub(super) fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

/// Only Linux distributions are made, and only on Unix are they made right.
#[cfg(not(unix))]
pub(super) fn is_executable(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_same_files_give_the_same_archive_in_any_folder() {
        use std::os::unix::fs::PermissionsExt;
        let mut archives = Vec::new();
        for order in [["b", "a"], ["a", "b"]] {
            let dir = tempfile::tempdir().unwrap();
            let from = dir.path().join("from");
            fs::create_dir_all(from.join("bin")).unwrap();
            for name in order {
                fs::write(from.join(name), name).unwrap();
            }
            fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::symlink("../a", from.join("bin/a")).unwrap();
            let to = path(dir.path(), "x-1");
            let files = ["a", "b", "bin/a"].map(str::to_owned);
            write(&from, &files, &to, "x-1", 1_755_699_600).unwrap();
            let sums = fs::read_to_string(dir.path().join("x-1.tar.gz.sha256")).unwrap();
            assert_eq!(sums, format!("{}  x-1.tar.gz\n", files::sha256(&to).unwrap()));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left over");
            archives.push(fs::read(&to).unwrap());
        }
        assert_eq!(archives[0], archives[1]);
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&archives[0][..]));
        let names: Vec<String> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!(header.mtime().unwrap(), 1_755_699_600);
                let path = entry.path().unwrap().display().to_string();
                format!("{:o} {path}", header.mode().unwrap())
            })
            .collect();
        assert_eq!(names, ["755 x-1/", "755 x-1/a", "644 x-1/b", "755 x-1/bin/", "777 x-1/bin/a"]);
    }

    #[test]
    fn a_file_that_is_gone_leaves_no_archive() {
        let dir = tempfile::tempdir().unwrap();
        let to = path(dir.path(), "x");
        let error = write(dir.path(), &["gone".to_owned()], &to, "x", 0).unwrap_err();
        assert!(format!("{error:#}").contains("cannot pack gone"), "{error:#}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
