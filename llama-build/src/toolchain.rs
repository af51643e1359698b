//! Preflight: looks for everything that a configuration needs and reports all that is missing at
//! once, before CMake starts.

use std::path::{Path, PathBuf};

use llama_src::node;
use llama_src::sh::Cmd;

use crate::Error;
use crate::backend::Backend;
use crate::cargo;
use crate::config::Config;
use crate::generator::Generator;
use crate::headers;
use crate::packages::{Manager, Packages};
use crate::requirement::{self, Found, Missing, Probe, Requirement};

/// A requirement and what was found of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was looked for.
    pub requirement: Requirement,
    /// Where it is, or why what is there does not do.
    pub result: Result<Found, Missing>,
}

/// The tools that a build uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolchain {
    /// CMake.
    pub cmake: PathBuf,
    /// Its version.
    pub cmake_version: String,
    /// What runs the compilers.
    pub generator: Generator,
    /// Compiler cache, when it is there or named.
    pub launcher: Option<PathBuf>,
    /// CUDA compiler.
    pub nvcc: Option<PathBuf>,
    /// Clang of ROCm and its root (`HIP_PATH`).
    pub hip: Option<(PathBuf, PathBuf)>,
}

/// Looks for everything that `config` needs.
#[must_use]
pub fn inspect(config: &Config) -> Vec<Finding> {
    requirement::all(config).into_iter().map(|requirement| find(requirement, config)).collect()
}

/// Looks for one thing.
#[must_use]
pub fn find(requirement: Requirement, config: &Config) -> Finding {
    let result = match &requirement.probe {
        Probe::Header(name) => headers::find(name, config),
        Probe::VulkanHeader(minimum) => headers::find_vulkan(*minimum, config),
        Probe::Program { names, oldest, places } => look_for_program(names, oldest, places),
    };
    Finding { requirement, result }
}

/// The tools for `config`.
///
/// # Errors
/// Names everything that is missing, each with the command that installs it.
pub fn check(config: &Config) -> Result<Toolchain, Error> {
    let findings = inspect(config);
    let missing: Vec<&Finding> =
        findings.iter().filter(|f| f.requirement.required && f.result.is_err()).collect();
    if !missing.is_empty() {
        return Err(report(&missing, manager()));
    }
    let path = |name: &str| {
        let finding = findings.iter().find(|finding| finding.requirement.name == name)?;
        finding.result.as_ref().ok().cloned()
    };
    let cmake =
        path("cmake").unwrap_or_else(|| Found { path: "cmake".into(), version: String::new() });
    Ok(Toolchain {
        cmake: cmake.path,
        cmake_version: cmake.version,
        generator: Generator::choose(
            config,
            path("ninja").map(|found| found.path),
            which::which("cl").ok().as_deref(),
        ),
        launcher: launcher(config, path("ccache").map(|found| found.path))?,
        nvcc: path("CUDA compiler (nvcc)").map(|found| found.path),
        hip: path("ROCm (hipconfig)").map(|found| hip(&found.path)).transpose()?,
    })
}

/// The first package manager of this machine.
#[must_use]
pub fn manager() -> Option<Manager> {
    Manager::ALL.into_iter().find(|manager| which::which(manager.program()).is_ok())
}

/// The error for `missing`, with hints for `manager`, or for all managers when there is none.
#[must_use]
pub fn report(missing: &[&Finding], manager: Option<Manager>) -> Error {
    let mut errors: Vec<Error> = missing.iter().map(|finding| describe(finding, manager)).collect();
    let packages = packages(missing, manager);
    if missing.len() > 1 && !packages.is_empty() {
        let install = manager.map_or("", Manager::install);
        errors.push(
            Error::missing(format!("{} tools are missing", missing.len()))
                .hint(format!("install them all: {install} {}", packages.join(" "))),
        );
    }
    Error::all(errors)
}

/// The packages of `manager` that have what is `missing`, each once.
#[must_use]
pub fn packages(missing: &[&Finding], manager: Option<Manager>) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for finding in missing {
        let own = manager.and_then(|manager| finding.requirement.packages.of(manager));
        for package in own.unwrap_or_default().split_whitespace() {
            if !packages.contains(&package) {
                packages.push(package);
            }
        }
    }
    packages
}

/// The command of `manager`, or of each manager when there is none, that installs `packages`.
#[must_use]
pub fn commands(packages: Packages, manager: Option<Manager>) -> Vec<String> {
    let managers = manager.map_or(Manager::ALL.to_vec(), |manager| vec![manager]);
    let command =
        |manager: Manager| Some(format!("{} {}", manager.install(), packages.of(manager)?));
    managers.into_iter().filter_map(command).collect()
}

fn describe(finding: &Finding, manager: Option<Manager>) -> Error {
    let Requirement { name, needed_for, packages, .. } = &finding.requirement;
    let missing = finding.result.as_ref().expect_err("only what is missing is described");
    let what = match &missing.too_old {
        Some(too_old) => format!("{name} too old for {needed_for}: {too_old}"),
        None => format!("{name} not found ({needed_for} needs it)"),
    };
    let mut error = Error::missing(what);
    for place in &missing.looked_in {
        error = error.looked_in(place.as_str());
    }
    let commands = commands(*packages, manager);
    // Where a newer one is to be had elsewhere, the system's own is most likely the old one that is there.
    let elsewhere = missing.too_old.is_some() && finding.requirement.hint.is_some();
    if !commands.is_empty() && !elsewhere {
        let what = if missing.too_old.is_some() { "a newer version" } else { "it" };
        error = error.hint(format!("install {what}: {}", commands.join(" | ")));
    }
    if let Some(hint) = &finding.requirement.hint {
        error = error.hint(hint.as_str());
    }
    match needed_for.strip_prefix("feature ") {
        Some(feature) => error.hint(format!("or build without the feature {feature}")),
        None => error,
    }
}

fn look_for_program(
    names: &[&str],
    oldest: &[(u32, u32)],
    places: &[(String, Option<PathBuf>)],
) -> Result<Found, Missing> {
    let mut missing = Missing { too_old: None, looked_in: Vec::new() };
    let mut candidates = Vec::new();
    for (label, place) in places {
        missing.looked_in.push(match place {
            Some(path) if label.starts_with('$') => format!("{label} ({})", path.display()),
            Some(_) => label.clone(),
            None => format!("{label} (unset)"),
        });
        if let Some(place) = place {
            // `$CC` names the program itself, the others name a folder.
            candidates.extend(which::which(place));
            candidates.extend(names.iter().filter_map(|name| which::which(place.join(name)).ok()));
        }
    }
    missing.looked_in.push("PATH".into());
    candidates.extend(names.iter().filter_map(|name| which::which(name).ok()));
    for path in candidates {
        let text = Cmd::new(&path).arg("--version").read().unwrap_or_default();
        let found = version_in(&text);
        match &found {
            Some(version) if !node::is_new_enough(numbers(version), oldest) => {
                let wanted = node::wanted(oldest);
                let there = format!("{} is {version}, but {wanted} is required", path.display());
                missing.too_old.get_or_insert(there);
            }
            _ => return Ok(Found { path, version: found.unwrap_or_default() }),
        }
    }
    Err(missing)
}

fn launcher(config: &Config, found: Option<PathBuf>) -> Result<Option<PathBuf>, Error> {
    let named = config.overrides.compiler_launcher.as_deref();
    match named.or(config.compilers.launcher.as_deref()) {
        None => Ok(found.filter(|launcher| works(launcher, config))),
        Some("none") => Ok(None),
        Some(name) => which::which(name).map(Some).map_err(|_| {
            Error::missing(format!("compiler launcher not found: `{name}`"))
                .looked_in("PATH")
                .hint("set LLAMA_SYS_COMPILER_LAUNCHER to ccache, sccache, a path, or none")
        }),
    }
}

/// Whether a compiler cache that nobody asked for can do its work: one that cannot write where it keeps things fails
/// every compiler.
fn works(launcher: &Path, config: &Config) -> bool {
    // Microsoft's compiler takes other words; CMake's own test of the compiler then has the word.
    if config.target.is_msvc() {
        return true;
    }
    let cc = config.compilers.cc.clone().unwrap_or_else(|| "cc".into());
    let flags = config.compilers.words_of_cflags();
    let dir = cargo::out_dir().unwrap_or_else(|_| std::env::temp_dir());
    let [empty, object] = ["empty.c", "empty.o"].map(|name| dir.join(name));
    let tried =
        std::fs::write(&empty, "").map_err(|e| Error::io("write", &empty, &e)).and_then(|()| {
            let compile = Cmd::new(launcher).arg(cc).args(flags);
            compile.arg("-c").arg(&empty).arg("-o").arg(&object).read()
        });
    let Err(error) = tried else { return true };
    let name = launcher.file_name().unwrap_or_default().to_string_lossy();
    cargo::warning(&format!("compiling without {name}, which failed: {error}"));
    false
}

fn hip(hipconfig: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let ask = |what: &str| Cmd::new(hipconfig).arg(what).read().map(|text| text.trim().to_owned());
    Ok((PathBuf::from(ask("-l")?).join("clang"), ask("-R")?.into()))
}

/// The first thing in `text` that looks like a version.
fn version_in(text: &str) -> Option<String> {
    let starts = |word: &&str| {
        let number = word.trim_start_matches(['v', 'V']);
        number.starts_with(|c: char| c.is_ascii_digit()) && number.contains('.')
    };
    // nvcc's first number is a year of its copyright; its version follows the word `release`.
    let text = text.split_once("release ").map_or(text, |(_, rest)| rest);
    let word = text.split_whitespace().find(starts)?;
    let number = word.trim_start_matches(['v', 'V']);
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    Some(number[..end].trim_end_matches('.').to_owned())
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Definitions that follow from where tools are, in the order of the flag set.
#[must_use]
pub fn flags(toolchain: &Toolchain, config: &Config) -> Vec<(String, String)> {
    let mut flags = Vec::new();
    let mut add =
        |name: &str, value: &Path| flags.push((name.to_owned(), value.display().to_string()));
    let features = &config.features;
    if let Some(launcher) = &toolchain.launcher {
        add("CMAKE_C_COMPILER_LAUNCHER", launcher);
        add("CMAKE_CXX_COMPILER_LAUNCHER", launcher);
    }
    if let Some(nvcc) = toolchain.nvcc.as_ref().filter(|_| features.has(Backend::Cuda)) {
        add("CMAKE_CUDA_COMPILER", nvcc);
        if let Some(cxx) = config.compilers.beside_nvcc(&config.target) {
            // A name is looked for by nvcc in other places than PATH.
            add("CMAKE_CUDA_HOST_COMPILER", &which::which(cxx).unwrap_or_else(|_| cxx.to_owned()));
        }
        if let Some(launcher) = &toolchain.launcher {
            add("CMAKE_CUDA_COMPILER_LAUNCHER", launcher);
        }
    }
    if let Some((clang, _)) = &toolchain.hip {
        add("CMAKE_HIP_COMPILER", clang);
        if let Some(launcher) = &toolchain.launcher {
            add("CMAKE_HIP_COMPILER_LAUNCHER", launcher);
        }
    }
    if features.has(Backend::Sycl) {
        add("CMAKE_C_COMPILER", Path::new("icx"));
        add("CMAKE_CXX_COMPILER", Path::new("icpx"));
    }
    flags
}

#[cfg(test)]
#[path = "toolchain_tests.rs"]
mod tests;
