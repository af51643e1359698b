//! Which of the vendor's libraries a backend takes with it: everything that it needs, and that those
//! need, but for what the system has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Tells the libraries that an ELF file names as needed.
pub type Needed<'a> = dyn Fn(&Path) -> Result<Vec<String>> + 'a;

/// A product of the vendor's that a distribution ships.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorLibrary {
    /// Such as `cublas`, or the name of the package.
    pub name: String,
    pub version: String,
    /// Who made it.
    pub supplier: String,
    /// Texts under which it may be shipped.
    pub license_files: Vec<PathBuf>,
    pub files: Vec<VendorFile>,
}

/// A file to be shipped. `from` may be a link: what it points to is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VendorFile {
    /// Where it is on this machine.
    pub from: PathBuf,
    /// Path in the distribution: the SONAME of a library.
    pub to: String,
}

/// The libraries behind `start`, which `backend` needs, found in `search`; those in `allowed` are left
/// to the system, and so is what only they need.
///
/// # Errors
/// Names everything that is in none of the folders, and who needs it.
pub(super) fn find(
    backend: &str,
    start: &[String],
    search: &[PathBuf],
    allowed: &[&str],
    needed: &Needed<'_>,
) -> Result<Vec<VendorFile>> {
    let mut found = BTreeMap::new();
    let names = walk(backend, start, allowed, &mut |name| {
        let Some(path) = search.iter().map(|dir| dir.join(name)).find(|path| path.exists()) else {
            return Ok(None);
        };
        let list = needed(&path)?;
        found.insert(name.to_owned(), path);
        Ok(Some(list))
    });
    if let Err(error) = names {
        let places: Vec<String> = search.iter().map(|dir| dir.display().to_string()).collect();
        bail!("{error}\n  looked in: {}", places.join(", "));
    }
    Ok(found.into_iter().map(|(to, from)| VendorFile { from, to }).collect())
}

/// The transitive closure; `needed` tells what a library needs, or that there is no such library.
fn walk(
    backend: &str,
    start: &[String],
    allowed: &[&str],
    needed: &mut dyn FnMut(&str) -> Result<Option<Vec<String>>>,
) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    let mut queue: VecDeque<(String, String)> =
        start.iter().map(|name| (name.clone(), backend.to_owned())).collect();
    while let Some((name, by)) = queue.pop_front() {
        if allowed.contains(&name.as_str()) || !seen.insert(name.clone()) {
            continue;
        }
        match needed(&name)? {
            Some(list) => queue.extend(list.into_iter().map(|next| (next, name.clone()))),
            None => missing.push(format!("{name} not found ({by} needs it)")),
        }
    }
    if missing.is_empty() { Ok(seen) } else { bail!(missing.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// What libraries of a made-up ROCm need.
    fn rocm(name: &str) -> Option<Vec<String>> {
        let list = match name {
            "libhipblas.so.2" => "librocblas.so.4 libc.so.6",
            "librocblas.so.4" => "libamdhip64.so.6 libm.so.6",
            "libamdhip64.so.6" => "libhsa-runtime64.so.1 libgone.so.1 libdrm.so.2",
            "libhsa-runtime64.so.1" => "libamdhip64.so.6 libc.so.6",
            "libdrm.so.2" => "libsecret.so.1",
            _ => return None,
        };
        Some(words(list))
    }

    #[test]
    fn the_closure_stops_at_the_system_and_at_circles() {
        let start = words("libhipblas.so.2 libc.so.6");
        let allowed = ["libc.so.6", "libm.so.6", "libdrm.so.2", "libgone.so.1"];
        let names = walk("libggml-hip.so", &start, &allowed, &mut |name| Ok(rocm(name))).unwrap();
        let names: Vec<_> = names.into_iter().collect();
        assert_eq!(
            names,
            words("libamdhip64.so.6 libhipblas.so.2 libhsa-runtime64.so.1 librocblas.so.4")
        );
    }

    #[test]
    fn everything_that_is_missing_is_told_with_who_needs_it() {
        let start = words("libhipblas.so.2 libother.so");
        let allowed = ["libc.so.6", "libm.so.6", "libdrm.so.2"];
        let error = walk("libggml-hip.so", &start, &allowed, &mut |name| Ok(rocm(name)));
        assert_eq!(
            error.unwrap_err().to_string(),
            "libother.so not found (libggml-hip.so needs it)\nlibgone.so.1 not found \
            (libamdhip64.so.6 needs it)"
        );
    }

    #[test]
    fn the_first_folder_that_has_a_library_wins() {
        let dir = tempfile::tempdir().unwrap();
        let search = [dir.path().join("a"), dir.path().join("b")];
        for (dir, file) in [(0, "liby.so.1"), (1, "libx.so.1"), (1, "liby.so.1")] {
            std::fs::create_dir_all(&search[dir]).unwrap();
            std::fs::write(search[dir].join(file), "").unwrap();
        }
        let needed = |path: &Path| {
            Ok(if path.ends_with("libx.so.1") { words("liby.so.1") } else { Vec::new() })
        };
        let files = find("libz.so", &words("libx.so.1"), &search, &[], &needed).unwrap();
        let from: Vec<_> = files.iter().map(|file| file.from.clone()).collect();
        assert_eq!(from, [search[1].join("libx.so.1"), search[0].join("liby.so.1")]);
        let error = find("libz.so", &words("libw.so"), &search[..1], &[], &needed).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("libw.so not found (libz.so needs it)\n  looked in: {}", search[0].display())
        );
    }
}
