//! The GPU architectures of our release matrix are upstream's defaults.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::Error;

use product::variant::Variant;

const CUDA: &str = "ggml/src/ggml-cuda/CMakeLists.txt";
const ROCM: &str = ".devops/rocm.Dockerfile";

/// What upstream's files in `tree` say and we do not, or the other way round.
pub(super) fn drift(tree: &Path) -> Result<Vec<String>> {
    let read = |file: &str| {
        fs::read_to_string(tree.join(file)).with_context(|| {
            Error::missing(format!("cannot read {file} of llama.cpp"))
                .hint("cargo xtask vendor --force")
        })
    };
    // Each toolkit has some of upstream's.
    let cuda: Vec<&[&str]> =
        Variant::Cuda.row().toolkits.iter().map(|row| row.gpu_architectures).collect();
    let rocm = Variant::Rocm.gpu_architectures(None);
    let mut wrong = differences(CUDA, &in_cmake(&read(CUDA)?), cuda.concat());
    wrong.extend(differences(ROCM, &in_dockerfile(&read(ROCM)?), rocm));
    Ok(wrong)
}

fn differences(file: &str, official: &BTreeSet<String>, ours: Vec<&str>) -> Vec<String> {
    let ours: BTreeSet<String> = ours.into_iter().map(str::to_owned).collect();
    let missing = official
        .difference(&ours)
        .map(|name| format!("{file} has {name}, variant/rows.rs does not"));
    let more = ours
        .difference(official)
        .map(|name| format!("variant/rows.rs has {name}, {file} does not"));
    missing.chain(more).collect()
}

/// Words of `list(APPEND CMAKE_CUDA_ARCHITECTURES …)`.
fn in_cmake(text: &str) -> BTreeSet<String> {
    let lists = text.lines().filter_map(|line| {
        line.trim().strip_prefix("list(APPEND CMAKE_CUDA_ARCHITECTURES ")?.strip_suffix(')')
    });
    lists.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The list in `ARG ROCM_DOCKER_ARCH='…'`.
fn in_dockerfile(text: &str) -> BTreeSet<String> {
    let list = text.lines().find_map(|line| line.trim().strip_prefix("ARG ROCM_DOCKER_ARCH="));
    let list = list.unwrap_or_default().trim_matches(['\'', '"']);
    list.split(';').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_lists_are_read() {
        let cmake =
            "  list(APPEND CMAKE_CUDA_ARCHITECTURES 86-real 89-real)\n# 90\nlist(APPEND X 1)";
        let words: Vec<String> = in_cmake(cmake).into_iter().collect();
        assert_eq!(words, ["86-real", "89-real"]);
        let words = in_dockerfile("ARG ROCM_VERSION=7\nARG ROCM_DOCKER_ARCH='gfx908;gfx90a'\n");
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["gfx908", "gfx90a"]);
    }

    #[test]
    fn both_sides_of_a_difference_are_told() {
        let official = ["90", "100"].map(str::to_owned).into();
        assert_eq!(
            differences("f", &official, vec!["90", "80"]),
            ["f has 100, variant/rows.rs does not", "variant/rows.rs has 80, f does not"]
        );
    }
}
