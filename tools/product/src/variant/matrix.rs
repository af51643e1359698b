//! The release matrix: one row for each variant, target and toolkit. The one table that `dist`, `verify`, CI and the
//! images read.

use serde::Serialize;

use super::{Variant, major_minor};
use crate::arch::Arch;

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
    #[serde(skip)]
    pub arch: &'static Arch,
}

impl Row {
    /// `cuda-12.8-amd64`.
    pub fn id(&self) -> String {
        let toolkit = self.toolkit.map(|version| format!("-{version}")).unwrap_or_default();
        format!("{}{toolkit}-{}", self.variant, self.arch.docker)
    }
}

/// Every distribution of a release.
pub fn matrix() -> Vec<Row> {
    let mut rows = Vec::new();
    for variant in Variant::ALL {
        let toolkits = variant.toolkits();
        for arch in variant.row().arches {
            if toolkits.is_empty() {
                rows.push(row(variant, arch, None));
            }
            rows.extend(toolkits.iter().map(|toolkit| row(variant, arch, Some(toolkit))));
        }
    }
    rows
}

fn row(variant: Variant, arch: &'static Arch, toolkit: Option<&'static str>) -> Row {
    let version = toolkit.and_then(major_minor);
    Row {
        variant,
        target: arch.target,
        toolkit,
        gpu_architectures: variant.gpu_architectures(version),
        minimum_driver: variant.minimum_driver(version),
        features: variant.features(),
        platform: arch.platform,
        default: toolkit == variant.toolkits().first().copied(),
        arch,
    }
}
