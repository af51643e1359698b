//! Finds everything below a folder, in one order on every system.

use std::fs::{self, FileType};
use std::path::Path;

use crate::Error;

/// Something below a folder.
#[derive(Debug, Clone)]
pub struct Found {
    /// Path below the folder, with `/` between names.
    pub path: String,
    /// A link is a link, whatever it points to.
    pub kind: FileType,
}

/// Everything below `dir`, in the byte order of the paths: a folder comes before its content. A link to a folder is not
/// entered.
///
/// # Errors
/// When a folder cannot be read, or a name is not UTF-8.
pub fn all(dir: &Path) -> Result<Vec<Found>, Error> {
    kept(dir, &|_| true)
}

/// The same without what `keep` does not want. `keep` gets paths of folders with a trailing `/`; a folder that it does not
/// want is not entered.
///
/// # Errors
/// As [`all`].
pub fn kept(dir: &Path, keep: &dyn Fn(&str) -> bool) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    collect(dir, "", keep, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(
    dir: &Path,
    prefix: &str,
    keep: &dyn Fn(&str) -> bool,
    found: &mut Vec<Found>,
) -> Result<(), Error> {
    let failed = |e| Error::io("read the folder", dir, &e);
    for item in fs::read_dir(dir).map_err(failed)? {
        let item = item.map_err(failed)?;
        let at = item.path();
        let Ok(name) = item.file_name().into_string() else {
            return Err(Error::refused(format!("the name of {} is not UTF-8", at.display())));
        };
        let path = format!("{prefix}{name}");
        let kind = item.file_type().map_err(|e| Error::io("read", &at, &e))?;
        if kind.is_dir() {
            let inside = format!("{path}/");
            if !keep(&inside) {
                continue;
            }
            found.push(Found { path, kind });
            collect(&at, &inside, keep, found)?;
        } else if keep(&path) {
            found.push(Found { path, kind });
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn everything_is_found_in_order_and_no_link_is_entered() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        for path in ["a.c", "a-b", "a/x", "a/b/y"] {
            fs::write(dir.path().join(path), "").unwrap();
        }
        std::os::unix::fs::symlink("..", dir.path().join("a/up")).unwrap();
        let paths = |found: Vec<Found>| found.into_iter().map(|f| f.path).collect::<Vec<_>>();
        let all = all(dir.path()).unwrap();
        assert!(all.iter().any(|found| found.path == "a/up" && found.kind.is_symlink()));
        assert_eq!(paths(all), ["a", "a-b", "a.c", "a/b", "a/b/y", "a/up", "a/x"]);
        let some = kept(dir.path(), &|path| path != "a/b/" && path != "a.c").unwrap();
        assert_eq!(paths(some), ["a", "a-b", "a/up", "a/x"]);
    }

    #[test]
    fn a_name_that_is_no_text_is_named() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"a\xff");
        fs::write(dir.path().join(name), "").unwrap();
        let error = all(dir.path()).unwrap_err().to_string();
        let expected = format!("the name of {}/a\u{fffd} is not UTF-8", dir.path().display());
        assert_eq!(error, expected);
    }
}
