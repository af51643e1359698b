//! What a configuration needs on the machine that builds: one row a tool, with the package that
//! brings it. `cargo xtask doctor` shows the rows, a build fails on what is missing.

use std::path::PathBuf;

use llama_src::node;

use crate::backend::{Backend, Need, NeedProbe};
use crate::config::Config;
use crate::feature::Feature;
use crate::generator;
use crate::packages::Packages;
use crate::target::{CrossTools, Os};

/// How to tell whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A program: one of `names`, in `places` first, then in `PATH`.
    Program {
        /// Any of these.
        names: &'static [&'static str],
        /// The oldest version of each line that works; any, if there is none.
        oldest: &'static [(u32, u32)],
        /// Label and, when set, folder.
        places: Vec<(String, Option<PathBuf>)>,
    },
    /// A header that the C compiler finds.
    Header(&'static str),
    /// `vulkan/vulkan.h` of this version or a newer one.
    VulkanHeader([u32; 3]),
}

/// What CMake drives, by its own search.
const BUILD_TOOLS: &[&str] = &["ninja", "ninja-build", "make", "gmake"];

/// What npm and Node.js are for.
const UI: &str = "the web UI (feature `ui`)";

/// One thing that a configuration needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What a person calls it.
    pub name: &'static str,
    /// Which part of the build asks for it.
    pub needed_for: String,
    /// Without it the build fails; otherwise it only gets slower or smaller.
    pub required: bool,
    /// How to find it.
    pub probe: Probe,
    /// Which package has it.
    pub packages: Packages,
    /// What to do where no package has it.
    pub hint: Option<String>,
}

/// A tool that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program, or the header's name.
    pub path: PathBuf,
    /// As the tool prints it; empty for a header.
    pub version: String,
}

/// A tool that is not there, or is too old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Set when something is there: which version, and which is needed.
    pub too_old: Option<String>,
    /// Places that were tried.
    pub looked_in: Vec<String>,
}

/// Everything that `config` needs, most general first.
#[must_use]
pub fn all(config: &Config) -> Vec<Requirement> {
    if config.features.has(Feature::System) {
        return vec![program(
            "pkg-config",
            &["pkg-config", "pkgconf"],
            &[],
            "feature `system`",
            PKG_CONFIG,
        )];
    }
    let mut rows = basics(config);
    let features = &config.features;
    if features.has(Feature::Server) && features.has(Feature::Tls) && config.openssl_root.is_none()
    {
        rows.push(header("OpenSSL", "openssl/ssl.h", "feature `tls`", OPENSSL));
    }
    if features.has(Feature::Openmp) && !config.target.is_msvc() {
        rows.push(header("OpenMP", "omp.h", "feature `openmp`", OPENMP));
    }
    if features.has(Feature::CpuAllVariants) && !features.has(Feature::BackendDl) {
        rows.extend(object_tools(config));
    }
    for backend in features.backends() {
        let applies = |need: &&Need| (need.applies)(&config.target, &config.toolkits);
        let needs = backend.row().needs.iter().filter(applies);
        rows.extend(needs.map(|need| of_backend(need, backend, config)));
    }
    rows
}

fn basics(config: &Config) -> Vec<Requirement> {
    let mut rows = vec![program("cmake", &["cmake"], &[(3, 19)], "every build", CMAKE)];
    if !config.target.is_msvc() && config.target.os != Os::Android {
        let names: [&'static [&'static str]; 2] =
            [&["cc", "gcc", "clang"], &["c++", "g++", "clang++"]];
        let compilers = &config.compilers;
        rows.push(compiler("C compiler", names[0], compilers.cc.as_ref(), config));
        rows.push(compiler("C++ compiler", names[1], compilers.cxx.as_ref(), config));
    }
    rows.extend(build_tool(config));
    // Elsewhere than in one of those prompts Ninja finds no compiler of Visual Studio's.
    let faster = match generator::visual_studio(config) {
        Some(_) => "faster builds in a Native Tools Command Prompt of Visual Studio",
        None => "faster builds",
    };
    let ninja = program("ninja", &["ninja", "ninja-build"], &[], faster, NINJA);
    rows.push(Requirement { required: false, ..ninja });
    if config.overrides.compiler_launcher.is_none() {
        let launcher = program("ccache", &["ccache", "sccache"], &[], "faster rebuilds", CCACHE);
        rows.push(Requirement { required: false, ..launcher });
    }
    if config.features.has(Feature::Ui) {
        rows.push(Requirement { required: false, ..program("npm", &["npm"], &[], UI, NPM) });
        rows.push(Requirement {
            required: false,
            hint: Some("in a clone of this repository: cargo xtask setup --yes".into()),
            ..program("Node.js", &["node"], node::OLDEST, UI, NODE)
        });
    }
    rows
}

/// What CMake has do the work; Visual Studio does it itself, and CMake finds that.
fn build_tool(config: &Config) -> Option<Requirement> {
    let (name, names): (_, &[&str]) = if config.host.os != Os::Windows {
        ("Ninja or make", BUILD_TOOLS)
    } else if generator::is_mingw(config) {
        ("Ninja or mingw32-make", &["ninja", "ninja-build", "mingw32-make"])
    } else {
        return None;
    };
    Some(program(name, names, &[], "every build", NINJA))
}

/// What `backend` needs, with the folders that the user named.
fn of_backend(need: &'static Need, backend: Backend, config: &Config) -> Requirement {
    let probe = match &need.probe {
        NeedProbe::Program { name, minimum, places } => Probe::Program {
            names: std::slice::from_ref(name),
            oldest: minimum.as_slice(),
            places: places
                .iter()
                .map(|(label, place)| ((*label).to_owned(), place(&config.toolkits)))
                .collect(),
        },
        NeedProbe::Header(file) => Probe::Header(file),
        NeedProbe::VulkanHeader(minimum) => Probe::VulkanHeader(*minimum),
    };
    Requirement {
        name: need.name,
        needed_for: format!("feature `{backend}`"),
        required: true,
        probe,
        packages: need.packages,
        hint: need.hint.map(str::to_owned),
    }
}

/// What makes one object of each CPU variant, for one file with all of them. CMake looks for the same names,
/// with a cross compiler's prefix first.
fn object_tools(config: &Config) -> [Requirement; 2] {
    let cross = cross_tools(config);
    let (linkers, objcopies, packages): (&[&str], &[&str], _) = match cross {
        Some(tools) => (&tools.linkers, &tools.objcopies, tools.binutils),
        None => (&["ld", "ld.lld"], &["objcopy", "llvm-objcopy"], BINUTILS),
    };
    let feature = "feature `cpu-all-variants`";
    [
        program("linker", linkers, &[], feature, packages),
        program("objcopy", objcopies, &[], feature, packages),
    ]
}

/// What builds for the target where its processor is not this machine's.
fn cross_tools(config: &Config) -> Option<&'static CrossTools> {
    config.target.cross_tools().filter(|_| config.target.arch != config.host.arch)
}

fn set_places(probe: &mut Probe, new: Vec<(String, Option<PathBuf>)>) {
    if let Probe::Program { places, .. } = probe {
        *places = new;
    }
}

fn compiler(
    name: &'static str,
    names: &'static [&'static str],
    named: Option<&PathBuf>,
    config: &Config,
) -> Requirement {
    let Some(path) = named else { return program(name, names, &[], "every build", COMPILER) };
    // Their compilers are for glibc.
    let cross = cross_tools(config).filter(|_| !config.target.is_musl());
    let packages = cross.map_or(Packages([""; 5]), |tools| tools.compiler);
    // Nothing but this one will do: CMake gets it.
    let mut row = program(name, &[], &[], "every build", packages);
    let variable = if name == "C compiler" { "CC" } else { "CXX" };
    set_places(&mut row.probe, vec![(format!("${variable}"), Some(path.clone()))]);
    let set =
        |what: &str| format!("set {variable}_{} to {what}", config.target.triple.replace('-', "_"));
    row.hint = Some(match (config.target.is_musl(), config.is_cross()) {
        (true, _) => format!(
            "Debian's musl-tools has no C++ compiler: build on Alpine, or {}",
            set(&format!("a {name} for musl"))
        ),
        (false, true) => set("its cross compiler"),
        (false, false) => format!("set {variable} to an installed compiler, or unset it"),
    });
    row
}

fn program(
    name: &'static str,
    names: &'static [&'static str],
    oldest: &'static [(u32, u32)],
    needed_for: &str,
    packages: Packages,
) -> Requirement {
    let probe = Probe::Program { names, oldest, places: vec![] };
    Requirement { name, needed_for: needed_for.into(), required: true, probe, packages, hint: None }
}

fn header(
    name: &'static str,
    file: &'static str,
    needed_for: &str,
    packages: Packages,
) -> Requirement {
    let probe = Probe::Header(file);
    Requirement { name, needed_for: needed_for.into(), required: true, probe, packages, hint: None }
}

// Packages, in the order of `Manager::ALL`: apt, dnf, brew, pacman, winget.
const CMAKE: Packages = Packages(["cmake", "cmake", "cmake", "cmake", "Kitware.CMake"]);
const COMPILER: Packages =
    Packages(["g++", "gcc-c++", "gcc", "gcc", "Microsoft.VisualStudio.2022.BuildTools"]);
const NINJA: Packages =
    Packages(["ninja-build", "ninja-build", "ninja", "ninja", "Ninja-build.Ninja"]);
const BINUTILS: Packages = Packages(["binutils", "binutils", "", "binutils", ""]);
const CCACHE: Packages = Packages(["ccache", "ccache", "ccache", "ccache", "Ccache.Ccache"]);
const NPM: Packages = Packages(["npm", "npm", "node", "npm", "OpenJS.NodeJS"]);
// Debian's of before 13 and Ubuntu's of before 25.10 are too old.
const NODE: Packages = Packages(["", "nodejs", "node", "nodejs", "OpenJS.NodeJS"]);
const OPENSSL: Packages = Packages(["libssl-dev", "openssl-devel", "openssl@3", "openssl", ""]);
const OPENMP: Packages = Packages(["libgomp1 g++", "libgomp gcc-c++", "libomp", "gcc", ""]);
const PKG_CONFIG: Packages = Packages(["pkg-config", "pkgconf", "pkgconf", "pkgconf", ""]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::Manager;
    use crate::target::Target;

    #[test]
    fn one_file_for_every_processor_needs_tools_for_objects() {
        let names_on = |host: &str, triple: &str, features: &str| {
            let mut config = crate::tests::config(triple, features);
            config.host = Target::parse(host);
            let (config, _) = config.settle();
            let rows = all(&config).into_iter().filter(|row| row.needed_for.contains("cpu-all"));
            rows.map(|row| match row.probe {
                Probe::Program { names, .. } => format!("{}: {}", row.name, names.join(" ")),
                _ => unreachable!("both are programs"),
            })
            .collect::<Vec<_>>()
        };
        let (x86, arm) = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu");
        let names = |triple: &str, features: &str| names_on(x86, triple, features);
        // musl's is another target of the same processor.
        for triple in [x86, "x86_64-unknown-linux-musl"] {
            assert_eq!(
                names(triple, "cpu-all-variants"),
                ["linker: ld ld.lld", "objcopy: objcopy llvm-objcopy"]
            );
        }
        assert_eq!(
            names_on(arm, x86, "cpu-all-variants"),
            [
                "linker: x86_64-linux-gnu-ld ld.lld",
                "objcopy: x86_64-linux-gnu-objcopy llvm-objcopy"
            ]
        );
        assert_eq!(
            names(arm, "cpu-all-variants"),
            [
                "linker: aarch64-linux-gnu-ld ld.lld",
                "objcopy: aarch64-linux-gnu-objcopy llvm-objcopy"
            ]
        );
        assert!(names(x86, "cpu-all-variants backend-dl").is_empty());
        assert!(names("aarch64-apple-darwin", "cpu-all-variants").is_empty());
    }

    #[test]
    fn what_does_the_work_is_looked_for_where_cmake_has_none() {
        let rows = |host: &str, triple: &str| {
            let mut config = crate::tests::config(triple, "");
            config.host = Target::parse(host);
            let rows = basics(&config).into_iter().filter(|row| {
                row.name.starts_with("Ninja or") || row.needed_for.starts_with("faster builds")
            });
            rows.map(|row| format!("{}: {}", row.name, row.needed_for)).collect::<Vec<_>>()
        };
        let (linux, windows) = ("x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc");
        let (gnu, ninja) = ("x86_64-pc-windows-gnu", "ninja: faster builds");
        assert_eq!(rows(linux, gnu), ["Ninja or make: every build", ninja]);
        assert_eq!(rows(windows, gnu), ["Ninja or mingw32-make: every build", ninja]);
        let prompt = format!("{ninja} in a Native Tools Command Prompt of Visual Studio");
        assert_eq!(rows(windows, windows), [prompt]);
        assert_eq!(rows(linux, windows), ["Ninja or make: every build", ninja]);
    }

    #[test]
    fn a_compiler_that_is_not_there_is_in_a_package_only_for_another_processor_on_linux() {
        let package = |host: &str, triple: &str| {
            let mut config = crate::tests::config(triple, "");
            config.host = Target::parse(host);
            let row = compiler("C++ compiler", &["c++"], Some(&"gone".into()), &config);
            row.packages.of(Manager::Apt)
        };
        let (x86, arm) = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu");
        assert_eq!(package(x86, arm), Some("g++-aarch64-linux-gnu"));
        assert_eq!(package(arm, x86), Some("g++-x86-64-linux-gnu"));
        for triple in [
            x86,
            "x86_64-pc-windows-gnu",
            "aarch64-linux-android",
            "aarch64-apple-darwin",
            "aarch64-unknown-linux-musl",
        ] {
            assert_eq!(package(x86, triple), None, "{triple}");
        }
    }
}
