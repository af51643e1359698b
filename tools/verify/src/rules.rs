//! The rules about a distribution's manifest and files. Each takes facts and gives the violations as
//! lines `path: message`.

use super::facts::{self, Entries, Entry, ROOT, Regular};
use product::identity::UNKNOWN;
use product::kind::Kind;
use product::manifest::{self, File, Manifest};

/// All of them.
pub(super) fn violations(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let mut wrong = about_manifest(manifest);
    wrong.extend(about_files(manifest, entries));
    wrong.extend(about_modes(entries));
    wrong.extend(about_build_paths(entries));
    wrong
}

fn about_manifest(manifest: &Manifest) -> Vec<String> {
    let mut wrong = Vec::new();
    let keys = [
        ("version", &manifest.version),
        ("commit", &manifest.commit),
        ("timestamp", &manifest.timestamp),
        ("variant", &manifest.variant),
        ("branch", &manifest.branch),
    ];
    wrong.extend(
        keys.iter().filter(|key| key.1.is_empty()).map(|key| format!("`{}` is empty", key.0)),
    );
    if manifest.timestamp.len() != 10 || !manifest.timestamp.bytes().all(|b| b.is_ascii_digit()) {
        wrong.push(format!("timestamp `{}` is not yymmddhhmm", manifest.timestamp));
    }
    if !is_version(manifest) {
        wrong.push(format!(
            "version `{}` is not timestamp `{}`, `-`, and 7 or more digits of commit `{}`",
            manifest.version, manifest.timestamp, manifest.commit
        ));
    }
    let (variant, target) = (manifest.variant.as_str(), manifest.target.as_str());
    match Kind::parse(variant) {
        Err(_) => wrong.push(format!("variant `{variant}` is unknown")),
        Ok(kind) if !kind.targets().contains(&target) => {
            wrong.push(format!("no {variant} distribution exists for target `{target}`"));
        }
        Ok(_) => {}
    }
    wrong.into_iter().map(|message| format!("{}: {message}", manifest::FILE)).collect()
}

fn is_version(manifest: &Manifest) -> bool {
    const DIRTY: &str = "-dirty";
    let commit = manifest.commit.as_str();
    let rest = manifest.version.strip_prefix(manifest.timestamp.as_str());
    let Some(hash) = rest.and_then(|rest| rest.strip_prefix('-')) else { return false };
    let hash = if commit.ends_with(DIRTY) { hash.trim_end_matches(DIRTY) } else { hash };
    let commit = commit.trim_end_matches(DIRTY);
    let known = commit == UNKNOWN || commit.bytes().all(|b| b.is_ascii_hexdigit());
    hash.len() >= 7 && commit.starts_with(hash) && known
}

/// What is there is what is listed, byte for byte.
fn about_files(manifest: &Manifest, entries: &Entries) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, listed) in &manifest.files {
        match entries.get(path) {
            None => wrong.push(format!("{path}: listed in {}, but missing", manifest::FILE)),
            Some(entry) => {
                wrong.extend(difference(listed, entry).map(|message| format!("{path}: {message}")));
            }
        }
    }
    for (path, entry) in entries {
        let message = match entry {
            Entry::Other => "neither a file, nor a folder, nor a link".to_owned(),
            Entry::Link(target) if !is_allowed_link(path, target, entries) => {
                format!("points to `{target}`: only links from bin/NAME to ../NAME are allowed")
            }
            Entry::Folder(_) if path != ROOT && !has_listed(path, manifest) => {
                format!("a folder that contains no file listed in {}", manifest::FILE)
            }
            Entry::Regular(_) | Entry::Link(_)
                if path != manifest::FILE && !manifest.files.contains_key(path) =>
            {
                format!("not listed in {}", manifest::FILE)
            }
            _ => continue,
        };
        wrong.push(format!("{path}: {message}"));
    }
    wrong
}

fn difference(listed: &File, entry: &Entry) -> Option<String> {
    let says = |what: &str, is: &str, listed: &str| {
        (is != listed).then(|| format!("{what} `{is}`, but {} says `{listed}`", manifest::FILE))
    };
    match (listed, entry) {
        (File::Regular { sha256, size }, Entry::Regular(file)) => {
            says("has size", &file.size.to_string(), &size.to_string())
                .or_else(|| says("has SHA-256", &file.sha256, sha256))
        }
        (File::Link { target }, Entry::Link(is)) => says("points to", is, target),
        (File::Regular { .. }, _) => {
            Some(format!("must be a file, according to {}", manifest::FILE))
        }
        (File::Link { .. }, _) => Some(format!("must be a link, according to {}", manifest::FILE)),
    }
}

fn is_allowed_link(path: &str, target: &str, entries: &Entries) -> bool {
    let name = path.strip_prefix("bin/");
    name == target.strip_prefix("../")
        && name.is_some_and(|name| matches!(entries.get(name), Some(Entry::Regular(_))))
}

fn has_listed(folder: &str, manifest: &Manifest) -> bool {
    let inside = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    manifest.files.keys().any(|path| inside(path))
}

/// Anybody may read everything and run what is a program, and only its owner may change it. Debian's packages have
/// libraries that nobody may run.
fn about_modes(entries: &Entries) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, entry) in entries {
        let (mode, due) = match entry {
            Entry::Folder(mode) => (*mode, 0o755),
            Entry::Regular(file) if facts::is_library(path) && file.mode == Some(0o644) => continue,
            Entry::Regular(file) if is_executable(path, entries) => (file.mode, 0o755),
            Entry::Regular(file) => (file.mode, 0o644),
            Entry::Link(_) | Entry::Other => continue,
        };
        if let Some(mode) = mode.filter(|mode| *mode != due) {
            wrong.push(format!("{path}: has mode {mode:04o}, must be {due:04o}"));
        }
    }
    wrong
}

fn is_executable(path: &str, entries: &Entries) -> bool {
    super::is_program(path)
        || path.starts_with("bin/")
        || facts::is_library(path)
        || entries.contains_key(&format!("bin/{path}"))
}

fn about_build_paths(entries: &Entries) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, entry) in entries {
        let Entry::Regular(Regular { build_paths: found, .. }) = entry else { continue };
        if !found.first.is_empty() {
            let strings: Vec<String> = found.first.iter().map(|text| format!("`{text}`")).collect();
            let more =
                if found.more > 0 { format!(" and {} more", found.more) } else { String::new() };
            wrong.push(format!("{path}: has build paths: {}{more}", strings.join(", ")));
        }
    }
    wrong
}

#[cfg(test)]
#[cfg(unix)]
#[path = "rules_tests.rs"]
mod tests;
