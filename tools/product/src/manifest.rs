//! `version.json`: what a distribution is, from what it was built and how, and every file in it. Read
//! by `verify`, by image builds and by whoever looks into a container.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use llama_src::Error;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::identity::Identity;
use crate::variant::PACKER;

/// Name of the file in a distribution.
pub const FILE: &str = "version.json";
/// Changes when a reader of an older manifest would misunderstand a newer one.
pub const SCHEMA: u32 = 1;

/// A distribution in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `yymmddhhmm-githash` of our commit, in UTC.
    pub version: String,
    /// Our commit; with `-dirty` when the work tree had changes.
    pub commit: String,
    /// `yymmddhhmm` of our commit, in UTC.
    pub timestamp: String,
    /// `cpu`, `cuda`, `rocm` or `vulkan`; `gguf-packer`.
    pub variant: String,
    /// Our branch.
    pub branch: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Seconds since 1970 of our commit: the time of every file.
    pub source_date_epoch: u64,
    /// The llama.cpp that was built.
    pub llama_cpp: LlamaCpp,
    /// Target triple.
    pub target: String,
    /// CMake definitions by what was built with them: `llama-server`, `ggml-cuda`.
    pub flags: BTreeMap<String, BTreeMap<String, String>>,
    /// Versions of what built it: `cmake`, `c++`, `rustc`.
    pub tools: BTreeMap<String, String>,
    /// The vendor's toolkit and its version, such as `cuda 13.0.88`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkit: Option<String>,
    /// As CMake takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu_architectures: Vec<String>,
    /// The oldest driver that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_driver: Option<String>,
    /// Names of the CPU libraries, without `libggml-cpu-` and `.so`.
    pub cpu_variants: Vec<String>,
    /// Highest symbol versions by library: `GLIBC` → `2.34`, `GLIBCXX` → `3.4.30`.
    pub symbol_versions: BTreeMap<String, String>,
    /// Every file but this one, by path in the distribution; links have their target instead.
    pub files: BTreeMap<String, File>,
}

/// The llama.cpp in a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LlamaCpp {
    /// Upstream's tag, `b1`.
    pub tag: String,
    /// Upstream's build number.
    pub build_number: u32,
    /// Upstream's version.
    pub version: String,
    /// Git tree id of the source.
    pub tree: String,
    /// Whether the source was proved to be that tree.
    pub verified: bool,
    /// Our patches in it.
    pub patches: Vec<String>,
}

/// One file of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum File {
    /// Bytes.
    Regular {
        /// SHA-256, in hexadecimal.
        sha256: String,
        /// Bytes.
        size: u64,
    },
    /// A symbolic link.
    Link {
        /// What it points to, as it stands in the link.
        target: String,
    },
}

impl File {
    /// Whether this is what is at `path`.
    pub fn is_at(&self, path: &Path) -> bool {
        match (self, path.symlink_metadata()) {
            (Self::Regular { size, sha256 }, Ok(meta)) => {
                meta.is_file()
                    && meta.len() == *size
                    && files::sha256(path).is_ok_and(|found| found == *sha256)
            }
            (Self::Link { target }, Ok(_)) => {
                path.read_link().is_ok_and(|link| link == Path::new(target))
            }
            (_, Err(_)) => false,
        }
    }
}

impl Manifest {
    /// A made-up one without files, for tests.
    pub fn example() -> Self {
        Self {
            version: "2511211326-0123456".into(),
            commit: "0123456789abcdef0123456789abcdef01234567".into(),
            timestamp: "2511211326".into(),
            variant: "cuda".into(),
            branch: "main".into(),
            schema: SCHEMA,
            source_date_epoch: 1_763_731_560,
            llama_cpp: LlamaCpp {
                tag: "b1".into(),
                build_number: 1,
                version: "1.2.3".into(),
                tree: "1".repeat(40),
                verified: true,
                patches: Vec::new(),
            },
            target: "x86_64-unknown-linux-gnu".into(),
            flags: BTreeMap::from([("llama-server".to_owned(), BTreeMap::new())]),
            tools: BTreeMap::new(),
            toolkit: Some("cuda 13.0".into()),
            gpu_architectures: vec!["90-real".into()],
            minimum_driver: Some("580".into()),
            cpu_variants: Vec::new(),
            symbol_versions: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// # Errors
    /// Names the first file in `dir` that is not what this manifest says of it.
    pub fn check_files(&self, dir: &Path) -> Result<()> {
        for (path, listed) in &self.files {
            let at = dir.join(path);
            ensure!(
                listed.is_at(&at),
                Error::mismatch(format!("{} is not the file that {FILE} names", at.display()))
                    .hint(format!("cargo xtask verify {}", dir.display()))
            );
        }
        Ok(())
    }

    /// Reads the manifest of the distribution in `dir`.
    ///
    /// # Errors
    /// When there is none, or one of another schema.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{} is not a distribution: {FILE} not found", dir.display())
        })?;
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not the manifest of a distribution", path.display()))?;
        ensure!(
            manifest.schema == SCHEMA,
            Error::mismatch(format!(
                "{} has schema {}, not {SCHEMA}",
                path.display(),
                manifest.schema
            ))
            .hint("verify it with the release that made it")
        );
        Ok(manifest)
    }

    /// Ours, when it was made.
    pub fn identity(&self) -> Identity {
        Identity {
            version: self.version.clone(),
            commit: self.commit.clone(),
            timestamp: self.timestamp.clone(),
            branch: self.branch.clone(),
            epoch: self.source_date_epoch,
        }
    }

    /// What it is a distribution of: `llama-server-cuda`, `gguf-packer`.
    pub fn product(&self) -> String {
        let own = self.variant == PACKER;
        if own { self.variant.clone() } else { format!("llama-server-{}", self.variant) }
    }

    /// Product, version and target, with `gap` between the words.
    pub fn title(&self, gap: &str) -> String {
        let (version, target) = (self.version.as_str(), self.target.as_str());
        let words: &[&str] = match self.variant.as_str() {
            PACKER => &[PACKER, version, target],
            variant => &["llama-server", version, variant, target],
        };
        words.join(gap)
    }

    /// Its text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings, numbers and lists") + "\n"
    }
}
