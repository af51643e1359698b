//! Where this workspace is, and Cargo run in it.

use std::path::{Path, PathBuf};

use llama_src::sh::Cmd;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// The Cargo that runs this program, in the workspace.
pub(crate) fn cargo(command: &str) -> Cmd {
    #[expect(clippy::disallowed_methods, reason = "set by Cargo for what it runs")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    Cmd::new(cargo).arg(command).dir(root())
}

/// The folder of what Cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "Cargo's own variable")]
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The triple of this machine, as rustc names it.
pub(crate) fn host() -> anyhow::Result<String> {
    let text = Cmd::new("rustc").arg("-vV").read()?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("`rustc -vV` names no host"))
}

/// Whether CI runs this: what a test needs must be there, nobody can be asked.
pub(crate) fn is_ci() -> bool {
    #[expect(clippy::disallowed_methods, reason = "every CI sets it")]
    std::env::var_os("CI").is_some()
}
