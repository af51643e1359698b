//! Runs CMake: configures always (it is incremental), checks what it took, builds the targets that
//! the features name.

use std::path::{Path, PathBuf};

use llama_src::place;
use llama_src::sh::Cmd;

use crate::apple;
use crate::artifacts::Artifacts;
use crate::backend::Backend;
use crate::cargo;
use crate::config::Config;
use crate::feature::Feature;
use crate::file_api::Codemodel;
use crate::flags::{self, FlagSet};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::toolchain::{self, Toolchain};
use crate::{Error, cache, file_api, jobs};

/// What CMake reads right after `project()`, and what that reads.
const INJECTED: [(&str, &str); 8] = [
    ("inject.cmake", include_str!("../cmake/inject.cmake")),
    ("cpu-variants.cpp.in", include_str!("../cmake/cpu-variants.cpp.in")),
    ("planner.cpp", include_str!("../cmake/planner.cpp")),
    ("planner-answer.cpp", include_str!("../cmake/planner-answer.cpp")),
    ("planner-devices.cpp", include_str!("../cmake/planner-devices.cpp")),
    ("planner.h", include_str!("../cmake/planner.h")),
    ("regex.cpp", include_str!("../cmake/regex.cpp")),
    ("std/regex", include_str!("../cmake/std/regex")),
];

/// Configures and builds; the files that come of it.
///
/// # Errors
/// A failing tool with its command and the end of its log; values that CMake did not take.
pub fn build(
    layout: &Layout,
    flags: &FlagSet,
    toolchain: &Toolchain,
    config: &Config,
    progress: &Progress,
) -> Result<Artifacts, Error> {
    let model = make(layout, flags, toolchain, config, &targets(config), progress)?;
    Artifacts::gather(layout, &model, config)
}

/// The same for single targets of llama.cpp: the files that CMake makes for each of them.
///
/// # Errors
/// As [`build`].
pub fn build_targets(
    layout: &Layout,
    flags: &FlagSet,
    toolchain: &Toolchain,
    config: &Config,
    targets: &[&str],
    progress: &Progress,
) -> Result<Vec<PathBuf>, Error> {
    let model = make(layout, flags, toolchain, config, targets, progress)?;
    let mut files = Vec::new();
    for target in targets {
        files.extend(model.target(target)?.artifacts.iter().cloned());
    }
    Ok(files)
}

/// The same for one object file, by its path in CMake's folder: what compiles says whether a toolkit
/// works long before its backend is built.
///
/// # Errors
/// As [`build`]; without Ninja, as only that builds single files of a whole project.
pub fn build_object(
    layout: &Layout,
    flags: &FlagSet,
    toolchain: &Toolchain,
    config: &Config,
    object: &str,
    progress: &Progress,
) -> Result<PathBuf, Error> {
    if !toolchain.generator.is_ninja() {
        return Err(Error::missing(format!("ninja not found (building {object} alone needs it)"))
            .hint("install it: apt-get install ninja-build"));
    }
    make(layout, flags, toolchain, config, &[object], progress)?;
    Ok(layout.build.join(object))
}

fn make(
    layout: &Layout,
    flags: &FlagSet,
    toolchain: &Toolchain,
    config: &Config,
    targets: &[&str],
    progress: &Progress,
) -> Result<Codemodel, Error> {
    std::fs::create_dir_all(&layout.build).map_err(|e| Error::io("create", &layout.build, &e))?;
    file_api::ask(&layout.build)?;
    let all = with_tools(flags, toolchain, config);
    configure(layout, &all, toolchain, config, progress)?;
    compile(layout, toolchain, config, targets, progress)?;
    let mut model = file_api::read(&layout.build)?;
    model.runtime = apple::runtime(config, &model.cxx);
    Ok(model)
}

/// The flag set and what follows from this machine's tools; words of the user stay the last.
fn with_tools(flags: &FlagSet, toolchain: &Toolchain, config: &Config) -> FlagSet {
    let mut all = flags.clone();
    for (name, value) in toolchain::flags(toolchain, config) {
        if !config.overrides.cmake_args.iter().any(|(named, _)| *named == name) {
            all.set(&name, value);
        }
    }
    all
}

fn configure(
    layout: &Layout,
    flags: &FlagSet,
    toolchain: &Toolchain,
    config: &Config,
    progress: &Progress,
) -> Result<(), Error> {
    progress.say("llama.cpp: configuring");
    for (name, text) in INJECTED {
        place::write_if_different(&layout.root.join(name), text.as_bytes())?;
    }
    let inject = layout.root.join(INJECTED[0].0);
    let cmd = Cmd::new(&toolchain.cmake).arg("-S").arg(&layout.source).arg("-B").arg(&layout.build);
    let inject = define("CMAKE_PROJECT_llama.cpp_INCLUDE", &inject.display().to_string());
    let cmd = cmd.args(toolchain.generator.arguments()).arg(inject);
    let mut cmd = cmd.args(flags.iter().map(|(name, value)| define(name, value)));
    if let Some((_, root)) = &toolchain.hip {
        cmd = cmd.env("HIP_PATH", root);
    }
    // CMake's own modules look there, before any compiler is known; and what was found in another folder must
    // be forgotten.
    for (name, folder) in flags::environment(config) {
        cmd = cmd.env(name, folder);
    }
    cmd = with_cuda(cmd, config);
    // CMake reads the variable when a cache is new, with what is left out of it here.
    cmd = match &config.compilers.ldflags {
        Some(ldflags) => cmd.env("LDFLAGS", ldflags),
        None => cmd.env_not_typed("LDFLAGS"),
    };
    // A value that is no longer asked for must not live on in the cache.
    let asked = format!("{}\n{cmd}\n", toolchain.cmake_version);
    let stamp = layout.build.join("llama-sys.configured");
    if std::fs::read_to_string(&stamp).is_ok_and(|last| last != asked) || !stamp.exists() {
        forget(&layout.build)?;
    }
    let log = layout.root.join("configure.log");
    // The log of the last run is of no use; whether there was one does not matter.
    let _ = std::fs::remove_file(&log);
    cmd.run_logged(&log, |line| progress.line(line))
        .map_err(|e| explain(e, is_full(&layout.root)))?;
    cache::check(&layout.build, flags, config)?;
    std::fs::write(&stamp, asked).map_err(|e| Error::io("write", &stamp, &e))
}

/// With the variables of nvcc's that the user set for this target.
fn with_cuda(cmd: Cmd, config: &Config) -> Cmd {
    config.compilers.cuda.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value))
}

/// What `cmake --fresh` does, which came with CMake 3.24.
fn forget(build: &Path) -> Result<(), Error> {
    let absent = |e: &std::io::Error| e.kind() == std::io::ErrorKind::NotFound;
    for path in [build.join("CMakeCache.txt"), build.join("llama-sys.configured")] {
        std::fs::remove_file(&path)
            .or_else(|e| if absent(&e) { Ok(()) } else { Err(Error::io("remove", &path, &e)) })?;
    }
    let files = build.join("CMakeFiles");
    std::fs::remove_dir_all(&files)
        .or_else(|e| if absent(&e) { Ok(()) } else { Err(Error::io("remove", &files, &e)) })
}

fn compile(
    layout: &Layout,
    toolchain: &Toolchain,
    config: &Config,
    targets: &[&str],
    progress: &Progress,
) -> Result<(), Error> {
    let jobs = jobs::count(config, jobs::available_memory());
    progress.say(&format!("llama.cpp: compiling, {jobs} at a time"));
    let unfinished = layout.build.join("llama-sys.unfinished");
    let mut cmd = Cmd::new(&toolchain.cmake)
        .arg("--build")
        .arg(&layout.build)
        .args(["--config", "Release", "--parallel", &jobs.to_string(), "--target"])
        .args(targets);
    cmd = with_cuda(cmd, config);
    let (nvcc, noted) =
        (config.compilers.hidden_from_commands(), layout.build.join("llama-sys.nvcc"));
    let is_other = std::fs::read_to_string(&noted).unwrap_or_default() != nvcc;
    let log = layout.root.join("build.log");
    let _ = std::fs::remove_file(&log);
    if is_other {
        // Once: what is compiled after it is of these variables, also if it is interrupted.
        let clean = Cmd::new(&toolchain.cmake).arg("--build").arg(&layout.build);
        clean.args(["--config", "Release", "--target", "clean"]).run_logged(&log, |_| ())?;
        std::fs::write(&noted, nvcc).map_err(|e| Error::io("write", &noted, &e))?;
    }
    // Make believes in the half of an object file that a killed compiler leaves; Ninja does not.
    if unfinished.exists() && !toolchain.generator.is_ninja() {
        cmd = cmd.arg("--clean-first");
    }
    if toolchain.launcher.is_some() {
        cmd = with_launcher(cmd, layout);
    }
    std::fs::write(&unfinished, "").map_err(|e| Error::io("write", &unfinished, &e))?;
    cmd.run_logged(&log, |line| progress.step("llama.cpp", line))
        .map_err(|e| explain(e, is_full(&layout.root)))?;
    std::fs::remove_file(&unfinished).map_err(|e| Error::io("remove", &unfinished, &e))
}

/// Two clones of one pin share what they compile.
fn with_launcher(cmd: Cmd, layout: &Layout) -> Cmd {
    let base = layout.source.parent().unwrap_or(&layout.root);
    let cmd = cmd.env("CCACHE_BASEDIR", base).env("CCACHE_NOHASHDIR", "1");
    // Read by sccache's server when it starts, from 0.19 on; who knows of several clones names them all.
    if cargo::names_sccache_folders() { cmd } else { cmd.env("SCCACHE_BASEDIRS", base) }
}

/// What computes for the servers of other machines, upstream's program and target; built next to a server that loads
/// its backends, which it then finds in its own folder.
pub const WORKER: &str = "ggml-rpc-server";

/// What the server is made of but for its web UI and what serves that, upstream's target.
pub const BEFORE_PAGE: &str = "server-context";

/// CMake targets for the features; backends hang on them.
fn targets(config: &Config) -> Vec<&'static str> {
    let features = &config.features;
    let wanted = [
        (features.has(Feature::Server), "llama-server"),
        (has_worker(config), WORKER),
        (features.has(Feature::Quantize), "llama-quantize-impl"),
        (features.has(Feature::Mtmd) && !features.has(Feature::Server), "mtmd"),
    ];
    let mut targets = vec!["llama"];
    targets.extend(wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, target)| target));
    targets
}

/// Whether [`WORKER`] is built.
fn has_worker(config: &Config) -> bool {
    let features = &config.features;
    features.has(Feature::Server) && features.has(Feature::BackendDl) && features.has(Backend::Rpc)
}

/// Adds what is known about the usual reasons.
fn explain(error: Error, full: bool) -> Error {
    let says = |words: &[&str]| words.iter().any(|words| error.log_has(words));
    // The latter is what `ar` says of a full disk. CMake finds no threads on a full disk, and does not say why.
    if says(&["No space left on device", "ar: unable to copy file"]) || full {
        return error.full_disk();
    }
    if says(&["GGML_CPU_ALL_VARIANTS requires GGML_BACKEND_DL"]) {
        return error.hint(
            "without our patch, llama.cpp has CPU variants only as libraries: --features \
            cpu-all-variants,backend-dl",
        );
    }
    if says(&["unsupported GNU version", "unsupported clang version"]) {
        return error
            .hint("name a compiler that this CUDA takes: CUDAHOSTCXX=/usr/bin/g++-13 cargo build");
    }
    if says(&["does not support platform specification"]) {
        return error
            .hint("install Visual Studio with C++: winget install Microsoft.VisualStudio.2022.BuildTools")
            .hint("or unset CMAKE_GENERATOR, if it names another generator");
    }
    if says(&["No CUDA toolset found"]) {
        return error
            .hint(
                "use Ninja: winget install Ninja-build.Ninja, and build in a Native Tools Command \
             Prompt of Visual Studio",
            )
            .hint("or install CUDA's \"Visual Studio Integration\"");
    }
    if says(&["Killed signal", "out of memory"]) {
        return error.full_memory("use less memory: LLAMA_SYS_JOBS=1 cargo build");
    }
    error
}

/// Whether the disk of `dir` has less room than a few files of a compiler take.
fn is_full(dir: &Path) -> bool {
    place::free_space(dir).is_ok_and(|free| free < 4 << 20)
}

fn define(name: &str, value: &str) -> String {
    format!("-D{name}={value}")
}

#[cfg(test)]
mod tests {
    use llama_src::Kind;

    use super::*;

    #[test]
    fn what_a_tool_says_tells_the_kind_of_its_failure() {
        let of = |line: &str, full| explain(Error::tool("it failed").log([line.to_owned()]), full);
        for (line, full, kind, hint) in [
            ("a.o: No space left on device", false, Kind::DiskFull, "free some disk space"),
            ("Could NOT find Threads", true, Kind::DiskFull, "free some disk space"),
            ("c++: fatal error: Killed signal", false, Kind::OutOfMemory, "LLAMA_SYS_JOBS=1"),
            (
                "GGML_CPU_ALL_VARIANTS requires GGML_BACKEND_DL",
                false,
                Kind::Tool,
                "--features cpu-all-variants,backend-dl",
            ),
            (
                "Generator NMake Makefiles does not support platform specification, but platform x64 was specified.",
                false,
                Kind::Tool,
                "Microsoft.VisualStudio.2022.BuildTools",
            ),
            (
                "#error -- unsupported GNU version! gcc versions later than 13 are not supported!",
                false,
                Kind::Tool,
                "CUDAHOSTCXX=/usr/bin/g++-13",
            ),
            ("No CUDA toolset found.", false, Kind::Tool, "winget install Ninja-build.Ninja"),
        ] {
            let error = of(line, full);
            assert_eq!(error.kind(), kind, "{line}");
            assert!(error.to_string().contains(hint), "{error}");
        }
        assert_eq!(
            of("error: expected `;`", false),
            Error::tool("it failed").log(["error: expected `;`".to_owned()])
        );
        // The command itself may name a file like that.
        let named = Error::tool("a command failed: ar 'out of memory.a'");
        assert_eq!(explain(named.clone(), false), named);
    }
}
