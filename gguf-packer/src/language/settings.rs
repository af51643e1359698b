//! What a reader of a file is told besides the file.

use std::collections::{BTreeMap, BTreeSet};

/// What the command line says about the values of a file.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
    /// `TARGETPLATFORM`, `TARGETOS`, `TARGETARCH`, `TARGETVARIANT`, `BUILDPLATFORM` and their kin.
    pub platform: BTreeMap<String, String>,
    /// `--target`: name or index of a stage.
    pub target: Option<String>,
    /// Names of `--build-context`.
    pub contexts: BTreeSet<String>,
}
