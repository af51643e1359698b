//! SHA-256 of what upstream's script of the pinned release makes of each checkpoint, by name and type.
//! The example `record_conversions` has it made anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// What stands before the release.
pub const RELEASE: &str = "# Release: ";

/// Digests by name and type, and the release whose script made them.
pub struct Recorded(pub BTreeMap<(String, String), String>, pub String);

/// The file that has them.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/convert/upstream.txt")
}

/// The digest of a file's content.
pub fn digest(path: &std::path::Path) -> String {
    let mut file = std::fs::File::open(path).expect("it was converted");
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).expect("it can be read");
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Recorded {
    /// As they were recorded.
    pub fn read() -> Self {
        let text = std::fs::read_to_string(path()).unwrap_or_default();
        let words = text.lines().filter(|line| !line.starts_with('#')).map(str::split_whitespace);
        let entries = words.filter_map(|mut words| {
            let (digest, kind, name) = (words.next()?, words.next()?, words.next()?);
            Some(((name.to_owned(), kind.to_owned()), digest.to_owned()))
        });
        let release = text.lines().find_map(|line| line.strip_prefix(RELEASE));
        Self(entries.collect(), release.unwrap_or_default().to_owned())
    }
}
