//! Which files the sources of a `COPY` name: patterns, links, `--parents` with its pivot, `--exclude`.

use crate::Error;
use crate::language::ignore::Ignore;
use crate::tree::{Entry, Kind};

use super::files::{Files, follow, is_folder};
use super::{path, pattern};

/// A file or folder that a source names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    /// Where it lies, links followed.
    pub(crate) path: String,
    /// Its name at the destination; with `--parents` with the folders above it.
    pub(crate) name: String,
    /// With `--parents`: the folder from which on names count.
    pub(crate) pivot: Option<String>,
    /// A pattern named it, not its name.
    pub(crate) by_pattern: bool,
}

/// What a source names in `files`, ordered; a pattern may name nothing. `roots` are the folders in which a
/// relative source is looked for, the first that has it counts.
pub(crate) fn select(
    files: &dyn Files,
    roots: &[&str],
    source: &str,
    parents: bool,
) -> Result<Vec<Match>, Error> {
    let roots = if source.starts_with('/') { &[""] } else { roots };
    for root in roots {
        let found = in_root(files, root, source, parents)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if pattern::is_pattern(source) {
        return Ok(Vec::new());
    }
    Err(missing(files, roots, source)?)
}

fn in_root(
    files: &dyn Files,
    root: &str,
    source: &str,
    parents: bool,
) -> Result<Vec<Match>, Error> {
    if !parents {
        let found = expand(files, root, &clean(source)?, false)?;
        return Ok(found.into_iter().map(|found| found.named(None)).collect());
    }
    let (before, after) = source.split_once("/./").unwrap_or(("", source));
    let mut matches = Vec::new();
    for pivot in expand(files, root, &clean(before)?, false)? {
        for found in expand(files, &pivot.path, &clean(after)?, true)? {
            matches.push(found.named(Some(&pivot.path)));
        }
    }
    Ok(matches)
}

fn clean(source: &str) -> Result<String, Error> {
    path::clean(source).ok_or_else(|| {
        Error::new(format!("forbidden path outside the build context or stage: `{source}`")).hint(
            "move the file into it, or name its folder: `--build-context NAME=FOLDER` and \
                `--from=NAME`",
        )
    })
}

/// A path that a pattern comes to.
struct Found {
    path: String,
    /// From the root on, as it was named.
    said: String,
    by_pattern: bool,
}

impl Found {
    fn named(self, pivot: Option<&str>) -> Match {
        let name = if pivot.is_some() { &self.said } else { path::name(&self.said) };
        let (name, pivot) = (name.to_owned(), pivot.map(str::to_owned));
        Match { path: self.path, name, pivot, by_pattern: self.by_pattern }
    }
}

/// The paths that `said`, parts of which may be patterns, comes to from `root` on.
fn expand(files: &dyn Files, root: &str, said: &str, deep: bool) -> Result<Vec<Found>, Error> {
    let start = Found { path: follow(files, root)?, said: String::new(), by_pattern: false };
    let mut found = vec![start];
    for part in said.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for at in found {
            if part == "**" && deep {
                any_depth(files, at, &mut next)?;
            } else {
                step(files, &at, part, &mut next)?;
            }
        }
        found = next;
    }
    // Nothing is said: the root itself, which has to be there.
    found.retain(|found| !found.said.is_empty() || said.is_empty());
    let mut there = Vec::new();
    for found in found {
        if files.look(&found.path)?.is_some() {
            there.push(found);
        }
    }
    there.sort_by(|a, b| a.said.cmp(&b.said));
    there.dedup_by(|a, b| a.said == b.said);
    Ok(there)
}

fn step(files: &dyn Files, at: &Found, part: &str, next: &mut Vec<Found>) -> Result<(), Error> {
    let mut push = |name: &str, by_pattern| -> Result<(), Error> {
        let path = follow(files, &path::join(&at.path, name))?;
        let said = path::join(&at.said, name);
        next.push(Found { path, said, by_pattern });
        Ok(())
    };
    if !pattern::is_pattern(part) {
        return push(&pattern::literal(part), at.by_pattern);
    }
    if is_folder(files, &at.path)? {
        for name in files.names(&at.path)? {
            if pattern::matches(part, &name) {
                push(&name, true)?;
            }
        }
    }
    Ok(())
}

/// `**`: the folder itself and everything below it; links are not gone through.
fn any_depth(files: &dyn Files, at: Found, next: &mut Vec<Found>) -> Result<(), Error> {
    let mut stack = vec![at];
    while let Some(at) = stack.pop() {
        if is_folder(files, &at.path)? {
            for name in files.names(&at.path)? {
                let path = path::join(&at.path, &name);
                stack.push(Found { path, said: path::join(&at.said, &name), by_pattern: true });
            }
        }
        next.push(Found { by_pattern: true, ..at });
    }
    Ok(())
}

fn missing(files: &dyn Files, roots: &[&str], source: &str) -> Result<Error, Error> {
    if source.contains("://") {
        return Ok(Error::new(format!("unsupported URL: `{source}`")).hint(
            "use https://…, http://…, or a Git repository: https://….git, git://…, ssh://…",
        ));
    }
    let mut error = Error::new(format!("file or folder not found: `{source}`"));
    for root in roots {
        let path = path::join(root, &clean(source)?);
        if let Some(Entry { kind: Kind::Link { target }, .. }) = files.look(&path)? {
            let what = format!("the link `{path}` points to `{target}`, which does not exist");
            return Ok(Error::new(what).hint("let the link point to a file in the same folder"));
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let folder = follow(files, folder)?;
        if !is_folder(files, &folder)? {
            continue;
        }
        for near in near(name, files.names(&folder)?) {
            error = error.hint(format!("did you mean `{}`?", path::join(&folder, &near)));
        }
    }
    Ok(error)
}

/// Up to three of `names` that may have been meant.
fn near(name: &str, names: Vec<String>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut rated: Vec<(usize, String)> = names
        .into_iter()
        .map(|name| (strsim::levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= wanted.chars().count() / 3 + 1)
        .collect();
    rated.sort();
    rated.into_iter().take(3).map(|(_, name)| name).collect()
}

/// A match with everything in it: paths relative to it (its own is empty) and what lies there.
pub(crate) fn walk(
    files: &dyn Files,
    found: &Match,
    exclude: &Ignore,
) -> Result<Vec<(String, Entry)>, Error> {
    let Some(entry) = files.look(&found.path)? else { return Ok(Vec::new()) };
    // With `--parents` patterns are relative to the pivot, without it to the folder that is copied.
    let said = if found.pivot.is_some() { found.name.as_str() } else { "" };
    if entry.kind != Kind::Folder || found.by_pattern {
        let gone = exclude.excludes(&found.name);
        if gone && !(entry.kind == Kind::Folder && exclude.may_hold_exceptions(&found.name)) {
            return Ok(Vec::new());
        }
    }
    let mut out = Vec::new();
    if entry.kind == Kind::Folder {
        out = inside(files, &found.path, said, exclude)?;
    }
    out.insert(0, (String::new(), entry));
    Ok(out)
}

/// A folder that is being walked through.
struct Level {
    path: String,
    said: String,
    relative: String,
    /// What is still to come.
    names: std::vec::IntoIter<String>,
    /// It is excluded, and only there for what follows so many entries.
    excluded: Option<usize>,
}

/// Everything in the folder `at`, each folder before what is in it. Folders may be deeper than a stack is large.
fn inside(
    files: &dyn Files,
    at: &str,
    said: &str,
    exclude: &Ignore,
) -> Result<Vec<(String, Entry)>, Error> {
    let level = |path: String, said: String, relative: String, excluded| {
        let names = files.names(&path)?.into_iter();
        Ok::<_, Error>(Level { path, said, relative, names, excluded })
    };
    let mut levels = vec![level(at.to_owned(), said.to_owned(), String::new(), None)?];
    let mut out: Vec<(String, Entry)> = Vec::new();
    while let Some(above) = levels.last_mut() {
        let Some(name) = above.names.next() else {
            if above.excluded == Some(out.len()) {
                out.pop();
            }
            levels.pop();
            continue;
        };
        let (path, said) = (path::join(&above.path, &name), path::join(&above.said, &name));
        let Some(entry) = files.look(&path)? else { continue };
        let folder = entry.kind == Kind::Folder;
        let gone = exclude.excludes(&said);
        if gone && !(folder && exclude.may_hold_exceptions(&said)) {
            continue;
        }
        let relative = path::join(&above.relative, &name);
        out.push((relative.clone(), entry));
        if folder {
            levels.push(level(path, said, relative, gone.then_some(out.len()))?);
        }
    }
    Ok(out)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
