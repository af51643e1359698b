//! The rows of a release, and what follows from them.

use super::*;

#[test]
fn a_release_has_a_row_for_each_target_and_toolkit() {
    let rows = matrix();
    let ids: Vec<String> = rows.iter().map(Row::id).collect();
    for id in ["cpu-amd64", "cpu-arm64", "cuda-12.8-amd64", "vulkan-arm64"] {
        assert_eq!(ids.iter().filter(|known| *known == id).count(), 1, "{id}: {ids:?}");
    }
    assert!(!ids.iter().any(|id| id.starts_with("cuda-12.4") || id.starts_with("rocm-6")));
    let cuda = rows.iter().find(|row| row.id() == "cuda-12.8-amd64").unwrap();
    let facts = (cuda.target, cuda.platform, cuda.minimum_driver, cuda.default);
    assert_eq!(facts, (X86_64, "linux/amd64", Some("550"), false));
    for variant in Variant::ALL {
        let own = rows.iter().filter(|row| row.variant == variant && row.default);
        assert_eq!(own.count(), variant.targets().len(), "{variant} has one default a target");
    }
}

#[test]
fn each_row_is_whole_and_its_toolkits_go_from_new_to_old() {
    for row in Variant::ALL.map(Variant::row) {
        assert!(!row.title.is_empty() && !row.arches.is_empty(), "{row:?}");
        assert_eq!(row.driver.is_some(), row.backend.is_some(), "{row:?}");
        let last = row.image.budgets.last().map(|budget| budget.applies);
        assert_eq!(last, Some(Applies::Always), "{row:?}");
        let numbers = row.toolkits.iter().map(|toolkit| toolkit.number());
        assert!(numbers.clone().rev().is_sorted(), "{:?}", numbers.collect::<Vec<_>>());
    }
}

#[test]
fn a_version_without_a_row_follows_the_newest_older_one() {
    let row = |version| Variant::Cuda.toolkit(Some(version)).unwrap().version;
    assert_eq!((row((12, 6)), row((12, 8)), row((11, 8))), ("12.4", "12.8", "12.4"));
    let newest = Variant::Cuda.row().toolkits[0].version;
    assert_eq!((row((99, 0)), Variant::Cuda.toolkit(None).unwrap().version), (newest, newest));
    assert!(Variant::Cpu.toolkit(None).is_none());
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
    let all = Variant::names(" ");
    assert_eq!(error, format!("unknown variant `metal`\n  hint: variants: {all} all"));
    assert_eq!(Variant::one_of([Variant::Cpu]), "cpu");
    assert_eq!(Variant::one_of([Variant::Cpu, Variant::Cuda, Variant::Rocm]), "cpu, cuda or rocm");
}

#[test]
fn versions_are_compared_by_their_first_two_numbers() {
    assert_eq!(major_minor("12.8.93"), Some((12, 8)));
    assert_eq!(major_minor("13"), Some((13, 0)));
    assert_eq!(major_minor("new"), None);
}
