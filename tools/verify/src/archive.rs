//! The archive of a distribution that nobody has vouched for: its checksum, and its one folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use llama_src::Error;
use llama_src::archive::{self, Bounds};

use product::files;

/// Room for thousands of ROCm's kernels, and for CUDA's libraries several times.
const BOUNDS: Bounds = Bounds { entries: 50_000, bytes: 16 << 30 };

/// Checks the `.sha256` beside `archive`; `false` when there is none.
///
/// # Errors
/// When it is there and says something else.
pub(super) fn check_sum(archive: &Path) -> Result<bool> {
    let mut beside = archive.as_os_str().to_owned();
    beside.push(".sha256");
    let beside = Path::new(&beside);
    let said = match fs::read_to_string(beside) {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_lowercase(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context(format!("cannot read {}", beside.display())),
    };
    let is = files::sha256(archive)?;
    ensure!(
        said == is,
        "{} has SHA-256 {is}, but {} says `{said}`",
        archive.display(),
        beside.display()
    );
    Ok(true)
}

/// Programs are run where an archive is unpacked: tells if nothing may run in `folder`.
///
/// # Errors
/// When nothing may.
#[cfg(unix)]
pub(super) fn check_runs(folder: &Path) -> Result<()> {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    let flags = statvfs(folder).map(|found| found.f_flag);
    ensure!(
        !flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOEXEC)),
        Error::usage(format!("programs may not run in {}: it is mounted noexec", folder.display()))
            .hint("TMPDIR=/var/tmp cargo xtask verify ARCHIVE, or unpack it and name the folder")
    );
    Ok(())
}

/// Unpacks `archive` into the folder `to` and gives the one folder that it holds.
///
/// # Errors
/// When the archive is damaged or refused, or `to` cannot be written.
pub(super) fn unpack(archive: &Path, to: &Path) -> Result<PathBuf> {
    Ok(archive::unpack_distribution(archive, to, BOUNDS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_beside_an_archive_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let (at, beside) = (dir.path().join("a.tar.gz"), dir.path().join("a.tar.gz.sha256"));
        fs::write(&at, "x").unwrap();
        assert!(!check_sum(&at).unwrap());
        let sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        fs::write(&beside, format!("{sum}  a.tar.gz\n")).unwrap();
        assert!(check_sum(&at).unwrap());
        fs::write(&beside, "0  a.tar.gz\n").unwrap();
        assert_eq!(
            check_sum(&at).unwrap_err().to_string(),
            format!("{} has SHA-256 {sum}, but {} says `0`", at.display(), beside.display())
        );
    }
}
