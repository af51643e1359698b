//! Whether an image is as small as its variant's row says. Pure.

use product::manifest::Manifest;
use product::variant::{Applies, Budget, Variant, major_minor};

/// The budget of an image with this distribution in it. For GPUs an image without a shell has to keep
/// that of the one with it.
pub(super) fn budget(manifest: &Manifest, minimal: bool) -> Option<&'static Budget> {
    let toolkit = manifest.toolkit.as_deref().and_then(|name| name.split(' ').nth(1));
    let toolkit = toolkit.and_then(major_minor);
    let applies = |budget: &&Budget| match budget.applies {
        Applies::Always => true,
        Applies::Minimal => minimal,
        Applies::Since(version) => toolkit >= major_minor(version),
        Applies::OneFamily => is_one_family(&manifest.gpu_architectures),
    };
    Variant::parse(&manifest.variant).ok()?.image().budgets.iter().find(applies)
}

/// Whether all of them are GPUs of one kind, as in `gfx1100 gfx1101`.
fn is_one_family(architectures: &[String]) -> bool {
    // The name without its last two characters: minor version and stepping.
    let family = |name: &String| name.get(..name.len().saturating_sub(2)).map(str::to_owned);
    let mut families = architectures.iter().map(family);
    let first = families.next();
    first.is_some() && families.all(|family| Some(family) == first)
}

/// What of an image is larger than `budget`, in words.
pub(super) fn exceeded(budget: &Budget, size: u64, gzip: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, bytes, most) in
        [("uncompressed", size, budget.size), ("gzip", gzip, Some(budget.gzip))]
    {
        let megabytes = bytes as f64 / 1e6;
        if let Some(most) = most.filter(|most| megabytes > *most) {
            let of = budget.of;
            wrong.push(format!("{what}: {megabytes:.1} MB, over the budget of {most:.0} for {of}"));
        }
    }
    wrong
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
        let of = |size, gzip| Budget { of: "cpu", applies: Applies::Always, size, gzip };
        let cpu = of(Some(122.0), 48.0);
        assert!(exceeded(&cpu, 122_000_000, 48_000_000).is_empty());
        assert_eq!(
            exceeded(&cpu, 122_100_000, 48_060_000),
            [
                "uncompressed: 122.1 MB, over the budget of 122 for cpu",
                "gzip: 48.1 MB, over the budget of 48 for cpu"
            ]
        );
        assert!(exceeded(&of(None, 2400.0), 90_000_000_000, 2_400_000_000).is_empty());
    }
}
