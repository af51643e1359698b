//! Links and modes, which only Unix has. What needs them is made on Linux only; everything else of this
//! program works everywhere.

use std::io;
use std::path::Path;

/// `at` as a symbolic link to `target`.
///
/// # Errors
/// When it cannot be made.
#[cfg(unix)]
pub(crate) fn symlink(target: impl AsRef<Path>, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// `path` with permission bits.
///
/// # Errors
/// When they cannot be set.
#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Elsewhere there is none.
#[cfg(not(unix))]
pub(crate) fn symlink(_: impl AsRef<Path>, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Elsewhere there are none.
#[cfg(not(unix))]
pub(crate) fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
