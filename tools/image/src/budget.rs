//! How large an image may be: one table. Pure.

use product::manifest::Manifest;
use product::variant::{Variant, major_minor};

/// One row, in megabytes of 1,000,000 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget {
    /// What it is for.
    pub(super) of: &'static str,
    /// Of the files; none where only the registry's cost counts.
    pub(super) size: Option<f64>,
    /// Of the layers as a registry has them.
    pub(super) gzip: f64,
}

const CPU: Budget = row("cpu", Some(122.0), 48.0);
const CPU_MINIMAL: Budget = row("cpu minimal", Some(66.0), 25.0);
const VULKAN: Budget = row("vulkan", Some(380.0), 150.0);
const CUDA_12: Budget = row("cuda 12", Some(1250.0), 850.0);
const CUDA_13: Budget = row("cuda 13", Some(1000.0), 700.0);
const ROCM: Budget = row("rocm", None, 2400.0);
const ROCM_FAMILY: Budget = row("rocm, one family of GPUs", None, 1000.0);

const fn row(of: &'static str, size: Option<f64>, gzip: f64) -> Budget {
    Budget { of, size, gzip }
}

/// The budget of an image with this distribution in it. For GPUs an image without a shell has to keep
/// that of the one with it.
pub(super) fn budget(manifest: &Manifest, minimal: bool) -> Option<Budget> {
    let toolkit = manifest.toolkit.as_deref().and_then(|name| name.split(' ').nth(1));
    Some(match Variant::parse(&manifest.variant).ok()? {
        Variant::Cpu if minimal => CPU_MINIMAL,
        Variant::Cpu => CPU,
        Variant::Vulkan => VULKAN,
        Variant::Cuda if toolkit.and_then(major_minor) >= Some((13, 0)) => CUDA_13,
        Variant::Cuda => CUDA_12,
        Variant::Rocm if is_one_family(&manifest.gpu_architectures) => ROCM_FAMILY,
        Variant::Rocm => ROCM,
    })
}

/// Whether all of them are GPUs of one kind, as in `gfx1100 gfx1101`.
fn is_one_family(architectures: &[String]) -> bool {
    // The name without its last two characters: minor version and stepping.
    let family = |name: &String| name.get(..name.len().saturating_sub(2)).map(str::to_owned);
    let mut families = architectures.iter().map(family);
    let first = families.next();
    first.is_some() && families.all(|family| Some(family) == first)
}

impl Budget {
    /// What is too large, in words.
    pub(super) fn exceeded(&self, size: u64, gzip: u64) -> Vec<String> {
        let mut wrong = Vec::new();
        for (what, bytes, most) in
            [("uncompressed", size, self.size), ("gzip", gzip, Some(self.gzip))]
        {
            let megabytes = bytes as f64 / 1e6;
            if let Some(most) = most.filter(|most| megabytes > *most) {
                wrong.push(format!(
                    "{what}: {megabytes:.1} MB, over the budget of {most:.0} for {}",
                    self.of
                ));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        variant: &str,
        toolkit: &str,
        architectures: &str,
        minimal: bool,
    ) -> Option<&'static str> {
        let list: Vec<&str> = architectures.split_whitespace().collect();
        let json = serde_json::json!({
            "version": "v", "commit": "c", "timestamp": "t", "variant": variant, "branch": "b",
            "schema": 1, "source_date_epoch": 0, "target": "t", "flags": {}, "tools": {},
            "llama_cpp": {"tag": "b1", "build_number": 1, "version": "1", "tree": "t", "verified": true,
                "patches": []},
            "toolkit": toolkit, "gpu_architectures": list, "cpu_variants": [], "symbol_versions": {},
            "files": {},
        });
        budget(&serde_json::from_value(json).unwrap(), minimal).map(|budget| budget.of)
    }

    #[test]
    fn every_image_has_its_budget() {
        assert_eq!(of("cpu", "", "", false), Some("cpu"));
        assert_eq!(of("cpu", "", "", true), Some("cpu minimal"));
        assert_eq!(of("cuda", "cuda 12.8.93", "90", false), Some("cuda 12"));
        assert_eq!(of("cuda", "cuda 13.0.88", "90", true), Some("cuda 13"));
        assert_eq!(of("rocm", "rocm 6.4.4", "gfx90a gfx1100", false), Some("rocm"));
        assert_eq!(of("rocm", "rocm 6.4.4", "gfx1030 gfx1100", false), Some("rocm"));
        assert_eq!(
            of("rocm", "rocm 6.4.4", "gfx1100 gfx1101", false),
            Some("rocm, one family of GPUs")
        );
        assert_eq!(
            of("rocm", "rocm 6.4.4", "gfx908 gfx90a gfx942", false),
            Some("rocm, one family of GPUs")
        );
        assert_eq!(of("vulkan", "", "", false), Some("vulkan"));
        assert_eq!(of("metal", "", "", false), None);
    }

    #[test]
    fn what_is_over_budget_is_told() {
        assert!(CPU.exceeded(122_000_000, 48_000_000).is_empty());
        assert_eq!(
            CPU.exceeded(122_100_000, 48_060_000),
            [
                "uncompressed: 122.1 MB, over the budget of 122 for cpu",
                "gzip: 48.1 MB, over the budget of 48 for cpu"
            ]
        );
        assert!(ROCM.exceeded(90_000_000_000, 2_400_000_000).is_empty());
    }
}
