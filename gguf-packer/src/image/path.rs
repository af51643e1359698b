//! Paths inside an image: joined, found, and guessed when they are not there.

use crate::tree::{Entry, Kind, Tree};

/// Links that are followed before they count as a circle.
const LINKS: usize = 16;

/// `path` seen from `folder`, absolute, without `.` and `..`.
#[must_use]
pub fn join(folder: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The file that an absolute path leads to, symbolic links followed.
#[must_use]
pub fn file<'a>(tree: &'a Tree, path: &str) -> Option<&'a Entry> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let (link, rest) = match first_link(tree, &path) {
            Some(found) => found,
            None => {
                let entry = tree.get(path.trim_start_matches('/'))?;
                return matches!(entry.kind, Kind::File { .. }).then_some(entry);
            }
        };
        let Kind::Link { target } = &link.kind else { return None };
        let folder = link.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        path = join(&join(&format!("/{folder}"), target), &format!("./{rest}"));
    }
    None
}

/// The first part of `path` that is a link, and what follows it.
fn first_link<'a>(tree: &'a Tree, path: &str) -> Option<(&'a Entry, String)> {
    let path = path.trim_start_matches('/');
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| tree.get(&path[..end]).map(|entry| (entry, end)))
        .find(|(entry, _)| matches!(entry.kind, Kind::Link { .. }))
        .map(|(entry, end)| (entry, path[end..].trim_start_matches('/').to_owned()))
}

/// Up to three files that may be meant by `path`, which is not there.
#[must_use]
pub fn near(tree: &Tree, path: &str) -> Vec<String> {
    let name = base(path);
    let files: Vec<&str> = tree
        .iter()
        .filter(|entry| matches!(entry.kind, Kind::File { .. }))
        .map(|entry| entry.path.as_str())
        .collect();
    let like = |test: &dyn Fn(&str) -> bool| -> Vec<String> {
        files
            .iter()
            .filter(|path| test(base(path)))
            .take(3)
            .map(|path| format!("/{path}"))
            .collect()
    };
    let tests: [&dyn Fn(&str) -> bool; 4] = [
        &|other| other == name,
        &|other| other.eq_ignore_ascii_case(name),
        &|other| strsim::levenshtein(other, name) <= 1 + name.len() / 6,
        &|other| name.ends_with(".gguf") && other.ends_with(".gguf"),
    ];
    tests.iter().map(|test| like(test)).find(|found| !found.is_empty()).unwrap_or_default()
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn tree(files: &[&str], links: &[(&str, &str)]) -> Tree {
        let entry = |path: &str, kind| Entry {
            path: path.to_owned(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 0,
        };
        let files =
            files.iter().map(|path| entry(path, Kind::File { digest: Digest::of(path), size: 1 }));
        let links =
            links.iter().map(|(path, to)| entry(path, Kind::Link { target: (*to).to_owned() }));
        let mut tree = Tree::default();
        tree.apply(&files.chain(links).collect::<Vec<_>>());
        tree
    }

    #[test]
    fn paths_join_inside_the_image() {
        assert_eq!(join("/models", "a/./b.gguf"), "/models/a/b.gguf");
        assert_eq!(join("/models", "../../x"), "/x");
        assert_eq!(join("/models", "/abs//x/"), "/abs/x");
        assert_eq!(join("", ""), "/");
    }

    #[test]
    fn links_lead_to_files() {
        let tree = tree(
            &["blobs/1", "models/m.gguf"],
            &[
                ("models/l.gguf", "../blobs/1"),
                ("abs", "/blobs/1"),
                ("old", "models"),
                ("a", "b"),
                ("b", "a"),
            ],
        );
        let found = |path: &str| file(&tree, path).map(|entry| entry.path.as_str());
        assert_eq!(found("/models/m.gguf"), Some("models/m.gguf"));
        assert_eq!(found("/models/l.gguf"), Some("blobs/1"));
        assert_eq!(found("/abs"), Some("blobs/1"));
        assert_eq!(found("/old/l.gguf"), Some("blobs/1"));
        assert_eq!(found("/a"), None);
        assert_eq!(found("/models"), None);
    }

    #[test]
    fn near_names_are_told() {
        let tree =
            tree(&["models/Qwen2.Q5_K_M.gguf", "models/other.gguf", "models/system.txt"], &[]);
        assert_eq!(near(&tree, "/Qwen2.Q5_K_M.gguf"), ["/models/Qwen2.Q5_K_M.gguf"]);
        assert_eq!(near(&tree, "/models/qwen2.q5_k_m.gguf"), ["/models/Qwen2.Q5_K_M.gguf"]);
        assert_eq!(near(&tree, "/models/Qwen2.Q4_K_M.gguf"), ["/models/Qwen2.Q5_K_M.gguf"]);
        assert_eq!(near(&tree, "/models/sistem.txt"), ["/models/system.txt"]);
        let all = ["/models/Qwen2.Q5_K_M.gguf", "/models/other.gguf"];
        assert_eq!(near(&tree, "/models/llama-3.2-1b.gguf"), all);
        assert!(near(&tree, "/models/x.txt").is_empty());
    }
}
