//! `cargo xtask dist --packer`: gguf-packer for this machine in a folder of its own, with its licences, its bill of
//! materials and its VEX, and as an archive.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::place::{Lock, Staging};
use llama_src::sh::Cmd;

use super::args::Args;
use super::{assemble, pack, plan};
use crate::advisories;
use crate::component;
use crate::component::PACKER;
use crate::licenses;
use crate::sbom;
use product::identity::Identity;
use product::manifest::{self, Manifest};
use workspace::built::Built;
use workspace::cargo;
use workspace::install;
use workspace::screen::Screen;
use workspace::source;

pub use product::variant::PACKER as NAME;

/// The name of the folder for `target`.
pub fn folder(target: &str) -> String {
    format!("{NAME}-{target}")
}

/// What Cargo is told. It is as fast as it can be, other than a server's small Rust part: it hashes and converts.
pub(super) fn command(target: &str, root: &str, cargo_home: &str) -> Cmd {
    let flags = format!("['-Cstrip=symbols',{}]", plan::remapped(root, cargo_home));
    plan::cargo_build(NAME, PACKER.features, target, &flags)
}

/// Builds it, puts the folder together and packs it.
///
/// # Errors
/// When a tool is missing, or something cannot be built or written.
pub(super) fn dist(
    args: &Args,
    identity: &Identity,
    host: &str,
    screen: &mut Screen,
) -> Result<()> {
    install::ensure(&install::config(&[])?, &[], args.setup)?;
    let source = source::alone(screen)?.dir;
    let lock = Lock::acquire(&args.out, &mut |news| screen.news(news))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    screen.step(&format!("building {NAME}"));
    let [root, home] = [cargo::root(), cargo::home()].map(|dir| dir.display().to_string());
    let built = Built::by(screen, command(host, &root, &home).dir(cargo::root()))?;
    let llama_sys = built.llama_sys.as_ref().context("cargo reports no build of `llama-sys`")?;
    let build = llama_build::Manifest::read(&llama_sys.join(llama_build::manifest::FILE))?;
    let mut manifest = assemble::manifest(identity, &build, NAME, host)?;
    manifest.flags.insert(NAME.to_owned(), super::recorded::by_name(&build.flags));
    let name = folder(host);
    let staging = Staging::new(&lock, &name)?;
    let dir = staging.dir().join(&name);
    fill(&dir, &mut manifest, &source, &built.program(NAME)?)?;
    screen.step(&format!("verifying {name}"));
    super::verify_here(&dir)?;
    let stem = super::stem(&identity.version, &name);
    let archive = pack::write(&dir, &manifest, &stem, &args.out, identity.epoch)?;
    let out = args.out.join(&name);
    staging.publish(&dir, &out)?;
    eprintln!("==> {}\n==> {}", out.display(), archive.display());
    Ok(())
}

/// The manifest is written last.
fn fill(dir: &Path, manifest: &mut Manifest, source: &Path, program: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    assemble::copy(program, &dir.join(NAME), 0o755)?;
    let components = component::all(source, manifest, &[])?;
    licenses::write(dir, &components)?;
    // What is in no crate: coefficients, and upstream's scripts.
    let others = "THIRD-PARTY.md";
    assemble::copy(&cargo::root().join(others), &dir.join(licenses::FOLDER).join(others), 0o644)?;
    advisories::write_vex(dir, manifest.source_date_epoch)?;
    manifest.symbol_versions = elf::highest(elf::read(program)?.iter());
    manifest.files = sbom::write(dir, manifest, &components)?;
    let path = dir.join(manifest::FILE);
    fs::write(&path, manifest.text())
        .with_context(|| format!("cannot write {}", path.display()))?;
    assemble::set_modes(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_built_for_other_machines_than_this_one() {
        let shown = command("x86_64-unknown-linux-gnu", "/w", "/c").to_string();
        for words in [
            "LLAMA_SYS_RELOCATABLE=1 cargo build --release --locked --package gguf-packer --no-default-features \
             --features quantize,fetch,openmp --target x86_64-unknown-linux-gnu",
            "--remap-path-prefix=/w=llama-server",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains("native"), "{shown}");
    }

    #[test]
    fn its_archive_is_called_like_a_crate_s() {
        let folder = folder("x86_64-unknown-linux-gnu");
        assert_eq!(folder, "gguf-packer-x86_64-unknown-linux-gnu");
        assert_eq!(
            super::super::stem("1.2.3", &folder),
            "gguf-packer-1.2.3-x86_64-unknown-linux-gnu"
        );
    }
}
