//! What `verify` tells of a distribution that keeps its promises, and of what it could not check.

use std::collections::BTreeMap;
use std::fmt;

use super::facts::{Entries, Entry};
use product::manifest::Manifest;

/// What was looked at in a distribution that keeps its promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Which distribution it is.
    pub what: String,
    /// Regular files.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Highest symbol versions, as in the manifest.
    pub symbol_versions: BTreeMap<String, String>,
    /// What ran, in words.
    pub ran: Vec<String>,
    /// What could not be checked on this machine.
    pub not_run: Vec<NotRun>,
}

/// A check that this machine cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun {
    pub what: String,
    pub why: String,
    /// A command that changes it.
    pub hint: Option<String>,
}

impl Report {
    /// The beginning of a report: what the manifest says and how much is there.
    pub(super) fn new(manifest: &Manifest, entries: &Entries) -> Self {
        let size = |entry: &Entry| match entry {
            Entry::Regular(file) => Some(file.size),
            Entry::Folder(_) | Entry::Link(_) | Entry::Other => None,
        };
        let sizes: Vec<u64> = entries.values().filter_map(size).collect();
        let (variant, target) = (&manifest.variant, &manifest.target);
        let (version, tag) = (&manifest.version, &manifest.llama_cpp.tag);
        Self {
            what: format!("{variant} for {target}, {version}, llama.cpp {tag}"),
            files: sizes.len(),
            bytes: sizes.iter().sum(),
            symbol_versions: manifest.symbol_versions.clone(),
            ..Self::default()
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs: Vec<String> = self
            .symbol_versions
            .iter()
            .map(|(prefix, version)| format!("{prefix} {version}"))
            .collect();
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {} files, {:.1} MB", self.files, self.bytes as f64 / 1e6)?;
        writeln!(f, "  needs: {}", needs.join(", "))?;
        self.ran.iter().try_for_each(|ran| writeln!(f, "  ran: {ran}"))?;
        self.not_run.iter().try_for_each(|not_run| writeln!(f, "  not run: {not_run}"))
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.why)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n    hint: {hint}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_not_run() {
        let report = Report {
            what: "cpu for aarch64-unknown-linux-gnu, 2511211326-abcdef0, llama.cpp b1".into(),
            files: 31,
            bytes: 37_400_000,
            symbol_versions: [("GLIBC", "2.34"), ("GLIBCXX", "3.4.30")]
                .map(|(prefix, version)| (prefix.to_owned(), version.to_owned()))
                .into(),
            ran: vec!["SHA-256 of the archive".into()],
            not_run: vec![NotRun {
                what: "aarch64 programs".into(),
                why: "no qemu-aarch64".into(),
                hint: Some("apt-get install qemu-user".into()),
            }],
        };
        assert_eq!(
            report.to_string(),
            "cpu for aarch64-unknown-linux-gnu, 2511211326-abcdef0, llama.cpp b1\n  \
             31 files, 37.4 MB\n  \
             needs: GLIBC 2.34, GLIBCXX 3.4.30\n  \
             ran: SHA-256 of the archive\n  \
             not run: aarch64 programs (no qemu-aarch64)\n    \
             hint: apt-get install qemu-user\n"
        );
    }
}
