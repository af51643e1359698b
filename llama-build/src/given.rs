//! What a person gives besides features: values of variables, compilers, toolkits.

use std::path::{Path, PathBuf};

use crate::target::{Os, Target};

/// Values of our own environment variables, checked for form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// A llama.cpp tree of the user's (`LLAMA_SYS_SOURCE_DIR`).
    pub source_dir: Option<PathBuf>,
    /// A local archive of the pinned tree (`LLAMA_SYS_SOURCE_ARCHIVE`).
    pub source_archive: Option<PathBuf>,
    /// A local archive of the built web UI (`LLAMA_SYS_UI_ARCHIVE`).
    pub ui_archive: Option<PathBuf>,
    /// Reach for nothing outside this machine (`LLAMA_SYS_OFFLINE`, `CARGO_NET_OFFLINE`).
    pub offline: bool,
    /// Where downloads go when the package is read-only (`LLAMA_SYS_CACHE_DIR`).
    pub cache_dir: Option<PathBuf>,
    /// Use this finished build (`LLAMA_SYS_PREBUILT_DIR`).
    pub prebuilt_dir: Option<PathBuf>,
    /// The server looks for its libraries beside itself only (`LLAMA_SYS_RELOCATABLE`).
    pub relocatable: bool,
    /// More CMake definitions, last word (`LLAMA_SYS_CMAKE_ARGS`).
    pub cmake_args: Vec<(String, String)>,
    /// As CMake takes them, `86;90` or `all-major` (`LLAMA_SYS_CUDA_ARCHITECTURES`).
    pub cuda_architectures: Option<String>,
    /// As CMake takes them, `gfx1100;gfx1201` (`LLAMA_SYS_ROCM_TARGETS`).
    pub rocm_targets: Option<String>,
    /// Compile jobs at once (`LLAMA_SYS_JOBS`).
    pub jobs: Option<usize>,
    /// `ccache`, `sccache`, a path, or `none` (`LLAMA_SYS_COMPILER_LAUNCHER`).
    pub compiler_launcher: Option<String>,
}

/// Compilers and flags that the user named through `CC`, `CXX`, `CFLAGS`, `CXXFLAGS`, `LDFLAGS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compilers {
    /// Compiler cache that `CC` or `CXX` name before the compiler.
    pub launcher: Option<String>,
    /// C compiler; CMake's own choice when absent.
    pub cc: Option<PathBuf>,
    /// C++ compiler; CMake's own choice when absent.
    pub cxx: Option<PathBuf>,
    /// Flags for every C file.
    pub cflags: Option<String>,
    /// Flags for every C++ file.
    pub cxxflags: Option<String>,
    /// Flags for everything that is linked.
    pub ldflags: Option<String>,
    /// Flags of theirs that no build of ours takes: those that put work off until the compiler links.
    pub left_out: Vec<String>,
    /// Variables that CMake and nvcc read themselves: `CUDAHOSTCXX`, `CUDAARCHS`, `CUDAFLAGS`, `NVCC_…`.
    pub cuda: Vec<(&'static str, String)>,
    /// CMake toolchain file (`CMAKE_TOOLCHAIN_FILE`), which then decides about compilers.
    pub toolchain_file: Option<PathBuf>,
}

impl Compilers {
    /// The compiler that nvcc needs besides itself: the named one if it is GNU's and no variable of nvcc's names one.
    /// nvcc's own choice is `gcc`, which may be too new for it or of another target. Of clang nvcc takes few versions.
    pub(crate) fn beside_nvcc(&self, target: &Target) -> Option<&Path> {
        let cxx = self.cxx.as_deref().filter(|_| target.os == Os::Linux)?;
        let name = cxx.file_name()?.to_string_lossy();
        let is_gnu = (name.contains("g++") || name.contains("gcc")) && !name.contains("clang");
        let is_named = self.cuda.iter().any(|(name, value)| {
            ["CUDAHOSTCXX", "NVCC_CCBIN"].contains(name)
                || ["-ccbin", "--compiler-bindir"].iter().any(|word| value.contains(word))
        });
        (is_gnu && !is_named).then_some(cxx)
    }

    /// What nvcc reads when it compiles: no command shows it, so neither Ninja nor make compiles again when it changes.
    pub(crate) fn hidden_from_commands(&self) -> String {
        let hidden = self.cuda.iter().filter(|(name, _)| name.starts_with("NVCC_"));
        hidden.map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// The words of [`Self::cflags`]: one with a blank is in quotes.
    pub(crate) fn words_of_cflags(&self) -> Vec<String> {
        let text = self.cflags.as_deref().unwrap_or_default();
        shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
    }
}

/// Where the user says that vendors' toolkits are; places by default are tried after these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Toolkits {
    /// CUDA compiler (`CUDACXX`).
    pub cudacxx: Option<PathBuf>,
    /// CUDA toolkit (`CUDA_PATH`, `CUDA_HOME`).
    pub cuda: Option<PathBuf>,
    /// ROCm (`ROCM_PATH`).
    pub rocm: Option<PathBuf>,
    /// Vulkan SDK (`VULKAN_SDK`).
    pub vulkan: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nvcc_takes_the_named_compiler_of_gnu() {
        let of = |triple: &str, cxx: &str, cuda: &[(&'static str, &str)]| {
            let compilers = Compilers {
                cxx: Some(cxx.into()),
                cuda: cuda.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
                ..Compilers::default()
            };
            compilers.beside_nvcc(&Target::parse(triple)).map(Path::to_owned)
        };
        let (linux, windows) = ("x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc");
        for cxx in ["/usr/bin/g++-13", "aarch64-linux-gnu-g++"] {
            assert_eq!(of(linux, cxx, &[]), Some(cxx.into()));
            assert_eq!(of(linux, cxx, &[("CUDAARCHS", "90")]), Some(cxx.into()));
            for (name, value) in [
                ("CUDAHOSTCXX", "g++-12"),
                ("NVCC_CCBIN", "g++-12"),
                ("NVCC_APPEND_FLAGS", "-O2 -ccbin g++-12"),
            ] {
                assert_eq!(of(linux, cxx, &[(name, value)]), None, "{name}");
            }
        }
        let flags = [("CUDAARCHS", "90"), ("NVCC_APPEND_FLAGS", "-O2")];
        let cuda = flags.map(|(name, value)| (name, value.to_owned())).to_vec();
        let hidden = Compilers { cuda, ..Compilers::default() }.hidden_from_commands();
        assert_eq!(hidden, "NVCC_APPEND_FLAGS=-O2\n");
        assert_eq!(of(linux, "clang++-19", &[]), None);
        assert_eq!(of(windows, "g++", &[]), None);
        assert_eq!(Compilers::default().beside_nvcc(&Target::parse(linux)), None);
    }
}
