//! `llama-build.json`: what was built, from what and how. Written beside the build, read by crates
//! that depend on `llama-sys`, by `cargo xtask` and by a later build that wants to use this one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::artifacts::Artifacts;
use crate::flags::FlagSet;
use crate::{Error, Pin, cargo};

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
    /// Git tree id of the folder of patches; empty where a manifest has none, as those of before 2026-11-27.
    #[serde(default)]
    pub patches_tree: String,
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
    /// Git's ids of the files that are linked, read or run, by their paths in [`Artifacts::root`].
    #[serde(default)]
    pub files: BTreeMap<String, String>,
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
        let no_manifest = |e: serde_json::Error| {
            Error::refused(format!("{} is not a manifest: {e}", path.display()))
        };
        let manifest: Self = serde_json::from_str(text).map_err(no_manifest)?;
        if manifest.schema == SCHEMA {
            return Ok(manifest);
        }
        Err(Error::mismatch(format!(
            "{} has schema {}, not {SCHEMA}",
            path.display(),
            manifest.schema
        )))
    }

    /// Reads the manifest of a finished build in `dir`, which may have been moved there, and checks that it is whole and
    /// the build that `pin`, its patches and `flags` ask for.
    ///
    /// # Errors
    /// When there is none or it is another build, or files of it are others by now; what differs is named.
    pub fn prebuilt(dir: &Path, pin: &Pin, flags: &FlagSet) -> Result<Self, Error> {
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
        differ.extend(built.differs_in_source(pin)?);
        let what = if differ.is_empty() {
            differ = built.changed_files()?;
            "its llama-build.json"
        } else {
            "this configuration"
        };
        if differ.is_empty() {
            return Ok(built);
        }
        Err(Error::mismatch(format!("the build in {} does not match {what}", dir.display()))
            .log(differ)
            .hint("unset LLAMA_SYS_PREBUILT_DIR, or use the same features and variables"))
    }

    fn differs_in_source(&self, pin: &Pin) -> Result<Vec<String>, Error> {
        let patches = patches_tree(&llama_src::root())?;
        let facts = [
            ("the tag", &self.tag, &pin.tag),
            ("the tree", &self.tree, &pin.tree),
            ("the tree of patches", &self.patches_tree, &patches),
        ];
        let differ = facts.into_iter().filter(|(_, is, wanted)| is != wanted);
        Ok(differ.map(|(name, is, wanted)| format!("{name} is {is}, not {wanted}")).collect())
    }

    /// Paths of what is another file than at the end of the build, is missing, or came later.
    fn changed_files(&self) -> Result<Vec<String>, Error> {
        let now = self.artifacts.files()?;
        let all: BTreeSet<&String> = self.files.keys().chain(now.keys()).collect();
        let changed = all.into_iter().filter(|path| self.files.get(*path) != now.get(*path));
        Ok(changed.cloned().collect())
    }

    /// Has Cargo look at the manifest and at the files that it names.
    pub fn watch(&self) {
        let root = &self.artifacts.root;
        cargo::rerun_if_changed(&root.join(FILE));
        self.files.keys().for_each(|path| cargo::rerun_if_changed(&root.join(path)));
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

/// The git tree id of the patches in the vendor folder `root`.
pub(crate) fn patches_tree(root: &Path) -> Result<String, Error> {
    let dir = root.join("patches");
    let patches = llama_src::tree::walk(&dir, &|_| true)?;
    llama_src::tree::id(&dir, &patches, Some(&BTreeSet::new()))
}
