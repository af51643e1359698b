//! The rows of a release, and what follows from them.

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
