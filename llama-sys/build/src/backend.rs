//! The ggml backends that a feature can switch on, one row each.

use std::fmt;

use crate::target::{Os, Target};

/// A ggml backend besides the CPU, which is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// BLAS libraries; Apple's Accelerate on macOS.
    Blas,
    /// NVIDIA GPUs.
    Cuda,
    /// Apple GPUs.
    Metal,
    /// GPUs through OpenCL, chiefly Adreno.
    OpenCl,
    /// AMD GPUs through HIP.
    Rocm,
    /// Devices of other machines over the network.
    Rpc,
    /// Intel GPUs through oneAPI.
    Sycl,
    /// GPUs of any vendor through Vulkan.
    Vulkan,
}

impl Backend {
    /// Every backend, in the order of the flag set.
    pub const ALL: [Self; 8] = [
        Self::Blas,
        Self::Cuda,
        Self::Metal,
        Self::OpenCl,
        Self::Rocm,
        Self::Rpc,
        Self::Sycl,
        Self::Vulkan,
    ];

    /// The Cargo feature, which is also the name of the variant.
    #[must_use]
    pub fn feature(self) -> &'static str {
        match self {
            Self::Blas => "blas",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
            Self::OpenCl => "opencl",
            Self::Rocm => "rocm",
            Self::Rpc => "rpc",
            Self::Sycl => "sycl",
            Self::Vulkan => "vulkan",
        }
    }

    /// Upstream's CMake option.
    #[must_use]
    pub fn switch(self) -> &'static str {
        match self {
            Self::Blas => "GGML_BLAS",
            Self::Cuda => "GGML_CUDA",
            Self::Metal => "GGML_METAL",
            Self::OpenCl => "GGML_OPENCL",
            Self::Rocm => "GGML_HIP",
            Self::Rpc => "GGML_RPC",
            Self::Sycl => "GGML_SYCL",
            Self::Vulkan => "GGML_VULKAN",
        }
    }

    /// CMake target of the backend's library.
    #[must_use]
    pub fn library(self) -> &'static str {
        match self {
            Self::Blas => "ggml-blas",
            Self::Cuda => "ggml-cuda",
            Self::Metal => "ggml-metal",
            Self::OpenCl => "ggml-opencl",
            Self::Rocm => "ggml-hip",
            Self::Rpc => "ggml-rpc",
            Self::Sycl => "ggml-sycl",
            Self::Vulkan => "ggml-vulkan",
        }
    }

    /// Whether the vendor has anything to run on this target.
    #[must_use]
    pub fn exists_on(self, target: &Target) -> bool {
        match self {
            Self::Metal => target.is_apple(),
            Self::Cuda | Self::Rocm | Self::Sycl => matches!(target.os, Os::Linux | Os::Windows),
            Self::OpenCl => !target.is_apple(),
            Self::Vulkan => target.os != Os::Ios,
            Self::Blas | Self::Rpc => true,
        }
    }

    /// Whether upstream's own builds for this target have it without being asked: Metal on Apple
    /// silicon, Accelerate on macOS (`release.yml` of b11549, job `macOS-cpu`).
    #[must_use]
    pub fn is_default_on(self, target: &Target) -> bool {
        match self {
            Self::Metal => target.is_apple() && target.arch == "aarch64",
            Self::Blas => target.os == Os::MacOs,
            _ => false,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.feature())
    }
}
