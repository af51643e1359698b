//! The one voice to Cargo: the only file that reads the environment and prints directives.
#![expect(clippy::disallowed_methods, reason = "the place that the ban sends everybody to")]

mod compilers;

use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::apple;
use crate::backend::Backend;
use crate::config::{Config, Overrides, Toolkits};
use crate::feature::{Feature, Features};
use crate::refusal;
use crate::target::Target;

/// Our own variables: name without the prefix `LLAMA_SYS_`, meaning. docs/build.md's table is made of it.
pub const VARIABLES: &[(&str, &str)] = &[
    ("SOURCE_DIR", "build this llama.cpp tree instead of the pinned one (recorded as unverified)"),
    ("SOURCE_ARCHIVE", "take the pinned tree from this local `.tar.gz` (verified)"),
    ("UI_ARCHIVE", "take the built web UI of the pinned tree from this local `.tar.gz` (verified)"),
    ("OFFLINE", "`1`: use no network; `CARGO_NET_OFFLINE=true` does the same"),
    (
        "CACHE_DIR",
        "the folder for fetched sources and the built web UI if the package is read-only",
    ),
    (
        "PREBUILT_DIR",
        "use a finished build with the same flags: the folder of its `llama-build.json`",
    ),
    (
        "RELOCATABLE",
        "`1`: a shared `llama-server` looks for its libraries in its own folder only, not in the build",
    ),
    (
        "CMAKE_ARGS",
        "more `-DNAME=VALUE` words for CMake, which override all others; recorded in the manifest",
    ),
    ("CUDA_ARCHITECTURES", "in CMake's form: `86;90`, `all-major`; default: upstream's list"),
    ("ROCM_TARGETS", "in CMake's form: `gfx1100;gfx1201`; default: upstream's list"),
    ("JOBS", "number of parallel compile jobs; default: Cargo's, capped by free memory"),
    (
        "COMPILER_LAUNCHER",
        "`ccache`, `sccache`, a path, or `none`; default: the one that is installed",
    ),
];

/// Reads variables for one target and has Cargo watch them.
struct Reader {
    triple: String,
    announce: bool,
}

impl Reader {
    /// `NAME_<triple>`, `NAME_<triple with underscores>` or `NAME`; an empty value is unset.
    fn var(&self, name: &str) -> Option<OsString> {
        let underscores = self.triple.replace('-', "_");
        let names =
            [format!("{name}_{}", self.triple), format!("{name}_{underscores}"), name.into()];
        let mut value = None;
        for name in names {
            if self.announce {
                println!("cargo::rerun-if-env-changed={name}");
            }
            value = value.or_else(|| std::env::var_os(&name).filter(|value| !value.is_empty()));
        }
        value
    }

    fn first(&self, names: &[&str]) -> Option<PathBuf> {
        // No short cut: every name must be announced.
        let values: Vec<_> = names.iter().map(|name| self.var(name)).collect();
        values.into_iter().flatten().next().map(PathBuf::from)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let not_text = |value: OsString| {
            Error::usage(format!("{name} is not text: {}", value.to_string_lossy()))
        };
        self.var(name).map(|value| value.into_string().map_err(not_text)).transpose()
    }

    fn switch(&self, name: &str) -> Result<bool, Error> {
        match self.text(name)?.as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(other) => Err(Error::usage(format!("{name} is `{other}`, but must be 0 or 1"))
                .hint(format!("set {name} to 0 or 1"))),
        }
    }
}

/// The configuration of this build script.
///
/// # Errors
/// When a variable of ours has a value that cannot be meant; all of them are told at once.
pub fn read_config() -> Result<Config, Error> {
    let cargo = |name: &str| {
        std::env::var(name).map_err(|_| {
            Error::usage(format!("{name} is unset, although Cargo sets it for build scripts"))
        })
    };
    let on = |feature: &str| {
        let name = format!("CARGO_FEATURE_{}", feature.to_uppercase().replace('-', "_"));
        std::env::var_os(name).is_some()
    };
    let features = Features::parse(Feature::rows().map(|row| row.name).filter(|name| on(name)))?;
    let target = Target::parse(&cargo("TARGET")?);
    let crt = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let crt_static = crt.split(',').any(|feature| feature == "crt-static");
    if crt_static && !features.has(Feature::System) {
        refusal::static_glibc(&target)?;
    }
    config(features, target, Target::parse(&cargo("HOST")?), crt_static, true)
}

/// The configuration that a build with `features` for `target` would have on a machine that is
/// `host`; for tools outside of build scripts.
///
/// # Errors
/// As [`read_config`].
pub fn config_for(features: Features, target: &str, host: &str) -> Result<Config, Error> {
    config(features, Target::parse(target), Target::parse(host), false, false)
}

fn config(
    features: Features,
    target: Target,
    host: Target,
    crt_static: bool,
    announce: bool,
) -> Result<Config, Error> {
    let reader = Reader { triple: target.triple.clone(), announce };
    let jobs = || std::thread::available_parallelism().map_or(1, usize::from);
    let overrides = overrides(&reader)?;
    let mut compilers = compilers::read(&reader, &target, &host)?;
    if features.has(Backend::Cuda) {
        compilers.cuda = compilers::cuda(&reader)?;
    }
    let (android_ndk, android_api) = compilers::ndk(&reader, &target, &mut compilers);
    Ok(Config {
        overrides,
        compilers,
        android_ndk,
        android_api,
        toolkits: Toolkits {
            cudacxx: reader.first(&["CUDACXX"]),
            cuda: reader.first(&["CUDA_PATH", "CUDA_HOME"]),
            rocm: reader.first(&["ROCM_PATH"]),
            vulkan: reader.first(&["VULKAN_SDK"]),
        },
        openssl_root: reader.first(&["OPENSSL_ROOT_DIR", "OPENSSL_DIR"]),
        deployment_target: match apple::deployment(&target) {
            Some((variable, _)) => reader.text(variable)?,
            None => None,
        },
        // Cargo's own; a change of `-j` is no reason to build again.
        cargo_jobs: std::env::var("NUM_JOBS")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(jobs),
        crt_static,
        features,
        target,
        host,
    })
}

fn overrides(reader: &Reader) -> Result<Overrides, Error> {
    let ours = |name: &str| format!("LLAMA_SYS_{name}");
    let mut errors = Vec::new();
    let mut path = |name: &str| {
        let path = PathBuf::from(reader.var(&ours(name))?);
        if path.is_absolute() {
            return Some(path);
        }
        let (name, path) = (ours(name), path.display());
        let error = Error::usage(format!("{name} is `{path}`, but must be an absolute path"));
        errors.push(error.hint(format!("in a shell: {name}=\"$PWD/{path}\"")));
        None
    };
    let (source_dir, source_archive) = (path("SOURCE_DIR"), path("SOURCE_ARCHIVE"));
    let (ui_archive, cache_dir) = (path("UI_ARCHIVE"), path("CACHE_DIR"));
    let prebuilt_dir = path("PREBUILT_DIR");
    let mut text =
        |name: &str| reader.text(&ours(name)).map_err(|error| errors.push(error)).ok().flatten();
    let (cmake_args, jobs) = (text("CMAKE_ARGS"), text("JOBS"));
    let (cuda_architectures, rocm_targets) = (text("CUDA_ARCHITECTURES"), text("ROCM_TARGETS"));
    let compiler_launcher = text("COMPILER_LAUNCHER");
    let mut switch = |name: &str| {
        reader.switch(&ours(name)).unwrap_or_else(|error| {
            errors.push(error);
            false
        })
    };
    let (offline, relocatable) = (switch("OFFLINE"), switch("RELOCATABLE"));
    let cargo_offline = reader.var("CARGO_NET_OFFLINE").is_some_and(|value| value == "true");
    let cmake_args = definitions(&cmake_args.unwrap_or_default()).unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    let jobs = jobs.and_then(|jobs| {
        let parsed = jobs.parse().ok().filter(|jobs| *jobs > 0);
        if parsed.is_none() {
            let error =
                Error::usage(format!("LLAMA_SYS_JOBS is `{jobs}`, but must be a number above 0"));
            errors.push(
                error.hint(
                    "set LLAMA_SYS_JOBS to the number of compilers to run at once, such as 4",
                ),
            );
        }
        parsed
    });
    if !errors.is_empty() {
        return Err(Error::all(errors));
    }
    Ok(Overrides {
        source_dir,
        source_archive,
        ui_archive,
        offline: offline || cargo_offline,
        cache_dir,
        prebuilt_dir,
        relocatable,
        cmake_args,
        cuda_architectures,
        rocm_targets,
        jobs,
        compiler_launcher,
    })
}

/// `-DNAME=VALUE` words, quoted as in a shell.
fn definitions(text: &str) -> Result<Vec<(String, String)>, Error> {
    let wrong = |what: String| {
        Error::usage(what)
            .hint("write it as LLAMA_SYS_CMAKE_ARGS='-DNAME=VALUE -DOTHER=\"two words\"'")
    };
    let words = shlex::split(text)
        .ok_or_else(|| wrong(format!("LLAMA_SYS_CMAKE_ARGS: unbalanced quotes: {text}")))?;
    words
        .iter()
        .map(|word| {
            let definition = word.strip_prefix("-D").and_then(|rest| rest.split_once('='));
            let (name, value) = definition.ok_or_else(|| {
                wrong(format!("LLAMA_SYS_CMAKE_ARGS: `{word}` is not -DNAME=VALUE"))
            })?;
            let name = name.split_once(':').map_or(name, |(name, _type)| name);
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Where Cargo wants everything that this build script makes.
///
/// # Errors
/// Outside of a build script.
pub fn out_dir() -> Result<PathBuf, Error> {
    let dir = std::env::var_os("OUT_DIR");
    dir.map(PathBuf::from)
        .ok_or_else(|| Error::usage("OUT_DIR is unset, although Cargo sets it for build scripts"))
}

/// Whether docs.rs builds: no network, a read-only source, nothing to link. A build script that asks runs again when
/// the answer changes.
#[must_use]
pub fn is_docs_rs() -> bool {
    rerun_if_variable_changed("DOCS_RS");
    std::env::var_os("DOCS_RS").is_some()
}

/// File to which `cargo xtask` wants progress written; not watched, it changes nothing that is built.
#[must_use]
pub fn progress_file() -> Option<PathBuf> {
    std::env::var_os("LLAMA_SYS_PROGRESS_FILE").map(PathBuf::from)
}

/// Whether the user says where clones lie that share what sccache keeps; not watched, it changes nothing that is built.
#[must_use]
pub fn names_sccache_folders() -> bool {
    std::env::var_os("SCCACHE_BASEDIRS").is_some()
}

/// The rustc that Cargo uses; none outside of a build script.
pub(crate) fn rustc() -> Option<PathBuf> {
    std::env::var_os("RUSTC").map(PathBuf::from)
}

/// Reads `DEP_LLAMA_MANIFEST`, which Cargo gives to crates that depend on `llama-sys`.
#[must_use]
pub fn dep_manifest() -> Option<PathBuf> {
    std::env::var_os("DEP_LLAMA_MANIFEST").map(PathBuf::from)
}

/// Runs the build script again when the variable changes, which another library reads.
pub fn rerun_if_variable_changed(name: &str) {
    println!("cargo::rerun-if-env-changed={name}");
}

/// Runs the build script again when `path` changes.
pub fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// Whether Cargo shows what this build script warns of; with `-vv` it shows all.
#[must_use]
pub fn shows_warnings() -> bool {
    let dir = std::env::var_os("CARGO_MANIFEST_DIR");
    dir.is_none_or(|dir| refusal::is_path_package(Path::new(&dir)))
}

/// Something that the user should act on.
pub fn warning(text: &str) {
    text.lines().for_each(|line| println!("cargo::warning={line}"));
}

/// The reason why the build fails.
pub fn error(error: &Error) {
    for line in error.to_string().lines() {
        println!("cargo::error={line}");
    }
}

/// `DEP_LLAMA_<KEY>` for crates that depend on this one.
pub fn metadata(key: &str, value: impl Display) {
    println!("cargo::metadata={key}={value}");
}

/// Where the linker looks for libraries.
pub fn link_search(kind: &str, dir: &Path) {
    println!("cargo::rustc-link-search={kind}={}", dir.display());
}

/// A library to link; `kind` is `static`, `dylib` or `framework`, or rustc's to choose.
pub fn link_lib(kind: Option<&str>, name: &str) {
    let kind = kind.map(|kind| format!("{kind}=")).unwrap_or_default();
    println!("cargo::rustc-link-lib={kind}{name}");
}

/// A variable for `env!` in the crate.
pub fn rustc_env(name: &str, value: impl Display) {
    println!("cargo::rustc-env={name}={value}");
}

/// An argument for the linker of the binary `bin`.
pub fn link_arg_bin(bin: &str, arg: &str) {
    println!("cargo::rustc-link-arg-bin={bin}={arg}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_as_a_shell_would() {
        let pairs = definitions("-DA=1 '-DB=x y' -DC:STRING=z=z").unwrap();
        let pairs: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "x y"), ("C", "z=z")]);
        assert_eq!(
            definitions("GGML_RPC=ON").unwrap_err().to_string(),
            "LLAMA_SYS_CMAKE_ARGS: `GGML_RPC=ON` is not -DNAME=VALUE\n  hint: write it as \
            LLAMA_SYS_CMAKE_ARGS='-DNAME=VALUE -DOTHER=\"two words\"'"
        );
        assert!(definitions("'-DA=1").unwrap_err().to_string().contains("unbalanced quotes"));
    }
}
