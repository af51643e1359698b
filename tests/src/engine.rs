//! The Docker engine: its command, and the base that images stand on.

use std::process::Command;
use std::sync::OnceLock;

use crate::process::command;
use crate::workspace::{root, xtask};

/// `docker` with these arguments.
pub fn docker(args: &[&str]) -> Command {
    let mut docker = command("docker");
    docker.args(args).current_dir(root());
    docker
}

/// The Debian that images stand on, where `cargo xtask image base` finds one.
pub(crate) fn found_base() -> Option<&'static str> {
    static BASE: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let output = xtask(&["image", "base"]).output();
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(name)
    };
    BASE.get_or_init(find).as_deref()
}
