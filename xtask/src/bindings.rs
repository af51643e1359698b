//! `cargo xtask bindings`: writes the Rust declarations of the C headers, or proves that they are
//! those of the pinned release.

use std::ffi::OsString;

use anyhow::Result;

use crate::cargo;

/// A program of its own does it, so that nobody else waits for bindgen.
pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let program = ["--package", "xtask", "--bin", "bindings", "--features", "bindgen", "--"];
    Ok(cargo::cargo("run").args(["--quiet", "--release"]).args(program).args(args).run()?)
}
