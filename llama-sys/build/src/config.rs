//! What was asked for, and what is built of it: features are additive, conflicts end by rule.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::Error;
use crate::backend::Backend;
use crate::target::{Os, Target};

/// The Cargo features of `llama-sys`, as values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// GPU and other backends besides the CPU.
    pub backends: BTreeSet<Backend>,
    /// Shared libraries, backends loaded at run time.
    pub backend_dl: bool,
    /// The CPU backend once per instruction set: a library each with `backend_dl`, else all in one file.
    pub cpu_all_variants: bool,
    /// Tune for the machine that builds.
    pub native: bool,
    /// Build `llama-server`.
    pub server: bool,
    /// Build the library of `llama-quantize`.
    pub quantize: bool,
    /// Embed the web UI.
    pub ui: bool,
    /// OpenMP threads in the CPU backend.
    pub openmp: bool,
    /// HTTPS in the server and its downloads.
    pub tls: bool,
    /// The multimodal library.
    pub mtmd: bool,
    /// Link an installed llama.cpp instead of building one.
    pub system: bool,
}

impl Features {
    /// Features by name, as in Cargo.toml; unknown names are an error.
    ///
    /// # Errors
    /// Names the words that are no feature.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut features = Self::default();
        let mut unknown = Vec::new();
        for name in names {
            let backend = Backend::ALL.into_iter().find(|backend| backend.feature() == name);
            match name {
                _ if backend.is_some() => features.backends.extend(backend),
                "backend-dl" => features.backend_dl = true,
                "cpu-all-variants" => features.cpu_all_variants = true,
                "native" => features.native = true,
                "server" => features.server = true,
                "quantize" => features.quantize = true,
                "ui" => features.ui = true,
                "openmp" => features.openmp = true,
                "tls" => features.tls = true,
                "mtmd" => features.mtmd = true,
                "system" => features.system = true,
                "bindgen" | "fetch" | "default" | "build" => {}
                _ => unknown.push(name),
            }
        }
        if unknown.is_empty() {
            return Ok(features);
        }
        let known: Vec<&str> = Backend::ALL.iter().map(|backend| backend.feature()).collect();
        Err(Error::new(format!("unknown feature `{}`", unknown.join("`, `"))).hint(format!(
            "features: {} backend-dl cpu-all-variants native server quantize ui openmp tls mtmd system",
            known.join(" ")
        )))
    }
}

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

/// Everything that decides a build. Made once; nothing reads the environment after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What is built for.
    pub target: Target,
    /// What builds.
    pub host: Target,
    /// Features after the rules of [`Config::new`].
    pub features: Features,
    /// Environment variables of ours.
    pub overrides: Overrides,
    /// Compilers named by the user.
    pub compilers: Compilers,
    /// Vendors' toolkits named by the user.
    pub toolkits: Toolkits,
    /// The C runtime is linked statically (`-C target-feature=+crt-static`).
    pub crt_static: bool,
    /// Folder of an OpenSSL that the user named (`OPENSSL_ROOT_DIR`, `OPENSSL_DIR`).
    pub openssl_root: Option<PathBuf>,
    /// Folder of Android's NDK (`ANDROID_NDK_HOME`, `ANDROID_NDK_ROOT`, `ANDROID_NDK`).
    pub android_ndk: Option<PathBuf>,
    /// Cargo's number of jobs (`NUM_JOBS`).
    pub cargo_jobs: usize,
}

impl Config {
    /// A build of `features` for `target` on `host`, with nothing from the environment.
    #[must_use]
    pub fn plain(features: Features, target: &str, host: &str) -> Self {
        Self {
            target: Target::parse(target),
            host: Target::parse(host),
            features,
            overrides: Overrides::default(),
            compilers: Compilers::default(),
            toolkits: Toolkits::default(),
            crt_static: false,
            openssl_root: None,
            android_ndk: None,
            cargo_jobs: 1,
        }
    }

    /// Settles what cannot go together, once, and says each thing that was settled against the
    /// user's words.
    #[must_use]
    pub fn settle(mut self) -> (Self, Vec<String>) {
        let mut said = Vec::new();
        let target = self.target.clone();
        let features = &mut self.features;
        features.backends.retain(|backend| {
            let keep = backend.exists_on(&target);
            if !keep {
                said.push(format!(
                    "feature `{backend}` has no meaning on {target} and is left out"
                ));
            }
            keep
        });
        features
            .backends
            .extend(Backend::ALL.into_iter().filter(|backend| backend.is_default_on(&target)));
        settle_linkage(features, &target, self.crt_static, &mut said);
        settle_cpu(features, &target, target.triple != self.host.triple, &mut said);
        if target.os == Os::Ios {
            features.server = false;
        }
        features.ui &= features.server;
        // The server links the multimodal library anyway.
        features.mtmd |= features.server;
        features.openmp &= !target.is_apple() && target.os != Os::Android && !target.is_musl();
        if features.tls && features.server && target.os != Os::Linux && self.openssl_root.is_none()
        {
            said.push(format!(
                "`tls` is left out on {target}, so `llama-server` cannot download models; with OPENSSL_ROOT_DIR set to \
                 an OpenSSL it can"
            ));
        }
        features.tls &= target.os == Os::Linux || self.openssl_root.is_some();
        if !self.compilers.left_out.is_empty() {
            let flags = self.compilers.left_out.join(" ");
            said.push(format!(
                "CFLAGS, CXXFLAGS and LDFLAGS: built without {flags}, which Rust's linker cannot finish"
            ));
        }
        (self, said)
    }

    /// Whether the target is not the machine that builds.
    #[must_use]
    pub fn is_cross(&self) -> bool {
        self.target.triple != self.host.triple
    }
}

/// Shared or static, by rule: two backends that define the same symbols need shared libraries, and so does
/// `cpu-all-variants` where one file cannot hold them; a target without a dynamic loader needs static ones.
fn settle_linkage(
    features: &mut Features,
    target: &Target,
    crt_static: bool,
    said: &mut Vec<String>,
) {
    if features.cpu_all_variants && !target.has_cpu_variants() {
        said.push(format!(
            "llama.cpp has no CPU variants for {target}: `cpu-all-variants` builds one CPU library"
        ));
        features.cpu_all_variants = false;
        features.backend_dl = true;
    }
    let static_only = !target.has_dynamic_loading() || (target.is_musl() && crt_static);
    let embeds = target.embeds_cpu_variants();
    if features.cpu_all_variants && !features.backend_dl && !embeds {
        if !static_only {
            said.push(format!(
                "no single file for {target} can hold all CPU variants: `backend-dl` is switched on"
            ));
        }
        features.backend_dl = true;
    }
    let both =
        [Backend::Cuda, Backend::Rocm].iter().all(|backend| features.backends.contains(backend));
    if both && !features.backend_dl {
        said.push(
            "`cuda` and `rocm` define the same symbols and cannot be linked into one program: \
             `backend-dl` is switched on"
                .into(),
        );
        features.backend_dl = true;
    }
    if features.backend_dl && static_only {
        said.push(format!("{target} cannot load libraries at run time: `backend-dl` is left out"));
        features.backend_dl = false;
        features.cpu_all_variants &= embeds;
    }
}

fn settle_cpu(features: &mut Features, target: &Target, cross: bool, said: &mut Vec<String>) {
    let other = if features.cpu_all_variants { "cpu-all-variants" } else { "backend-dl" };
    if features.native && (features.cpu_all_variants || features.backend_dl) {
        said.push(format!("`native` and `{other}` exclude each other: `native` is left out"));
        features.native = false;
    }
    if features.native && cross {
        said.push(format!("`native` cannot tune for {target} from here and is left out"));
        features.native = false;
    }
}

#[cfg(test)]
mod tests {
    /// Features after the rules, and what was said.
    fn settled(triple: &str, features: &str) -> (bool, bool, Vec<String>) {
        let (config, said) = crate::tests::config(triple, features).settle();
        (config.features.cpu_all_variants, config.features.backend_dl, said)
    }

    #[test]
    fn all_variants_are_one_file_where_one_file_can_hold_them() {
        for triple in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-musl"] {
            assert_eq!(settled(triple, "cpu-all-variants"), (true, false, vec![]), "{triple}");
        }
        let both = settled("x86_64-unknown-linux-gnu", "cpu-all-variants backend-dl");
        assert_eq!(both, (true, true, vec![]));
        let apple = "no single file for aarch64-apple-darwin can hold all CPU variants: `backend-dl` is switched on";
        assert_eq!(
            settled("aarch64-apple-darwin", "cpu-all-variants"),
            (true, true, vec![apple.to_owned()])
        );
        let native = "`native` and `cpu-all-variants` exclude each other: `native` is left out";
        assert_eq!(
            settled("x86_64-unknown-linux-gnu", "cpu-all-variants native"),
            (true, false, vec![native.to_owned()])
        );
    }
}
