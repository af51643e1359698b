//! `llama-build.json`: what was built, from what and how. Written beside the build, read by crates
//! that depend on `llama-sys`, by `cargo xtask` and by a later build that wants to use this one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::artifacts::Artifacts;
use crate::flags::FlagSet;

/// Changes when a reader of an older manifest would misunderstand a newer one.
pub const SCHEMA: u32 = 1;
/// Name of the file in [`Artifacts::root`].
pub const FILE: &str = "llama-build.json";

/// Everything that is known about one build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Upstream's tag.
    pub tag: String,
    /// Upstream's build number.
    pub build_number: u32,
    /// Upstream's version.
    pub version: String,
    /// Git tree id of the pinned source.
    pub tree: String,
    /// Whether the source was proved to be that tree; a tree of the user's is not.
    pub verified: bool,
    /// Our patches that are in it.
    pub patches: Vec<String>,
    /// Target triple.
    pub target: String,
    /// Whether the server has the web UI.
    pub ui: bool,
    /// CMake definitions.
    pub flags: FlagSet,
    /// Version of CMake.
    pub cmake: String,
    /// Files and link lines.
    pub artifacts: Artifacts,
}

impl Manifest {
    /// Reads a manifest file.
    ///
    /// # Errors
    /// When it is absent, no manifest, or of another schema.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let no_manifest =
            |e: serde_json::Error| Error::new(format!("{} is no manifest: {e}", path.display()));
        let manifest: Self = serde_json::from_str(text).map_err(no_manifest)?;
        if manifest.schema == SCHEMA {
            return Ok(manifest);
        }
        Err(Error::new(format!("{} has schema {}, not {SCHEMA}", path.display(), manifest.schema)))
    }

    /// Reads the manifest of a finished build in `dir`, which may have been moved there, and checks
    /// that it is the build that `flags` ask for.
    ///
    /// # Errors
    /// When there is none or it is another build; the differing definitions are named.
    pub fn prebuilt(dir: &Path, flags: &FlagSet) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::io("read", &path, &e)
                .hint("set LLAMA_SYS_PREBUILT_DIR to the folder of a llama-build.json")
        })?;
        let built = Self::parse(&text, &path)?;
        let (old, new) = (built.artifacts.root.display().to_string(), dir.display().to_string());
        let built = if old == new { built } else { Self::parse(&text.replace(&old, &new), &path)? };
        let mut differ: Vec<String> = flags
            .iter()
            .filter(|(name, value)| built.flags.value(name) != Some(value))
            .map(|(name, value)| {
                format!("{name} is {}, not {value}", built.flags.value(name).unwrap_or("unset"))
            })
            .collect();
        differ.extend(
            built
                .flags
                .iter()
                .filter(|(name, _)| flags.value(name).is_none())
                .map(|(n, _)| format!("{n} is set")),
        );
        if differ.is_empty() {
            return Ok(built);
        }
        Err(Error::new(format!("the build in {} is another one", dir.display()))
            .log(differ)
            .hint("unset LLAMA_SYS_PREBUILT_DIR, or choose the same features and variables"))
    }

    /// Writes the manifest into its build.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<(), Error> {
        let path = self.artifacts.root.join(FILE);
        let text = serde_json::to_string_pretty(self).expect("strings, numbers and paths");
        std::fs::write(&path, text + "\n").map_err(|e| Error::io("write", &path, &e))
    }
}
