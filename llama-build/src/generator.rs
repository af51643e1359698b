//! Which of CMake's generators builds: Ninja where it is installed and finds a compiler, else the one that belongs to
//! the target's compilers.

use std::path::{Path, PathBuf};

use crate::backend::Backend;
use crate::config::Config;
use crate::target::Os;

/// What CMake writes its rules for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Generator {
    /// This Ninja.
    Ninja(PathBuf),
    /// `mingw32-make`. CMake's own choice on Windows is Visual Studio.
    MinGw,
    /// Visual Studio, for this platform. It finds its compiler and libraries itself.
    VisualStudio(&'static str),
    /// CMake's own choice: make.
    #[default]
    Own,
}

/// An architecture's names: Rust's, that of Visual Studio's platform, that of the folder of its compiler.
const PLATFORMS: [(&str, &str, &str); 3] =
    [("x86_64", "x64", "x64"), ("aarch64", "ARM64", "arm64"), ("i686", "Win32", "x86")];

impl Generator {
    /// The generator for `config` where `ninja` is installed and `cl` is in `PATH`.
    #[must_use]
    pub(crate) fn choose(config: &Config, ninja: Option<PathBuf>, cl: Option<&Path>) -> Self {
        if let Some((_, platform, folder)) = visual_studio(config) {
            return match ninja.filter(|_| cl.is_some_and(|cl| compiles_for(cl, folder))) {
                Some(ninja) => Self::Ninja(ninja),
                None => Self::VisualStudio(platform),
            };
        }
        match ninja {
            Some(ninja) => Self::Ninja(ninja),
            None if is_mingw(config) => Self::MinGw,
            None => Self::Own,
        }
    }

    /// CMake's arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
        match self {
            Self::Ninja(ninja) => {
                let mut all = words(["-G", "Ninja"]);
                all.push(format!("-DCMAKE_MAKE_PROGRAM={}", ninja.display()));
                all
            }
            Self::MinGw => words(["-G", "MinGW Makefiles"]),
            Self::VisualStudio(platform) => words(["-A", platform]),
            Self::Own => Vec::new(),
        }
    }

    /// Whether it is Ninja.
    #[must_use]
    pub fn is_ninja(&self) -> bool {
        matches!(self, Self::Ninja(_))
    }
}

/// Whether MinGW builds on Windows.
pub(crate) fn is_mingw(config: &Config) -> bool {
    let (target, host) = (&config.target, &config.host);
    host.os == Os::Windows && target.os == Os::Windows && !target.is_msvc()
}

/// The names of the architecture if Visual Studio can build it: nobody names a compiler, and the features need none but
/// Microsoft's and NVIDIA's.
pub(crate) fn visual_studio(
    config: &Config,
) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let (target, compilers) = (&config.target, &config.compilers);
    let settings = ["CMAKE_C_COMPILER", "CMAKE_CXX_COMPILER", "CMAKE_TOOLCHAIN_FILE"];
    let is_named = compilers.cc.is_some()
        || compilers.cxx.is_some()
        || compilers.toolchain_file.is_some()
        || config.overrides.cmake_args.iter().any(|(name, _)| settings.contains(&&**name));
    // Their compilers take the place of Microsoft's (`toolchain::flags`).
    let others = [Backend::Sycl, Backend::Rocm];
    if config.host.os != Os::Windows
        || !target.is_msvc()
        || is_named
        || others.iter().any(|backend| config.features.has(*backend))
    {
        return None;
    }
    PLATFORMS.iter().find(|(arch, ..)| *arch == target.arch)
}

/// Whether Microsoft's compiler at `cl` compiles for the architecture of `folder`: it is at `…\Hostx64\x64\cl.exe`, and
/// a Developer Command Prompt has one of them in `PATH`.
fn compiles_for(cl: &Path, folder: &str) -> bool {
    // A path of Windows, wherever this runs.
    let cl = cl.to_string_lossy().to_lowercase();
    let mut parts = cl.rsplit(['/', '\\']).skip(1);
    let own = parts.next().unwrap_or_default();
    let is_of_visual_studio = parts.next().is_some_and(|host| host.starts_with("host"));
    !is_of_visual_studio || own == folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    const CL: &str = r"C:\VS\VC\Tools\MSVC\14.40\bin\Hostx64\x64\cl.exe";

    fn windows(triple: &str, features: &str) -> Config {
        let mut config = crate::tests::config(triple, features);
        config.host = Target::parse("x86_64-pc-windows-msvc");
        config
    }

    /// CMake's words, with Ninja at `ninja` if it is installed.
    fn words(config: &Config, ninja: bool, cl: Option<&str>) -> String {
        let ninja = ninja.then(|| PathBuf::from("ninja"));
        Generator::choose(config, ninja, cl.map(Path::new)).arguments().join(" ")
    }

    const NINJA: &str = "-G Ninja -DCMAKE_MAKE_PROGRAM=ninja";

    #[test]
    fn visual_studio_builds_where_ninja_would_find_no_compiler() {
        for (triple, platform, own) in [
            ("x86_64-pc-windows-msvc", "-A x64", true),
            ("aarch64-pc-windows-msvc", "-A ARM64", false),
            ("i686-pc-windows-msvc", "-A Win32", false),
        ] {
            let config = windows(triple, "");
            assert_eq!(words(&config, true, None), platform, "{triple}");
            assert_eq!(words(&config, false, Some(CL)), platform, "{triple}");
            // The compiler of a Developer Command Prompt is for one architecture.
            assert_eq!(words(&config, true, Some(CL)), if own { NINJA } else { platform });
            assert_eq!(words(&config, true, Some(r"C:\shims\cl.exe")), NINJA, "{triple}");
        }
        let x86 = CL.replace(r"\x64\", r"\x86\");
        let i686 = windows("i686-pc-windows-msvc", "");
        assert_eq!(words(&i686, true, Some(&x86)), NINJA);
    }

    #[test]
    fn ninja_builds_with_a_compiler_that_is_named() {
        let plain = windows("x86_64-pc-windows-msvc", "");
        let mut named = [(); 4].map(|()| plain.clone());
        named[0].compilers.cc = Some("clang-cl".into());
        named[1].compilers.cxx = Some("clang-cl".into());
        named[2].compilers.toolchain_file = Some("t.cmake".into());
        named[3].overrides.cmake_args = vec![("CMAKE_C_COMPILER".into(), "clang-cl".into())];
        for config in &named {
            assert_eq!(words(config, true, None), NINJA);
            assert_eq!(words(config, false, None), "");
        }
        for features in ["sycl", "rocm"] {
            let config = windows("x86_64-pc-windows-msvc", features);
            assert_eq!(words(&config, true, None), NINJA, "{features}");
        }
    }

    #[test]
    fn elsewhere_it_is_ninja_or_make() {
        let mingw = windows("x86_64-pc-windows-gnu", "");
        assert_eq!(words(&mingw, true, None), NINJA);
        assert_eq!(words(&mingw, false, None), "-G MinGW Makefiles");
        // On Linux MinGW's compiler has Linux's make.
        for triple in ["x86_64-pc-windows-gnu", "x86_64-unknown-linux-gnu", "aarch64-apple-darwin"]
        {
            let config = crate::tests::config(triple, "");
            assert_eq!([words(&config, true, None), words(&config, false, None)], [NINJA, ""]);
        }
    }
}
