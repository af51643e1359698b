//! What files are: their hash, and links and modes, which only Unix has. What needs those is made on Linux only;
//! everything else of this program works everywhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::tree::hex;
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};

/// What is known of a file by its bytes, hashes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-1, which SPDX wants.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// SHA-256 of the file at `path`, in hexadecimal.
///
/// # Errors
/// When it cannot be read; names it.
pub fn sha256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    read(path, |part| hash.update(part))?;
    Ok(hex(&hash.finalize()))
}

/// All hashes of the file at `path`, which is read once.
///
/// # Errors
/// As [`sha256`].
pub fn hashes(path: &Path) -> Result<Hashes> {
    let (mut sha1, mut sha256, mut size) = (Sha1::new(), Sha256::new(), 0);
    read(path, |part| {
        sha1.update(part);
        sha256.update(part);
        size += part.len() as u64;
    })?;
    Ok(Hashes { sha1: hex(&sha1.finalize()), sha256: hex(&sha256.finalize()), size })
}

fn read(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut part = vec![0; 1 << 20];
    loop {
        match file.read(&mut part).with_context(failed)? {
            0 => return Ok(()),
            count => each(&part[..count]),
        }
    }
}

/// `at` as a symbolic link to `target`.
///
/// # Errors
/// When it cannot be made.
#[cfg(unix)]
pub fn symlink(target: impl AsRef<Path>, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// `path` with permission bits.
///
/// # Errors
/// When they cannot be set.
#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Elsewhere there is none.
#[cfg(not(unix))]
pub fn symlink(_: impl AsRef<Path>, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Elsewhere there are none.
#[cfg(not(unix))]
pub fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
