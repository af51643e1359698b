//! Where this workspace is, and Cargo run in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::Error;
use llama_src::Report;
use llama_src::place::Lock;
use llama_src::sh::Cmd;

/// The workspace's folder.
pub fn root() -> PathBuf {
    let vendor = llama_src::root();
    vendor.parent().expect("vendor is a folder of the workspace").to_owned()
}

/// The Cargo that runs this program, in the workspace.
pub fn cargo(command: &str) -> Cmd {
    cargo_here(command).dir(root())
}

/// The same in the folder in which the user is, whose relative paths mean something there.
pub fn cargo_here(command: &str) -> Cmd {
    #[expect(clippy::disallowed_methods, reason = "set by Cargo for what it runs")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    as_typed(Cmd::new(cargo).arg(command))
}

/// `cmd` without what Cargo tells the program that it runs: build scripts watch those variables, and
/// would run again whenever Cargo is once called from here and once from a shell.
pub fn as_typed(cmd: Cmd) -> Cmd {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let of_run = |name: &String| {
        name == "OUT_DIR"
            || ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|own| name.starts_with(own))
    };
    names.filter(of_run).fold(cmd, |cmd, name| cmd.env_not_typed(name))
}

/// The folder of what Cargo builds: the one in which this program is, whichever setting of the user's names it.
pub fn target_dir() -> PathBuf {
    let own = std::env::current_exe().ok();
    // Cargo marks its folder for programs that make backups.
    let marked = |dir: &&Path| dir.join("CACHEDIR.TAG").is_file();
    let folder = own.as_deref().and_then(|own| own.ancestors().skip(1).find(marked));
    folder.map_or_else(|| root().join("target"), Path::to_owned)
}

/// Where Cargo keeps the crates of registries.
pub fn home() -> PathBuf {
    below_home("CARGO_HOME", ".cargo")
}

/// Where toolkits are kept: gigabytes that every clone on this machine shares.
pub fn toolkits() -> PathBuf {
    cache().join("toolkits")
}

/// The folder of what this user's clones share.
pub fn cache() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the same variable as in a build")]
    let named = std::env::var_os("LLAMA_SYS_CACHE_DIR").map(PathBuf::from);
    let cache = named.unwrap_or_else(|| below_home("XDG_CACHE_HOME", ".cache").join("llama-sys"));
    root().join(cache)
}

/// The right to change `folder` of the [`cache`]; reports when it waits for it.
///
/// # Errors
/// When it cannot be written.
pub fn lock(folder: &Path, report: &mut Report<'_>) -> Result<Lock> {
    Lock::acquire_cache(folder, report).with_context(|| {
        Error::new(format!("cannot write {}", folder.display()))
            .hint("name another folder: LLAMA_SYS_CACHE_DIR=/path/to/cache")
    })
}

/// The folder in `variable`, or `name` in the user's own; in this workspace's build folder for a user without one.
fn below_home(variable: &str, name: &str) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where this user's files are")]
    let [named, home] = [variable, "HOME"].map(std::env::var_os);
    let home = || home.map_or_else(|| target_dir().join("xtask"), PathBuf::from);
    named.map_or_else(|| home().join(name), PathBuf::from)
}

/// The triple of this machine. Asks nobody: a Debian root may have no rustc.
pub fn host() -> String {
    env!("XTASK_HOST").to_owned()
}

/// Whether CI runs this: what a test needs must be there, nobody can be asked.
pub fn is_ci() -> bool {
    #[expect(clippy::disallowed_methods, reason = "every CI sets it")]
    std::env::var_os("CI").is_some()
}
