//! Paths of instructions: relative to a root, `/` between the parts.

/// `path` without `.`, `..` and slashes at its ends; nothing when it leads out of the root.
pub(crate) fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `path` inside `folder`; either may be empty.
pub(crate) fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", path) => path.to_owned(),
        (folder, "") => folder.to_owned(),
        _ => format!("{folder}/{path}"),
    }
}

/// The part after the last `/`.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The folders above `path`, the outermost first, the root left out.
pub(crate) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Whether a destination says that it is a folder.
pub(crate) fn says_folder(dest: &str) -> bool {
    dest.is_empty() || dest == "." || dest.ends_with('/') || dest.ends_with("/.")
}

/// The path in the image of `path`, which is relative to `workdir` unless it begins with `/`.
pub(crate) fn absolute(workdir: &str, path: &str) -> Option<String> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{workdir}/{path}") };
    clean(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        assert_eq!(clean("/a//./b/../c/").as_deref(), Some("a/c"));
        assert_eq!(clean("/").as_deref(), Some(""));
        assert_eq!(clean("a/../.."), None);
        assert_eq!(absolute("models", "x").as_deref(), Some("models/x"));
        assert_eq!(absolute("models", "../x").as_deref(), Some("x"));
        assert_eq!(absolute("models", "/x/").as_deref(), Some("x"));
        assert_eq!(folders("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(
            (join("", "a"), join("a", ""), join("a", "b")),
            ("a".into(), "a".into(), "a/b".into())
        );
        assert!(["", ".", "./", "x/", "x/."].into_iter().all(says_folder) && !says_folder("x"));
    }
}
