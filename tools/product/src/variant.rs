//! The release matrix: which variants there are, for which targets, with which toolkits. The one table
//! that `dist`, `verify`, CI and the images read. Flags are not here: the build writes those.

use std::fmt;

use anyhow::{Result, bail};
use llama_build::backend::Backend;
use llama_build::{Feature, Features};
use llama_src::Error;
use serde::Serialize;

/// What a distribution computes on besides the CPU, which every one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// The CPU alone.
    Cpu,
    /// NVIDIA GPUs.
    Cuda,
    /// AMD GPUs.
    Rocm,
    /// GPUs of any vendor through Vulkan.
    Vulkan,
}

/// One distribution that a release has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub variant: Variant,
    /// Target triple.
    pub target: &'static str,
    /// Version of the vendor's toolkit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkit: Option<&'static str>,
    /// As CMake takes them; empty where the driver compiles for whatever GPU is there.
    pub gpu_architectures: Vec<&'static str>,
    /// The oldest driver that runs it, as its vendor counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_driver: Option<&'static str>,
    /// Features of `llama-sys`.
    pub features: Vec<&'static str>,
    /// Docker's name of the platform.
    pub platform: &'static str,
    /// Whether this toolkit is the one that a variant means when none is named.
    pub default: bool,
}

impl Row {
    /// `cuda-12.8-amd64`.
    pub fn id(&self) -> String {
        let toolkit = self.toolkit.map(|version| format!("-{version}")).unwrap_or_default();
        format!("{}{toolkit}-{}", self.variant, architecture(self.target))
    }
}

/// Docker's word for a target's processor.
pub fn architecture(target: &str) -> &'static str {
    if target == AARCH64 { "arm64" } else { "amd64" }
}

/// What an image of a variant has, or says of itself, that those of the others do not.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    pub title: &'static str,
    /// What it runs on besides any CPU.
    pub devices: Option<&'static str>,
    /// Licence of the libraries of the GPU's vendor that are in it.
    pub license: Option<&'static str>,
    /// Debian's packages in the stage in which Cargo builds.
    pub toolchain_packages: &'static str,
    /// Debian's packages in the image.
    pub system_packages: &'static str,
}

/// The packer of models, which is released too: its crate, its program, and what the names of its folders, archives
/// and images begin with.
pub const PACKER: &str = "gguf-packer";

/// 64-bit x86, any such machine.
pub const X86_64: &str = "x86_64-unknown-linux-gnu";
/// 64-bit Arm, any such machine.
pub const AARCH64: &str = "aarch64-unknown-linux-gnu";

/// The GPU code in the CUDA backend is compressed, which drivers before CUDA 12.4's cannot read.
const CUDA_12_DRIVER: &str = "550";
/// The first driver of CUDA 13
/// ([release notes](https://docs.nvidia.com/cuda/archive/13.0.0/cuda-toolkit-release-notes/), table 3).
const CUDA_13_DRIVER: &str = "580";

/// Upstream's `ROCM_DOCKER_ARCH`
/// ([`rocm.Dockerfile` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/.devops/rocm.Dockerfile)).
const ROCM_TARGETS: &[&str] = &[
    "gfx908", "gfx90a", "gfx942", "gfx1030", "gfx1100", "gfx1101", "gfx1102", "gfx1151", "gfx1150",
    "gfx1200", "gfx1201",
];

/// Those of them that rocBLAS has kernels for in ROCm 6.4 as Debian builds it. No release has it; `dist --setup`
/// brings it (`toolkit/rocm.rs`).
const ROCM_6_TARGETS: &[&str] = &["gfx908", "gfx90a", "gfx1030", "gfx1100", "gfx1101", "gfx1102"];

impl Variant {
    /// Every variant.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::Rocm, Self::Vulkan];

    /// The variant called `name`.
    ///
    /// # Errors
    /// When there is none; the known ones are named.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        match found {
            Some(variant) => Ok(variant),
            None => {
                let known = Self::ALL.map(Self::name).join(" ");
                bail!(
                    Error::usage(format!("no variant `{name}`"))
                        .hint(format!("variants: {known} all"))
                )
            }
        }
    }

    /// Its name in commands, file names and images.
    pub fn name(self) -> &'static str {
        self.backend().map_or("cpu", Backend::feature)
    }

    /// The backend that it has besides the CPU's.
    pub fn backend(self) -> Option<Backend> {
        match self {
            Self::Cpu => None,
            Self::Cuda => Some(Backend::Cuda),
            Self::Rocm => Some(Backend::Rocm),
            Self::Vulkan => Some(Backend::Vulkan),
        }
    }

    /// Its image's own.
    pub fn image(self) -> Image {
        let every = Image {
            title: "CPU",
            devices: None,
            license: None,
            toolchain_packages: "",
            system_packages: "",
        };
        match self {
            Self::Cpu => every,
            Self::Cuda => Image {
                title: "CUDA",
                devices: Some("NVIDIA GPUs"),
                license: Some("LicenseRef-NVIDIA-CUDA-EULA"),
                // pip gets NVIDIA's wheels.
                toolchain_packages: "python3-pip",
                ..every
            },
            Self::Rocm => Image {
                title: "ROCm",
                devices: Some("AMD GPUs"),
                license: Some("LicenseRef-ROCm"),
                toolchain_packages: "patchelf",
                ..every
            },
            Self::Vulkan => Image {
                title: "Vulkan",
                devices: Some("GPUs through Vulkan"),
                toolchain_packages: "glslc libvulkan-dev spirv-headers",
                system_packages: "libvulkan1 mesa-vulkan-drivers",
                ..every
            },
        }
    }

    /// Features of `llama-sys` that its parts are built with, all together.
    pub fn features(self) -> Vec<&'static str> {
        let default = Features::on_by_default();
        let shared = [Feature::BackendDl, Feature::CpuAllVariants].map(Feature::name);
        let backends = [Some(Backend::Rpc), self.backend()].into_iter().flatten();
        default.names().chain(shared).chain(backends.map(Backend::feature)).collect()
    }

    /// Libraries that it may take from the system: the C and C++ runtimes, OpenMP, TLS, and the one
    /// through which the GPU is reached.
    pub fn allowed_needed(self) -> Vec<&'static str> {
        let system = [
            "ld-linux-aarch64.so.1",
            "ld-linux-x86-64.so.2",
            "libc.so.6",
            "libcrypto.so.3",
            "libdl.so.2",
            "libgcc_s.so.1",
            "libgomp.so.1",
            "libm.so.6",
            "libpthread.so.0",
            "librt.so.1",
            "libssl.so.3",
            "libstdc++.so.6",
        ];
        system.into_iter().chain(self.driver_libraries().iter().copied()).collect()
    }

    /// Libraries of the GPU's driver or loader: they may be missing where the CPU alone is used.
    pub fn driver_libraries(self) -> &'static [&'static str] {
        self.backend().map_or(&[], |backend| backend.row().drivers)
    }

    /// Upstream's default GPU architectures for a toolkit
    /// ([`ggml-cuda/CMakeLists.txt` of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-cuda/CMakeLists.txt#L30-L70)).
    /// A release never compiles for whatever GPU the build machine has.
    pub fn gpu_architectures(self, toolkit: Option<(u32, u32)>) -> Vec<&'static str> {
        let cuda = |toolkit: (u32, u32)| {
            let mut list = Vec::new();
            if toolkit < (13, 0) {
                list.extend(["50-virtual", "61-virtual", "70-virtual"]);
            }
            list.extend(["75-virtual", "80-virtual", "86-real", "89-real", "90-virtual"]);
            if toolkit >= (12, 8) {
                list.push("120a-real");
            }
            if toolkit >= (12, 9) {
                list.push("121a-real");
            }
            list
        };
        match self {
            Self::Cpu | Self::Vulkan => Vec::new(),
            Self::Cuda => toolkit.map(cuda).unwrap_or_default(),
            Self::Rocm if toolkit.is_some_and(|version| version < (7, 0)) => {
                ROCM_6_TARGETS.to_vec()
            }
            Self::Rocm => ROCM_TARGETS.to_vec(),
        }
    }

    /// The oldest driver for a toolkit.
    pub fn minimum_driver(self, toolkit: Option<(u32, u32)>) -> Option<&'static str> {
        match self {
            Self::Cuda if toolkit.is_some_and(|version| version >= (13, 0)) => Some(CUDA_13_DRIVER),
            Self::Cuda => Some(CUDA_12_DRIVER),
            Self::Cpu | Self::Rocm | Self::Vulkan => None,
        }
    }

    /// Toolkits of the releases, the default first.
    pub fn toolkits(self) -> &'static [&'static str] {
        match self {
            Self::Cpu | Self::Vulkan => &[],
            Self::Cuda => &["13.0", "12.8"],
            Self::Rocm => &["7.2"],
        }
    }

    /// Targets of the releases.
    pub fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Cpu | Self::Vulkan => &[X86_64, AARCH64],
            Self::Cuda | Self::Rocm => &[X86_64],
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `12.8` of `12.8` and of `12.8.93`.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// Every distribution of a release.
pub fn matrix() -> Vec<Row> {
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        for target in variant.targets() {
            if variant.toolkits().is_empty() {
                rows.push(row(variant, target, None));
            }
            rows.extend(
                variant.toolkits().iter().map(|toolkit| row(variant, target, Some(toolkit))),
            );
        }
    }
    rows
}

fn row(variant: Variant, target: &'static str, toolkit: Option<&'static str>) -> Row {
    let version = toolkit.and_then(major_minor);
    Row {
        variant,
        target,
        toolkit,
        gpu_architectures: variant.gpu_architectures(version),
        minimum_driver: variant.minimum_driver(version),
        features: variant.features(),
        platform: if target == AARCH64 { "linux/arm64" } else { "linux/amd64" },
        default: toolkit == variant.toolkits().first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_these_rows() {
        let rows: Vec<String> = matrix()
            .iter()
            .map(|row| {
                let mark = if row.default { "*" } else { "" };
                format!(
                    "{} {} {} {} {}{mark}",
                    row.variant,
                    row.target,
                    row.toolkit.unwrap_or("-"),
                    row.platform,
                    row.minimum_driver.unwrap_or("-")
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                "cpu x86_64-unknown-linux-gnu - linux/amd64 -*",
                "cpu aarch64-unknown-linux-gnu - linux/arm64 -*",
                "cuda x86_64-unknown-linux-gnu 13.0 linux/amd64 580*",
                "cuda x86_64-unknown-linux-gnu 12.8 linux/amd64 550",
                "rocm x86_64-unknown-linux-gnu 7.2 linux/amd64 -*",
                "vulkan x86_64-unknown-linux-gnu - linux/amd64 -*",
                "vulkan aarch64-unknown-linux-gnu - linux/arm64 -*",
            ]
        );
    }

    #[test]
    fn architectures_are_upstreams_for_the_toolkit() {
        let cuda = |version| Variant::Cuda.gpu_architectures(Some(version)).join(" ");
        let common = "75-virtual 80-virtual 86-real 89-real 90-virtual";
        assert_eq!(cuda((12, 4)), format!("50-virtual 61-virtual 70-virtual {common}"));
        assert_eq!(cuda((12, 8)), format!("50-virtual 61-virtual 70-virtual {common} 120a-real"));
        assert_eq!(cuda((13, 0)), format!("{common} 120a-real 121a-real"));
        assert!(matrix().iter().all(|row| !row.gpu_architectures.contains(&"native")));
    }

    #[test]
    fn an_unknown_variant_is_refused() {
        let error = Variant::parse("metal").unwrap_err().to_string();
        assert_eq!(error, "no variant `metal`\n  hint: variants: cpu cuda rocm vulkan all");
    }

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        assert_eq!(major_minor("12.8.93"), Some((12, 8)));
        assert_eq!(major_minor("13"), Some((13, 0)));
        assert_eq!(major_minor("new"), None);
    }
}
