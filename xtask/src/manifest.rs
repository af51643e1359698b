//! `version.json`: what a distribution is, from what it was built and how, and every file in it. Read
//! by `verify`, by image builds and by whoever looks into a container.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::dist::packer;
use crate::identity::Identity;

/// Name of the file in a distribution.
pub(crate) const FILE: &str = "version.json";
/// Changes when a reader of an older manifest would misunderstand a newer one.
pub(crate) const SCHEMA: u32 = 1;

/// A distribution in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// `yymmddhhmm-githash` of our commit, in UTC.
    pub(crate) version: String,
    /// Our commit; with `-dirty` when the work tree had changes.
    pub(crate) commit: String,
    /// `yymmddhhmm` of our commit, in UTC.
    pub(crate) timestamp: String,
    /// `cpu`, `cuda`, `rocm` or `vulkan`; `gguf-packer`.
    pub(crate) variant: String,
    /// Our branch.
    pub(crate) branch: String,
    /// [`SCHEMA`].
    pub(crate) schema: u32,
    /// Seconds since 1970 of our commit: the time of every file.
    pub(crate) source_date_epoch: u64,
    /// The llama.cpp that was built.
    pub(crate) llama_cpp: LlamaCpp,
    /// Target triple.
    pub(crate) target: String,
    /// CMake definitions by what was built with them: `llama-server`, `ggml-cuda`.
    pub(crate) flags: BTreeMap<String, BTreeMap<String, String>>,
    /// Versions of what built it: `cmake`, `c++`, `rustc`.
    pub(crate) tools: BTreeMap<String, String>,
    /// The vendor's toolkit and its version, such as `cuda 13.0.88`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) toolkit: Option<String>,
    /// As CMake takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gpu_architectures: Vec<String>,
    /// The oldest driver that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_driver: Option<String>,
    /// Names of the CPU libraries, without `libggml-cpu-` and `.so`.
    pub(crate) cpu_variants: Vec<String>,
    /// Highest symbol versions by library: `GLIBC` → `2.34`, `GLIBCXX` → `3.4.30`.
    pub(crate) symbol_versions: BTreeMap<String, String>,
    /// Every file but this one, by path in the distribution; links have their target instead.
    pub(crate) files: BTreeMap<String, File>,
}

/// The llama.cpp in a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LlamaCpp {
    /// Upstream's tag, `b11549`.
    pub(crate) tag: String,
    /// Upstream's build number.
    pub(crate) build_number: u32,
    /// Upstream's version.
    pub(crate) version: String,
    /// Git tree id of the source.
    pub(crate) tree: String,
    /// Whether the source was proved to be that tree.
    pub(crate) verified: bool,
    /// Our patches in it.
    pub(crate) patches: Vec<String>,
}

/// One file of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum File {
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

impl Manifest {
    /// Reads the manifest of the distribution in `dir`.
    ///
    /// # Errors
    /// When there is none, or one of another schema.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is no distribution: no {FILE}", dir.display()))?;
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not the {FILE} of a distribution", path.display()))?;
        ensure!(
            manifest.schema == SCHEMA,
            "{} has schema {}, not {SCHEMA}\n  hint: verify it with the release that made it",
            path.display(),
            manifest.schema
        );
        Ok(manifest)
    }

    /// Ours, when it was made.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            version: self.version.clone(),
            commit: self.commit.clone(),
            timestamp: self.timestamp.clone(),
            branch: self.branch.clone(),
            epoch: self.source_date_epoch,
        }
    }

    /// What it is a distribution of: `llama-server-cuda`, `gguf-packer`.
    pub(crate) fn product(&self) -> String {
        let own = self.variant == packer::NAME;
        if own { self.variant.clone() } else { format!("llama-server-{}", self.variant) }
    }

    /// Product, version and target, with `gap` between the words.
    pub(crate) fn title(&self, gap: &str) -> String {
        let (version, target) = (self.version.as_str(), self.target.as_str());
        let words: &[&str] = match self.variant.as_str() {
            packer::NAME => &[packer::NAME, version, target],
            variant => &["llama-server", version, variant, target],
        };
        words.join(gap)
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings, numbers and lists") + "\n"
    }
}
