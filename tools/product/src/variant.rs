//! The variants of a release. Each is one row of `variant/rows.rs`, and everything that differs between variants is in
//! that row. Flags are not here: the build writes those.

mod matrix;
mod rows;
mod toolkit;

use std::fmt;

use anyhow::{Result, bail};
use llama_build::backend::Backend;
use llama_build::config::Overrides;
use llama_build::{Feature, Features};
use llama_src::Error;

use crate::arch::Arch;

pub use crate::arch::{AARCH64, X86_64};
pub use matrix::{Row, matrix};
pub use rows::Variant;
pub use toolkit::{Source, ToolkitRow, major_minor};

/// Everything that the tools know about a variant.
#[derive(Debug, Clone, Copy)]
pub struct VariantRow {
    pub variant: Variant,
    pub title: &'static str,
    /// The backend that it has besides the CPU's. Its feature is the variant's name.
    pub backend: Option<Backend>,
    /// What it runs on besides any CPU.
    pub devices: Option<&'static str>,
    pub arches: &'static [Arch],
    /// Toolkits, newest first; the first one that releases have is the default.
    pub toolkits: &'static [ToolkitRow],
    /// The code for GPUs, if a compiler for GPUs makes it.
    pub gpu_code: Option<GpuCode>,
    /// The vendor's libraries in a distribution; `*` if the build decides about names.
    pub vendor_files: &'static [&'static str],
    /// Whether the vendor's libraries need a run path before they find each other.
    pub sets_run_path: bool,
    /// Debian's package with a GPU made of software, on which tests run the variant.
    pub software_gpu: Option<&'static str>,
    /// Whether its backend does not register itself without a driver; the others do, and list no device.
    pub registers_with_driver: bool,
    /// How a person and a report find the GPU's driver.
    pub driver: Option<Driver>,
    /// The Dockerfile in upstream's `.devops`, without its ending.
    pub upstream_dockerfile: &'static str,
    /// Jobs of upstream's release workflow that build it: job, `build` of its matrix, our target.
    pub upstream_jobs: &'static [(&'static str, &'static str, &'static str)],
    pub image: Image,
}

/// Code that a compiler for GPUs makes, each piece for the architectures that it is told.
#[derive(Debug, Clone, Copy)]
pub struct GpuCode {
    /// Where the build takes the list of architectures from.
    pub architectures: fn(&mut Overrides) -> &mut Option<String>,
    /// The architecture of a build that is only tried.
    pub tried: &'static str,
    /// A small kernel in CMake's folder.
    pub kernel: &'static str,
    /// The section of it that has the code.
    pub section: &'static str,
}

/// What a variant's image has that those of the others do not.
#[derive(Debug, Clone, Copy)]
pub struct Image {
    /// Licence of the libraries of the GPU's vendor that are in it.
    pub license: Option<&'static str>,
    /// Debian's packages in the stage in which Cargo builds.
    pub toolchain_packages: &'static str,
    /// Debian's packages in the image.
    pub system_packages: &'static str,
    /// Folders of the toolkit's image that the build uses.
    pub toolkit_folders: &'static [&'static str],
    /// Variables; `{minimum_cuda}` is that of the toolkit.
    pub environment: &'static [(&'static str, &'static str)],
    /// How large it may be: the first row that applies counts.
    pub budgets: &'static [Budget],
}

/// How large an image may be, in megabytes of 1,000,000 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// What it is for.
    pub of: &'static str,
    pub applies: Applies,
    /// Of the files; none where only the registry's cost counts.
    pub size: Option<f64>,
    /// Of the layers as a registry has them.
    pub gzip: f64,
}

/// The images that a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    Always,
    /// Without a shell.
    Minimal,
    /// With this toolkit or a newer one.
    Since(&'static str),
    /// For GPUs of one kind, as in `gfx1100 gfx1101`.
    OneFamily,
}

/// How the driver of a GPU is found.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// What a person types where no GPU is seen; `{minimum_driver}` is the distribution's.
    pub hints: &'static [&'static str],
    /// The command that names it.
    pub command: &'static [&'static str],
    pub answer: Answer,
}

/// What a command says about the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Its first line follows these words.
    FirstLine(&'static str),
    /// Blocks of `key = value`, one for each GPU, as `vulkaninfo --summary` has them.
    VulkanSummary,
}

/// The packer of models, which is released too: its crate, its program, and what the names of its folders, archives
/// and images begin with.
pub const PACKER: &str = "gguf-packer";

impl Variant {
    /// Every variant.
    pub const ALL: [Self; rows::ROWS.len()] = {
        let mut all = [Self::Cpu; rows::ROWS.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = rows::ROWS[index].variant;
            assert!(all[index] as usize == index, "ROWS has another order than Variant");
            index += 1;
        }
        all
    };

    /// The variant called `name`.
    ///
    /// # Errors
    /// When there is none; the known ones are named.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|variant| variant.name() == name);
        match found {
            Some(variant) => Ok(variant),
            None => bail!(
                Error::usage(format!("no variant `{name}`"))
                    .hint(format!("variants: {} all", Self::names(" ")))
            ),
        }
    }

    /// The names of all variants.
    pub fn names(separator: &str) -> String {
        Self::ALL.map(Self::name).join(separator)
    }

    /// The names of some variants in a sentence: `cuda, rocm or vulkan`.
    pub fn one_of(variants: impl IntoIterator<Item = Self>) -> String {
        let names: Vec<&str> = variants.into_iter().map(Self::name).collect();
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!("{} or {last}", others.join(", "))
            }
            _ => names.concat(),
        }
    }

    /// The variants that have a GPU.
    pub fn with_gpu() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|variant| variant.backend().is_some())
    }

    /// Its row.
    pub fn row(self) -> &'static VariantRow {
        &rows::ROWS[self as usize]
    }

    /// Its name in commands, file names and images.
    pub fn name(self) -> &'static str {
        self.backend().map_or("cpu", Backend::feature)
    }

    /// The backend that it has besides the CPU's.
    pub fn backend(self) -> Option<Backend> {
        self.row().backend
    }

    /// Its image's own.
    pub fn image(self) -> &'static Image {
        &self.row().image
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
        let loaders = Arch::ALL.map(|arch| arch.loader.rsplit('/').next().unwrap_or_default());
        let drivers = self.driver_libraries().iter().copied();
        loaders.into_iter().chain(system).chain(drivers).collect()
    }

    /// Libraries of the GPU's driver or loader: they may be missing where the CPU alone is used.
    pub fn driver_libraries(self) -> &'static [&'static str] {
        self.backend().map_or(&[], |backend| backend.row().drivers)
    }

    /// Upstream's default GPU architectures for a toolkit. A release never compiles for whatever GPU the build machine
    /// has.
    pub fn gpu_architectures(self, toolkit: Option<(u32, u32)>) -> Vec<&'static str> {
        self.toolkit(toolkit).map(|row| row.gpu_architectures.to_vec()).unwrap_or_default()
    }

    /// The oldest driver for a toolkit.
    pub fn minimum_driver(self, toolkit: Option<(u32, u32)>) -> Option<&'static str> {
        self.toolkit(toolkit)?.minimum_driver
    }

    /// The row of a toolkit: the newest that is not newer, or else the oldest.
    pub fn toolkit(self, version: Option<(u32, u32)>) -> Option<&'static ToolkitRow> {
        let rows = self.row().toolkits;
        let fits = |row: &&ToolkitRow| version.is_none_or(|version| row.number() <= version);
        rows.iter().find(fits).or(rows.last())
    }

    /// The oldest toolkit that builds it.
    pub fn oldest_toolkit(self) -> Option<(u32, u32)> {
        self.row().toolkits.last().map(ToolkitRow::number)
    }

    /// Toolkits of the releases, the default first.
    pub fn toolkits(self) -> Vec<&'static str> {
        let released = self.row().toolkits.iter().filter(|row| row.release.is_some());
        released.map(|row| row.version).collect()
    }

    /// Targets of the releases.
    pub fn targets(self) -> Vec<&'static str> {
        self.row().arches.iter().map(|arch| arch.target).collect()
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[path = "variant_tests.rs"]
mod tests;
