//! What a Markdown page points to: the file of a link must exist and have the heading of its anchor, and so must
//! a source file that a page names, as in `tools/ci/src/check.rs`. Addresses on the web are not asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;

/// Endings of files that are committed wherever they are named.
const SOURCES: [&str; 5] = [".rs", ".md", ".cmake", ".yml", ".Dockerfile"];

/// All that leads nowhere in the pages below `root`: `page: target: why`.
pub(super) fn broken(root: &Path) -> Result<Vec<String>> {
    let git = Cmd::new("git").dir(root);
    let list = git.args(["ls-files", "-co", "--exclude-standard", "-z"]).read()?;
    let files: BTreeSet<&str> = list.split('\0').collect();
    let mut broken = Vec::new();
    for page in files.iter().filter(|file| file.ends_with(".md") && root.join(file).is_file()) {
        let text =
            fs::read_to_string(root.join(page)).with_context(|| format!("cannot read {page}"))?;
        let links = links(&text).into_iter().map(|link| (link, fault(root, page, link)));
        let gone = sources(&text, &files).into_iter().filter(|name| !root.join(name).is_file());
        let gone = gone.map(|name| (name, Some("file not found".to_owned())));
        let found = links.chain(gone).filter_map(|(name, why)| Some((name, why?)));
        broken.extend(found.map(|(name, why)| format!("{page}: {name}: {why}")));
    }
    Ok(broken)
}

/// Targets of `[text](target)` that are not addresses on the web.
fn links(text: &str) -> Vec<&str> {
    let parts = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = parts.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains(':')).collect()
}

/// Source files that a page names by their path from a folder that is committed.
fn sources<'a>(text: &'a str, files: &BTreeSet<&str>) -> Vec<&'a str> {
    let spans = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let named = spans.filter(|span| SOURCES.iter().any(|ending| span.ends_with(ending)));
    let exact = named.filter(|span| !span.contains(['*', ' ', '<', '{', '…']));
    let committed = exact.filter(|span| {
        let top = span.split_inclusive('/').next().filter(|top| top.ends_with('/'));
        top.is_some_and(|top| files.iter().any(|file| file.starts_with(top)))
    });
    committed.collect()
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
        return Some("file not found".to_owned());
    }
    let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
    let found = anchor.is_empty() || anchors(&text).contains(anchor);
    (!found).then(|| format!("heading not found in {}", file.display()))
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
        let numbered = (1..).map(|n| format!("{name}-{n}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        anchors.extend(names.find(|name| !anchors.contains(name)));
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_nowhere_is_found() {
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
        write(
            "docs/c.md",
            "`docs/b.md` `docs/d.rs` `docs/llama.cpp` `docs/*.rs` `other/d.rs` `d.rs` `cat docs/e.md`\n",
        );
        assert_eq!(
            broken(dir.path()).unwrap(),
            [
                "README.md: docs/no.md: file not found",
                "README.md: docs/a.md#no-heading: heading not found in docs/a.md",
                "README.md: #nothing: heading not found in README.md",
                "docs/b.md: docs/a.md: file not found",
                "docs/c.md: docs/d.rs: file not found",
            ]
        );
    }
}
