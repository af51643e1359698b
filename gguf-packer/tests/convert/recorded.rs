//! SHA-256 of what upstream's converter in the pinned release makes of each checkpoint, by name and type.
//! The example `record_conversions` has it made anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use llama_src::tree;
use sha2::{Digest, Sha256};

/// What stands before the git tree id of the converter.
pub const CONVERTER: &str = "# Converter: ";

/// Digests by name and type, and the git tree id of the converter that made them.
pub struct Recorded(pub BTreeMap<(String, String), String>, pub String);

/// The file that has them.
pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/convert/upstream.txt")
}

/// The git tree id of the pinned release's converter: another release with the same one makes the same files.
pub fn converter() -> String {
    let parts =
        ["conversion/", "convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "gguf-py/gguf/"];
    let keeps = |path: &str| {
        let inside = |part: &&str| path.starts_with(*part) || part.starts_with(path);
        parts.iter().any(inside) && !path.starts_with("gguf-py/gguf/scripts/")
    };
    let source = llama_src::root().join("llama.cpp");
    let files = tree::walk(&source, &keeps).expect("the source is in the vendor folder");
    tree::id(&source, &files, None).expect("the source can be read")
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
        let converter = text.lines().find_map(|line| line.strip_prefix(CONVERTER));
        Self(entries.collect(), converter.unwrap_or_default().to_owned())
    }
}
