//! `version.json`: what a distribution is, from what it was built and how, and every file in it. Read
//! by `verify`, by image builds and by whoever looks into a container.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

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
    /// `cpu`, `cuda`, `rocm` or `vulkan`.
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
    /// Upstream's tag, `b1`.
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

    /// Its text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings, numbers and lists") + "\n"
    }
}
