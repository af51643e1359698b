//! What files are: their hash, and links and modes, which only Unix has. What needs those is made on Linux only;
//! everything else of this program works everywhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::tree::hex;
use sha2::{Digest, Sha256};

/// SHA-256 of the file at `path`, in hexadecimal.
///
/// # Errors
/// When it cannot be read; names it.
pub fn sha256(path: &Path) -> Result<String> {
    let read = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(read)?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part).with_context(read)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&part[..count]),
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
