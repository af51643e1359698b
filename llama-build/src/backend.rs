//! The ggml backends that a feature can switch on. Each is one row of `backend/rows.rs`, and everything that
//! differs between backends is in that row.

mod rows;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::given::{Overrides, Toolkits};
use crate::packages::Packages;
use crate::target::Target;

pub use rows::{OLDEST_VULKAN, ROWS};

/// A ggml backend besides the CPU, which is always there. The order is that of [`ROWS`].
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

/// Everything that the build and its tools know about a backend.
#[derive(Debug, Clone, Copy)]
pub struct BackendRow {
    /// Which backend.
    pub backend: Backend,
    /// The Cargo feature, which is also the name of the variant.
    pub feature: &'static str,
    /// What the feature's documentation says.
    pub help: &'static str,
    /// Upstream's CMake option.
    pub switch: &'static str,
    /// CMake target of the backend's library.
    pub library: &'static str,
    /// What the backend calls itself in `ggml_backend_reg_name`.
    pub registered: &'static str,
    /// What it needs on the machine that builds.
    pub needs: &'static [Need],
    /// CMake definitions besides the switch, in the order of the flag set; `None` leaves one out.
    pub definitions: &'static [(&'static str, Value)],
    /// Variables that CMake's own modules read, and the folder that each names.
    pub environment: &'static [(&'static str, Folder)],
    /// Libraries of the GPU's driver or loader: they are missing where no such GPU is, and no distribution has them.
    pub drivers: &'static [&'static str],
    /// Whether a compiler for GPUs builds it, which takes more memory than a C++ compiler.
    pub gpu_compiler: bool,
    /// Whether the vendor has anything to run on this target.
    pub exists_on: fn(&Target) -> bool,
    /// Whether upstream's own builds for this target have it without being asked.
    pub default_on: fn(&Target) -> bool,
}

/// What a definition is set to.
pub type Value = fn(&Target, &Overrides) -> Option<String>;

/// A folder that the user may have named.
pub type Folder = fn(&Toolkits) -> Option<&Path>;

/// One thing that a backend needs on the machine that builds.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// What a person calls it.
    pub name: &'static str,
    /// How to find it.
    pub probe: NeedProbe,
    /// Which package has it.
    pub packages: Packages,
    /// What to do where no package has it.
    pub hint: Option<&'static str>,
    /// Whether a build for this target with these toolkits needs it.
    pub applies: fn(&Target, &Toolkits) -> bool,
}

/// How to find what a backend needs.
#[derive(Debug, Clone, Copy)]
pub enum NeedProbe {
    /// A program of this name and version, in `places` first and then in `PATH`.
    Program {
        /// Its name.
        name: &'static str,
        /// The oldest that works.
        minimum: Option<(u32, u32)>,
        /// Label and folder of each place; a folder that nobody named is `None`.
        places: &'static [(&'static str, Place)],
    },
    /// A header that the C compiler finds.
    Header(&'static str),
    /// `vulkan/vulkan.h` of this version or a newer one.
    VulkanHeader([u32; 3]),
}

/// A folder in which a program may be.
pub type Place = fn(&Toolkits) -> Option<PathBuf>;

impl Backend {
    /// Every backend, in the order of the flag set.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.backend)
    }

    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static BackendRow {
        &ROWS[self as usize]
    }

    /// The Cargo feature, which is also the name of the variant.
    #[must_use]
    pub fn feature(self) -> &'static str {
        self.row().feature
    }

    /// CMake target of the backend's library.
    #[must_use]
    pub fn library(self) -> &'static str {
        self.row().library
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.feature())
    }
}
