//! `cargo xtask setup docker`: a Docker engine with buildx and compose, running; other machines' programs
//! where this one can only imitate them; the base of our images where Docker Hub is out of reach.

mod base_image;
mod engine;
mod oci;
mod store;

use std::path::Path;

use anyhow::{Result, bail};
use llama_build::requirement::Requirement;
use llama_src::Error;
use llama_src::sh::Cmd;

use product::arch::Arch;
use product::requirements;
use workspace::root::User;
use workspace::screen::Screen;

/// What is there of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    client: bool,
    buildx: bool,
    compose: bool,
    /// An engine answers.
    engine: bool,
}

/// Ends the engine that [`run`] has started.
///
/// # Errors
/// When none of ours runs, or it does not end.
pub fn stop() -> Result<()> {
    engine::stop()
}

/// Gets what is missing, with `yes` also through the system's package manager.
///
/// # Errors
/// Without root's rights; when something cannot be installed or does not start.
pub fn run(yes: bool) -> Result<()> {
    let mut screen = Screen::new();
    let found = look();
    let missing = missing(found);
    if !missing.is_empty() {
        if which::which("apt-get").is_err() {
            bail!(advice(&missing));
        }
        let user = User::find()?;
        user.must_become_root(&format!("set up Docker here ({})", missing.join(", ")))?;
        engine::install(&user, found, yes, &mut screen)?;
    }
    store::ensure(yes)?;
    // Who may not do the one may still do the other.
    let others = Arch::ALL.into_iter().filter(|arch| *arch != Arch::X86_64);
    let emulated = others.into_iter().try_for_each(|arch| emulate(arch, yes));
    base_image::ensure(yes, &mut screen)?;
    emulated?;
    let version = Cmd::new("docker").args(["version", "--format", "{{.Server.Version}}"]).read()?;
    eprintln!("Docker {} answers, with buildx and compose", version.trim());
    Ok(())
}

fn look() -> Found {
    let works = |words: &[&str]| Cmd::new("docker").args(words).read().is_ok();
    Found {
        client: works(&["--version"]),
        buildx: works(&["buildx", "version"]),
        compose: works(&["compose", "version"]),
        engine: works(&["version", "--format", "{{.Server.Version}}"]),
    }
}

fn missing(found: Found) -> Vec<&'static str> {
    let parts = [
        (found.client, "no `docker`"),
        (found.buildx, "no `docker buildx`"),
        (found.compose, "no `docker compose`"),
        (found.engine, "cannot connect to a Docker engine"),
    ];
    parts.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect()
}

/// Why this command cannot help, and what can.
fn advice(missing: &[&str]) -> Error {
    let missing = missing.join("\n");
    Error::missing(format!(
        "{missing}\n  this command installs it with apt-get, which this machine does not have"
    ))
    .hint(
        "install Docker Engine 23 or newer with buildx and compose: \
         https://docs.docker.com/engine/install/",
    )
}

/// Lets this machine run programs for `arch`, which the images of that platform are tried with.
fn emulate(arch: Arch, yes: bool) -> Result<()> {
    let table = "/proc/sys/fs/binfmt_misc";
    let emulator = format!("qemu-{}", arch.name);
    let registered = Path::new(table).join(&emulator);
    if std::env::consts::ARCH == arch.name || registered.exists() {
        return Ok(());
    }
    let (user, what) =
        (User::find()?, &format!("let this machine run programs for {}", arch.docker));
    if !Path::new(table).join("register").exists() {
        let mount = Cmd::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", table]);
        user.as_root(&mount, what)?.read()?;
    }
    let row: Requirement = requirements::qemu_binfmt();
    workspace::install::ensure_only(&[row], yes)?;
    if !registered.exists() {
        let enable = Cmd::new("update-binfmts").args(["--enable", &emulator]);
        user.as_root(&enable, what)?.read()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Found = Found { client: true, buildx: true, compose: true, engine: true };

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        assert!(missing(ALL).is_empty());
        let bare = Found { client: false, buildx: false, compose: false, engine: false };
        assert_eq!(
            missing(bare).join("\n"),
            "no `docker`\nno `docker buildx`\nno `docker compose`\ncannot connect to a Docker \
            engine"
        );
        assert_eq!(missing(Found { buildx: false, ..ALL }), ["no `docker buildx`"]);
    }

    #[test]
    fn where_it_cannot_be_installed_the_other_way_is_told() {
        let missing = ["no `docker buildx`"];
        assert_eq!(
            advice(&missing).to_string(),
            "no `docker buildx`\n  this command installs it with apt-get, which this machine does \
            not have\n  hint: install Docker Engine 23 or newer with buildx and compose: \
            https://docs.docker.com/engine/install/"
        );
    }
}
