//! Relative links of the Markdown pages: the file must exist, and the anchor must be one of its headings.
//! Addresses on the web are not asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;

/// Every link of every page below `root` that leads nowhere: `page: target: why`.
pub(super) fn broken(root: &Path) -> Result<Vec<String>> {
    let git = Cmd::new("git").dir(root);
    let list = git.args(["ls-files", "-co", "--exclude-standard", "-z", "*.md"]).read()?;
    let mut broken = Vec::new();
    for page in list.split('\0').filter(|page| !page.is_empty() && root.join(page).is_file()) {
        let text =
            fs::read_to_string(root.join(page)).with_context(|| format!("cannot read {page}"))?;
        for target in targets(&text) {
            if let Some(why) = fault(root, page, target) {
                broken.push(format!("{page}: {target}: {why}"));
            }
        }
    }
    Ok(broken)
}

/// Targets of `[text](target)` that are not addresses on the web. Code blocks have no links.
fn targets(text: &str) -> Vec<&str> {
    let parts = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = parts.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains(':')).collect()
}

/// Lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn fault(root: &Path, page: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let file = if path.is_empty() { PathBuf::from(page) } else { normal(&folder.join(path)) };
    if !root.join(&file).exists() {
        return Some("no such file".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then(|| format!("no such heading in {}", file.display()))
}

/// Without `..`, so that a folder that is not there does not matter.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, part| {
        if part == Component::ParentDir {
            path.pop();
        } else {
            path.push(part);
        }
        path
    })
}

/// Names of the headings as GitHub makes them; the second `## Tried` of a page is `tried-1`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let headings = prose(text).filter(|line| line.starts_with('#'));
    for title in headings.map(|line| line.trim_start_matches('#').trim().to_lowercase()) {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name = kept.collect::<String>().replace(' ', "-");
        let free = (1..).map(|n| format!("{name}-{n}")).find(|name| !anchors.contains(name));
        let name = if anchors.contains(&name) { free.unwrap_or(name) } else { name };
        anchors.insert(name);
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_file_or_a_heading_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        Cmd::new("git").dir(dir.path()).args(["init", "--quiet"]).read().unwrap();
        write(
            "docs/a.md",
            "## It's `x` here\n## Tried\n## Tried\n```\n# no heading\n[x](no)\n```\n",
        );
        write(
            "README.md",
            "[a](docs/a.md#its-x-here) [b](docs/a.md#tried-1) [c](docs/no.md)\n\
             [d](docs/a.md#no-heading) [e](#nothing) [f](https://x.example/y) [g](docs)\n",
        );
        write("docs/b.md", "[up](../README.md) [own](a.md) [wrong](docs/a.md)\n");
        assert_eq!(
            broken(dir.path()).unwrap(),
            [
                "README.md: docs/no.md: no such file",
                "README.md: docs/a.md#no-heading: no such heading in docs/a.md",
                "README.md: #nothing: no such heading in README.md",
                "docs/b.md: docs/a.md: no such file",
            ]
        );
    }
}
