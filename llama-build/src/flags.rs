//! The CMake definitions of a build: pure, so that every target can be looked at from any machine.
//!
//! The text of a [`FlagSet`] is what golden tests compare, what the log shows and what the manifest
//! records. The starting point are upstream's own flag sets (`.devops/*.Dockerfile` and
//! `.github/workflows/release.yml` of the pinned tree; `cargo xtask check` compares). Where a value
//! differs from upstream's default for another reason than a feature, [`OURS`] says why.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::backend;
use crate::config::Config;
use crate::feature::Feature;
use crate::refusal;
use crate::target::Os;
use crate::{android, apple};

/// Definitions that neither a feature nor upstream's official sets ask for: name, value, reason.
pub const OURS: &[(&str, &str, &str)] = &[
    ("GGML_CCACHE", "OFF", "the launcher is named below, not whatever is found"),
    ("LLAMA_BUILD_APP", "OFF", "not needed"),
    ("LLAMA_BUILD_EXAMPLES", "OFF", "not needed"),
    ("LLAMA_BUILD_UI", "OFF", "we build the web UI once, next to the source"),
    ("LLAMA_USE_PREBUILT_UI", "OFF", "a build downloads nothing"),
];

/// What CMake links programs, shared libraries and loaded ones with.
const LINKER_FLAGS: [&str; 3] =
    ["CMAKE_EXE_LINKER_FLAGS", "CMAKE_SHARED_LINKER_FLAGS", "CMAKE_MODULE_LINKER_FLAGS"];

/// Names and values for CMake, in the order in which they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlagSet(Vec<(String, String)>);

impl FlagSet {
    /// What `config` asks for.
    #[must_use]
    pub fn new(config: &Config, pin: &llama_src::Pin) -> Self {
        let mut flags = Self::default();
        flags.product(config, pin);
        flags.linkage(config);
        flags.cpu(config);
        flags.backends(config);
        flags.platform(config);
        for (name, value) in &config.overrides.cmake_args {
            flags.set(name, value);
        }
        flags
    }

    /// Sets `name`, in its old place when it is there already.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of `name`, if it is in the set.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn switch(&mut self, name: &str, on: bool) {
        self.set(name, if on { "ON" } else { "OFF" });
    }

    /// What is built and what it calls itself.
    fn product(&mut self, config: &Config, pin: &llama_src::Pin) {
        let features = &config.features;
        self.set("CMAKE_BUILD_TYPE", "Release");
        self.set("LLAMA_BUILD_NUMBER", pin.build_number.to_string());
        self.set("LLAMA_BUILD_COMMIT", pin.tag.as_str());
        self.switch("LLAMA_BUILD_TESTS", false);
        for (name, value, _) in OURS {
            self.set(name, *value);
        }
        let server = features.has(Feature::Server);
        let tools = server || features.has(Feature::Quantize);
        self.switch("LLAMA_BUILD_COMMON", tools);
        self.switch("LLAMA_BUILD_TOOLS", tools);
        self.switch("LLAMA_BUILD_SERVER", server);
        self.switch("LLAMA_BUILD_MTMD", features.has(Feature::Mtmd) && !server);
        self.switch("LLAMA_OPENSSL", server && features.has(Feature::Tls));
        if config.overrides.source_dir.is_some() {
            // What the pinned sources bear (`inject.cmake`), those of another release may not.
            self.switch("CMAKE_UNITY_BUILD", false);
        }
    }

    fn linkage(&mut self, config: &Config) {
        let shared = config.features.has(Feature::BackendDl);
        self.switch("BUILD_SHARED_LIBS", shared);
        self.switch("GGML_BACKEND_DL", shared);
        self.switch("GGML_CPU_ALL_VARIANTS", config.features.has(Feature::CpuAllVariants));
        if config.target.os == Os::Windows {
            return;
        }
        if shared {
            let origin = if config.target.is_apple() { "@loader_path" } else { "$ORIGIN" };
            self.set("CMAKE_INSTALL_RPATH", origin);
            self.switch("CMAKE_BUILD_WITH_INSTALL_RPATH", true);
            if !config.overrides.relocatable {
                // A vendor's toolkit may be where the loader does not look.
                self.switch("CMAKE_INSTALL_RPATH_USE_LINK_PATH", true);
            }
        } else {
            // The archives end in position-independent Rust programs.
            self.switch("CMAKE_POSITION_INDEPENDENT_CODE", true);
        }
    }

    /// The CPU backend. Without `native` and without variants the instruction set is written out:
    /// upstream's default depends on whether the build is a cross build and on `SOURCE_DATE_EPOCH`.
    fn cpu(&mut self, config: &Config) {
        let features = &config.features;
        self.switch("GGML_NATIVE", features.has(Feature::Native));
        self.switch("GGML_OPENMP", features.has(Feature::Openmp));
        if features.has(Feature::Native) || features.has(Feature::CpuAllVariants) {
            return;
        }
        match config.target.arch.as_str() {
            "x86_64" => {
                for name in ["GGML_SSE42", "GGML_AVX", "GGML_AVX2", "GGML_BMI2"] {
                    self.switch(name, true);
                }
                // MSVC has no switches for these two, AVX2 implies them.
                if !config.target.is_msvc() {
                    self.switch("GGML_FMA", true);
                    self.switch("GGML_F16C", true);
                }
            }
            // Upstream's default needs vectors, which riscv64gc does not have.
            "riscv64gc" => {
                for name in [
                    "GGML_RVV",
                    "GGML_RV_ZFH",
                    "GGML_RV_ZVFH",
                    "GGML_RV_ZICBOP",
                    "GGML_RV_ZIHINTPAUSE",
                ] {
                    self.switch(name, false);
                }
            }
            _ => {}
        }
    }

    fn backends(&mut self, config: &Config) {
        for row in &backend::ROWS {
            self.switch(row.switch, config.features.has(row.backend));
        }
        for backend in config.features.backends() {
            for (name, value) in backend.row().definitions {
                if let Some(value) = value(&config.target, &config.overrides) {
                    self.set(name, value);
                }
            }
        }
    }

    /// Compilers, and what CMake must be told about a system that is not the host's.
    fn platform(&mut self, config: &Config) {
        let target = &config.target;
        match target.os {
            Os::Android => self.android(config),
            Os::MacOs => {
                self.set("CMAKE_OSX_ARCHITECTURES", target.cmake_processor());
            }
            Os::Ios => {
                let simulator = target.env == "sim" || target.arch == "x86_64";
                self.set("CMAKE_SYSTEM_NAME", "iOS");
                self.set("CMAKE_OSX_ARCHITECTURES", target.cmake_processor());
                self.set(
                    "CMAKE_OSX_SYSROOT",
                    if simulator { "iphonesimulator" } else { "iphoneos" },
                );
            }
            _ if config.is_cross() && config.compilers.toolchain_file.is_none() => {
                self.set("CMAKE_SYSTEM_NAME", target.cmake_system());
                self.set("CMAKE_SYSTEM_PROCESSOR", target.cmake_processor());
            }
            _ => {}
        }
        if let Some(oldest) = apple::deployment_target(config) {
            self.set("CMAKE_OSX_DEPLOYMENT_TARGET", oldest);
        }
        if target.is_msvc() {
            let dll = if config.crt_static { "" } else { "DLL" };
            self.set("CMAKE_MSVC_RUNTIME_LIBRARY", format!("MultiThreaded{dll}"));
        }
        self.compilers(config);
    }

    fn compilers(&mut self, config: &Config) {
        let compilers = &config.compilers;
        let path = |path: &Path| path.display().to_string();
        if let Some(file) = &compilers.toolchain_file {
            self.set("CMAKE_TOOLCHAIN_FILE", path(file));
        }
        let programs =
            [("CMAKE_C_COMPILER", &compilers.cc), ("CMAKE_CXX_COMPILER", &compilers.cxx)];
        for (name, program) in programs {
            if let Some(program) = program.as_ref().filter(|_| !android::chooses_compilers(config))
            {
                self.set(name, path(program));
            }
        }
        if let Some(cflags) = &compilers.cflags {
            self.set("CMAKE_C_FLAGS", cflags);
        }
        if let Some(cxxflags) = &compilers.cxxflags {
            self.set("CMAKE_CXX_FLAGS", cxxflags);
        }
        // Beside a toolchain file CMake adds them itself to what the file says (`cmake.rs` hands them on).
        let ldflags = compilers.ldflags.as_ref();
        if let Some(ldflags) = ldflags.filter(|_| self.value("CMAKE_TOOLCHAIN_FILE").is_none()) {
            for name in LINKER_FLAGS {
                let ours = self.value(name).map(|ours| format!("{ours} ")).unwrap_or_default();
                self.set(name, format!("{ours}{ldflags}"));
            }
        }
        if let Some(root) = &config.openssl_root {
            self.set("OPENSSL_ROOT_DIR", path(root));
        }
    }

    fn android(&mut self, config: &Config) {
        let abi = match config.target.arch.as_str() {
            "aarch64" => "arm64-v8a",
            "armv7" | "thumbv7neon" => "armeabi-v7a",
            "i686" => "x86",
            arch => arch,
        };
        if let Some(ndk) = &config.android_ndk {
            let file = ndk.join(refusal::NDK_TOOLCHAIN);
            self.set("CMAKE_TOOLCHAIN_FILE", file.display().to_string());
        }
        self.set("ANDROID_ABI", abi);
        self.set("ANDROID_PLATFORM", format!("android-{}", android::platform(config).0));
    }
}

/// Variables that CMake runs with: the folders of vendors' toolkits that the user named for the backends of `config`.
pub fn environment(config: &Config) -> impl Iterator<Item = (&'static str, &Path)> {
    let variables = config.features.backends().flat_map(|backend| backend.row().environment);
    variables.filter_map(|(name, folder)| Some((*name, folder(&config.toolkits)?)))
}

/// One `NAME=VALUE` a line.
impl fmt::Display for FlagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| writeln!(f, "{name}={value}"))
    }
}
