//! `cargo xtask demo-model`: trains the demo model, or checks the one that is there.

use std::ffi::OsString;

use anyhow::Result;

use crate::cargo;

/// Everything that it makes and says is in the crate `demo-model`. It gets a target folder of its
/// own: it is built for this machine's processor, three times as fast, and nothing else is.
pub(crate) fn run(args: Vec<OsString>) -> Result<()> {
    let cmd = cargo::cargo("run")
        .args(["--quiet", "--release", "--package", "demo-model", "--target-dir"])
        .arg(cargo::target_dir().join("demo-model"))
        .env("RUSTFLAGS", "-Ctarget-cpu=native");
    Ok(cmd.arg("--").args(args).run()?)
}
