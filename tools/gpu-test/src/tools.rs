//! Upstream's `test-backend-ops` and `llama-bench`, built from the distribution's source with the
//! distribution's flags. Only the programs are used: they run beside the distribution's own libraries, so
//! that what is tested and measured is what is shipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use llama_build::cmake;
use llama_build::layout::Layout;
use llama_build::progress::Progress;
use llama_build::{Config, Features, FlagSet, Pin, source, toolchain};
use llama_src::Error;
use llama_src::{SourceTree, subset};

use product::manifest::{File, Manifest};
use product::requirements;
use workspace::cargo;
use workspace::install;
use workspace::screen::Screen;

/// CMake's targets, and files that come of them.
const TARGETS: &[(&str, &str)] = &[
    ("test-backend-ops", "test-backend-ops"),
    ("llama-bench", "llama-bench"),
    ("llama-bench-impl", "libllama-bench-impl.so"),
];

/// Where the distribution's flags are left, and why nothing that is used changes by it.
const CHANGED: &[(&str, &str)] = &[
    // `test-backend-ops` is a test.
    ("LLAMA_BUILD_TESTS", "ON"),
    // The server is the distribution's.
    ("LLAMA_BUILD_SERVER", "OFF"),
    // Its CPU libraries too: none is built here.
    ("GGML_CPU", "OFF"),
    ("GGML_CPU_ALL_VARIANTS", "OFF"),
];

/// The folder of everything that this command writes.
pub(super) fn folder() -> PathBuf {
    cargo::target_dir().join("gpu-test")
}

/// Installs what the build needs, or says what is missing.
///
/// # Errors
/// Names everything that is missing.
pub(super) fn ensure(software_gpu: bool, setup: bool) -> Result<()> {
    // Not needed: it tells which driver there is.
    let also = if software_gpu && setup { vec![requirements::lavapipe()] } else { Vec::new() };
    install::ensure(&config()?, &also, setup)
}

/// Builds the programs for the distribution of `manifest`.
///
/// # Errors
/// When there is no source, or what CMake says.
pub(super) fn build(screen: &mut Screen, manifest: &Manifest) -> Result<Vec<PathBuf>> {
    screen.step("building test-backend-ops and llama-bench");
    let (config, pin) = (config()?, Pin::load());
    let tree = SourceTree::prepare(&source::request(&config, &pin), &mut |news| screen.news(news))?;
    let layout = Layout::new(&folder());
    fs::create_dir_all(&layout.root)
        .with_context(|| format!("cannot create {}", layout.root.display()))?;
    tree.copy_part(&layout.source, None, &keeps)?;
    let test = layout.source.join("tests/test-backend-ops.cpp");
    ensure!(
        test.is_file(),
        Error::missing(format!("{} does not contain test-backend-ops", tree.dir.display()))
            .hint("cargo xtask vendor --force")
    );
    let flags = manifest.flags.get("llama-server").context("the distribution lists no flags")?;
    let flags = flags_for(flags);
    let tools = toolchain::check(&config)?;
    let targets: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    screen.watch(|file| {
        let progress = Progress::quiet(file.to_owned());
        Ok(cmake::build_targets(&layout, &flags, &tools, &config, &targets, &progress)?)
    })
}

/// The part of the tree that is built, and the tests.
fn keeps(path: &str) -> bool {
    subset::keeps(path) || path == "tests/" || path.starts_with("tests/")
}

fn config() -> Result<Config> {
    let features = Features::parse(["backend-dl", "server", "tls"])?;
    let host = cargo::host();
    Ok(llama_build::cargo::config_for(features, &host, &host)?.settle().0)
}

fn flags_for(distributions: &BTreeMap<String, String>) -> FlagSet {
    let mut flags = FlagSet::default();
    let changed = CHANGED.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let own = distributions.iter().map(|(name, value)| (name.as_str(), value.clone()));
    own.chain(changed).for_each(|(name, value)| flags.set(name, value));
    flags
}

/// The programs that somebody built into `dir` before.
///
/// # Errors
/// Names those that are not there.
pub(super) fn find(dir: &Path) -> Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = TARGETS.iter().map(|(_, file)| dir.join(file)).collect();
    let missing: Vec<&str> = TARGETS
        .iter()
        .filter(|(_, file)| !dir.join(file).is_file())
        .map(|(_, file)| *file)
        .collect();
    if missing.is_empty() {
        return Ok(files);
    }
    let dir = dir.display();
    bail!(
        Error::missing(format!("{dir} lacks {}", missing.join(", ")))
            .hint(format!("cargo xtask gpu-test --prepare {dir}"))
    )
}

/// Copies `programs` into `dir`, for a machine that cannot build them.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn keep(programs: &[PathBuf], dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for program in programs {
        place(program, &dir.join(program.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// Lays out the files of `dist` that run, and `programs` beside them, in `to`: ggml looks for backends
/// in the folder of the program.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn beside(
    dist: &Path,
    manifest: &Manifest,
    programs: &[PathBuf],
    to: &Path,
) -> Result<()> {
    let is_text = |path: &str| path.starts_with("licenses/") || path.ends_with(".json");
    for (path, file) in &manifest.files {
        if matches!(file, File::Regular { .. }) && !is_text(path) {
            let at = to.join(path);
            let parent = at.parent().expect("a file is inside a folder");
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
            place(&dist.join(path), &at)?;
        }
    }
    keep(programs, to)
}

/// A hard link where the file system has them: vendors' libraries are large.
fn place(from: &Path, to: &Path) -> Result<()> {
    // A link to an older file must not be written through.
    if to.exists() {
        fs::remove_file(to).with_context(|| format!("cannot replace {}", to.display()))?;
    }
    fs::hard_link(from, to)
        .or_else(|_| fs::copy(from, to).map(|_| ()))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_the_distributions_but_for_four() {
        let pairs =
            [("GGML_OPENMP", "ON"), ("LLAMA_BUILD_TESTS", "OFF"), ("LLAMA_BUILD_TOOLS", "ON")];
        let own = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(
            flags_for(&own).to_string(),
            "GGML_OPENMP=ON\nLLAMA_BUILD_TESTS=ON\nLLAMA_BUILD_TOOLS=ON\nLLAMA_BUILD_SERVER=OFF\n\
             GGML_CPU=OFF\nGGML_CPU_ALL_VARIANTS=OFF\n"
        );
    }

    #[test]
    fn the_tests_are_part_of_what_is_built() {
        assert!(keeps("tests/") && keeps("tests/test-backend-ops.cpp") && keeps("ggml/src/ggml.c"));
        assert!(!keeps("tests.md") && !keeps("docs/"));
    }

    #[test]
    fn programs_are_found_or_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("llama-bench"), "").unwrap();
        let shown = dir.path().display();
        assert_eq!(
            find(dir.path()).unwrap_err().to_string(),
            format!(
                "{shown} lacks test-backend-ops, libllama-bench-impl.so\n  hint: cargo xtask gpu-test \
                 --prepare {shown}"
            )
        );
        for (_, file) in TARGETS {
            fs::write(dir.path().join(file), "new").unwrap();
        }
        let other = dir.path().join("other");
        keep(&find(dir.path()).unwrap(), &other).unwrap();
        keep(&find(dir.path()).unwrap(), &other).unwrap();
        assert_eq!(find(&other).unwrap().len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn programs_stand_beside_what_runs_of_the_distribution() {
        let dist = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::example();
        fs::create_dir(dist.path().join("licenses")).unwrap();
        for name in [
            "llama-server",
            "libggml.so",
            "libggml-cuda.so",
            "libcudart.so.13",
            "licenses/llama.cpp.txt",
        ] {
            fs::write(dist.path().join(name), name).unwrap();
            let file = File::Regular { sha256: String::new(), size: name.len() as u64 };
            manifest.files.insert(name.to_owned(), file);
        }
        let to = tempfile::tempdir().unwrap();
        let program = to.path().join("built");
        fs::write(&program, "").unwrap();
        let run = to.path().join("run");
        beside(dist.path(), &manifest, &[program], &run).unwrap();
        for name in ["llama-server", "libggml.so", "libggml-cuda.so", "libcudart.so.13", "built"] {
            assert!(run.join(name).is_file(), "{name}");
        }
        assert!(!run.join("licenses").exists() && !run.join("bin").exists());
    }
}
