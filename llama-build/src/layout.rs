//! The folders of a build.

use std::path::{Path, PathBuf};

/// Folders of one build.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Of the build and its logs; Cargo's `OUT_DIR` in a build script.
    pub root: PathBuf,
    /// The patched copy of llama.cpp; several builds may share it.
    pub source: PathBuf,
    /// CMake's folder.
    pub build: PathBuf,
}

impl Layout {
    /// The layout under `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.into(), source: root.join("llama.cpp"), build: root.join("build") }
    }

    /// Another build of the same source, in a folder `name` beside it.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        let root = self.root.join(name);
        Self { build: root.join("build"), source: self.source.clone(), root }
    }
}
