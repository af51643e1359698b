//! Puts a distribution together in a folder: real files, stripped, side by side; then what is known
//! about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::sh::Cmd;
use llama_src::walk;

use super::archive;
use crate::toolkit::VendorLibrary;
use product::files;
use product::identity::Identity;
use product::manifest::{self, LlamaCpp, Manifest};
use product::variant::Variant;

/// What is known of a distribution called `variant` before it has files: ours, and llama.cpp's of the build `build`.
///
/// # Errors
/// When a tool that built it does not name its version.
pub(super) fn manifest(
    identity: &Identity,
    build: &llama_build::Manifest,
    variant: &str,
    target: &str,
) -> Result<Manifest> {
    Ok(Manifest {
        version: identity.version.clone(),
        commit: identity.commit.clone(),
        timestamp: identity.timestamp.clone(),
        variant: variant.to_owned(),
        branch: identity.branch.clone(),
        schema: manifest::SCHEMA,
        source_date_epoch: identity.epoch,
        llama_cpp: LlamaCpp {
            tag: build.tag.clone(),
            build_number: build.build_number,
            version: build.version.clone(),
            tree: build.tree.clone(),
            verified: build.verified,
            patches: build.patches.clone(),
        },
        target: target.to_owned(),
        flags: BTreeMap::new(),
        tools: tools(build)?,
        toolkit: None,
        gpu_architectures: Vec::new(),
        minimum_driver: None,
        cpu_variants: Vec::new(),
        symbol_versions: BTreeMap::new(),
        files: BTreeMap::new(),
    })
}

/// Versions of what compiled it.
fn tools(build: &llama_build::Manifest) -> Result<BTreeMap<String, String>> {
    let rustc = Cmd::new("rustc").arg("--version").read()?;
    let cxx = build.flags.value("CMAKE_CXX_COMPILER").unwrap_or("c++");
    let cxx = Cmd::new(cxx).arg("--version").read()?;
    let first = |text: &str| text.lines().next().unwrap_or_default().trim().to_owned();
    let tools = [("cmake", build.cmake.clone()), ("c++", first(&cxx)), ("rustc", first(&rustc))];
    Ok(tools.map(|(name, version)| (name.to_owned(), version)).into())
}

/// GNU's name of a target, which its tools begin with.
fn gnu(target: &str) -> String {
    target.replace("-unknown", "")
}

/// Copies programs and libraries of ours, without their symbol tables.
///
/// # Errors
/// When one cannot be copied or stripped.
pub(crate) fn copy_stripped(files: &[&Path], dir: &Path, target: &str, host: &str) -> Result<()> {
    let strip = if target == host { "strip".to_owned() } else { format!("{}-strip", gnu(target)) };
    for file in files {
        let to = dir.join(file.file_name().context("a library has a name")?);
        copy(file, &to, 0o755)?;
        Cmd::new(&strip).args(["--strip-all", "--"]).arg(&to).read()?;
    }
    Ok(())
}

/// Copies what is the vendor's. Libraries that need one get the run path that finds their neighbours here.
///
/// # Errors
/// When a file cannot be copied or changed.
pub(crate) fn copy_vendor(libraries: &[VendorLibrary], dir: &Path, variant: Variant) -> Result<()> {
    for file in libraries.iter().flat_map(|library| &library.files) {
        // Kernels have names with `.so` in them too, and folders of their own.
        let is_library = file.to.contains(".so") && !file.to.contains('/');
        let to = dir.join(&file.to);
        copy(&file.from, &to, if is_library { 0o755 } else { 0o644 })?;
        if variant.row().sets_run_path && is_library {
            Cmd::new("patchelf").args(["--set-rpath", "$ORIGIN"]).arg(&to).read()?;
        }
    }
    Ok(())
}

/// Copies one file as it is.
///
/// # Errors
/// When it cannot be read or written.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    files::set_mode(to, mode).with_context(|| format!("cannot set the mode of {}", to.display()))
}

/// Gives everybody what its owner may do, short of writing, whatever the umask of who builds takes away.
///
/// # Errors
/// When a mode cannot be read or set.
pub(crate) fn set_modes(dir: &Path) -> Result<()> {
    let found = walk::all(dir)?;
    let others = found.iter().filter(|found| !found.kind.is_symlink());
    let paths = others.map(|found| dir.join(&found.path));
    for path in std::iter::once(dir.to_owned()).chain(paths) {
        let failed = || format!("cannot set the mode of {}", path.display());
        let meta = fs::symlink_metadata(&path).with_context(failed)?;
        let mode = if meta.is_dir() || archive::is_executable(&meta) { 0o755 } else { 0o644 };
        files::set_mode(&path, mode).with_context(failed)?;
    }
    Ok(())
}

/// `bin/<name>` as a link to `<name>`, the name of `program`: the path that images and other programs name.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn link(dir: &Path, program: &Path) -> Result<()> {
    let name = program.file_name().context("a program has a name")?;
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    files::symlink(Path::new("..").join(name), &bin.join(name))
        .with_context(|| format!("cannot create {}", bin.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_and_links_are_put_together() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("x"), dir.path().join("d"));
        fs::write(&from, "abc").unwrap();
        copy(&from, &to.join("licenses/x.txt"), 0o644).unwrap();
        link(&to, &from).unwrap();
        assert_eq!(fs::read(to.join("licenses/x.txt")).unwrap(), b"abc");
        assert_eq!(fs::read_link(to.join("bin/x")).unwrap(), Path::new("../x"));
        let error = copy(&dir.path().join("gone"), &to.join("y"), 0o644).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot copy "), "{error:#}");
    }

    #[cfg(unix)]
    #[test]
    fn modes_are_everybody_s_whatever_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("d")).unwrap();
        for (name, mode) in [("d/text", 0o600), ("program", 0o700), ("d", 0o700)] {
            if name != "d" {
                fs::write(at(name), "").unwrap();
            }
            files::set_mode(&at(name), mode).unwrap();
        }
        link(dir.path(), &at("program")).unwrap();
        set_modes(dir.path()).unwrap();
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777;
        let modes = ["", "d", "d/text", "program", "bin"].map(mode);
        assert_eq!(modes, [0o755, 0o755, 0o644, 0o755, 0o755]);
    }

    #[test]
    fn cross_tools_have_the_targets_name() {
        assert_eq!(gnu("aarch64-unknown-linux-gnu"), "aarch64-linux-gnu");
    }
}
