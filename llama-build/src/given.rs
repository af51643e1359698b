//! What a person gives besides features: values of variables, compilers, toolkits.

use std::path::PathBuf;

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
    /// CMake toolchain file (`CMAKE_TOOLCHAIN_FILE`), which then decides about compilers.
    pub toolchain_file: Option<PathBuf>,
}

impl Compilers {
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
