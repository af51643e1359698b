//! Builds the program that fuzzes: llama.cpp with our patches and the targets in `tests/fuzz`, by clang, with its
//! sanitizers in everything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_build::cmake;
use llama_build::layout::Layout;
use llama_build::progress::Progress;
use llama_build::{Config, Features, FlagSet, Pin, source, toolchain};
use llama_src::Error;
use llama_src::SourceTree;
use llama_src::sh::Cmd;

use workspace::cargo;
use workspace::screen::Screen;

/// `NDEBUG` as in what is shipped. Optimising would take longer than the minute that CI fuzzes gains by it.
const OPTIMISED: &str = "-O0 -DNDEBUG -gline-tables-only";
/// `vptr` would need every class's type information in every library. `enum` reports values that upstream reads first
/// and checks then, which every compiler bears that is not told `-fstrict-enums`.
const SANITIZED: &str = "-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=vptr,enum \
                         -fno-sanitize-recover=undefined";

/// The folder of everything that this command writes.
pub(super) fn folder() -> PathBuf {
    cargo::target_dir().join("fuzz")
}

/// Builds the program.
///
/// # Errors
/// When there is no source or no runtime of clang's sanitizers, or what CMake says.
pub(crate) fn build(screen: &mut Screen) -> Result<PathBuf> {
    screen.step("building llama.cpp with sanitizers");
    check_runtime()?;
    let (config, pin) = (config()?, Pin::load());
    let tree = SourceTree::prepare(&source::request(&config, &pin), &mut |news| screen.news(news))?;
    let layout = Layout::new(&folder());
    fs::create_dir_all(&layout.root)
        .with_context(|| format!("cannot create {}", layout.root.display()))?;
    tree.copy_patched(&layout.source, None)?;
    let targets = cargo::root().join("tests/fuzz/fuzz.cmake");
    let flags = flags(&config, &pin, &targets);
    let tools = toolchain::check(&config)?;
    let files = screen.watch(|file| {
        let progress = Progress::quiet(file.to_owned());
        Ok(cmake::build_targets(&layout, &flags, &tools, &config, &["llama-fuzz"], &progress)?)
    })?;
    files.into_iter().next().context("CMake reports no file for `llama-fuzz`")
}

fn config() -> Result<Config> {
    let host = cargo::host();
    let features = Features::parse(["server"])?;
    let mut config = llama_build::cargo::config_for(features, &host, &host)?.settle().0;
    config.compilers.cc = Some("clang".into());
    config.compilers.cxx = Some("clang++".into());
    Ok(config)
}

/// A build of the server, with sanitizers instead of speed.
fn flags(config: &Config, pin: &Pin, targets: &Path) -> FlagSet {
    let mut flags = FlagSet::new(config, pin);
    for language in ["C", "CXX"] {
        flags.set(&format!("CMAKE_{language}_FLAGS"), SANITIZED);
        flags.set(&format!("CMAKE_{language}_FLAGS_RELEASE"), OPTIMISED);
    }
    flags.set("LLAMA_SYS_ALSO", targets.display().to_string());
    // It starts a program of the user's for what no other decoder takes, a thousand times a second.
    flags.set("MTMD_VIDEO", "OFF");
    // Other kernels compute the same, and take half as long again to compile.
    flags.set("GGML_CPU_REPACK", "OFF");
    flags.set("GGML_LLAMAFILE", "OFF");
    flags
}

/// Debian packs it apart from clang.
fn check_runtime() -> Result<()> {
    let path = Cmd::new("clang").args(["-rtlib=compiler-rt", "-print-libgcc-file-name"]).read()?;
    let fuzzer = path.trim().replace("builtins", "fuzzer");
    if Path::new(&fuzzer).is_file() {
        return Ok(());
    }
    bail!(
        Error::missing(format!("clang's sanitizers not found: {fuzzer}"))
            .hint("install them: apt-get install libclang-rt-dev")
    )
}
