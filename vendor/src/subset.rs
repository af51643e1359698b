//! Which part of the tree our builds read. One list for the published crate (`include` in `Cargo.toml`,
//! compared by a test) and for the copy that is built, so that both are the same.

/// Files and folders that are needed; those of Python are the converter in `gguf-packer`. Where a path is under several
/// parts of both lists, the deepest wins.
pub const KEPT: &[&str] = &[
    "AUTHORS",
    "CMakeLists.txt",
    "LICENSE",
    "cmake",
    "common",
    "conversion",
    "convert_hf_to_gguf.py",
    "convert_lora_to_gguf.py",
    "ggml",
    "gguf-py/gguf",
    "include",
    "licenses",
    "models/templates",
    "requirements/requirements-convert_hf_to_gguf.txt",
    "requirements/requirements-convert_legacy_llama.txt",
    "scripts/ui-assets.cmake",
    "src",
    "tools",
    "tools/ui/CMakeLists.txt",
    "tools/ui/dist",
    "tools/ui/sources.cmake",
    "tools/ui/ui.cpp.in",
    "tools/ui/ui.h.in",
    "vendor",
];

/// Parts of those that are not: backends without a Cargo feature, tests, benchmarks, and the source of
/// the web UI, which is built elsewhere (`ui.rs`).
pub const DROPPED: &[&str] = &[
    "ggml/src/ggml-cann",
    "ggml/src/ggml-cuda/template-instances/generate_cu_files.py",
    "ggml/src/ggml-et",
    "ggml/src/ggml-hexagon",
    "ggml/src/ggml-musa",
    "ggml/src/ggml-openvino",
    "ggml/src/ggml-virtgpu",
    "ggml/src/ggml-webgpu",
    "ggml/src/ggml-zdnn",
    "ggml/src/ggml-zendnn",
    "gguf-py/gguf/scripts",
    "tools/gguf-split/tests.sh",
    "tools/mtmd/legacy-models",
    "tools/mtmd/test-1.jpeg",
    "tools/mtmd/test-2.mp3",
    "tools/mtmd/test-3.mp4",
    "tools/mtmd/tests",
    "tools/mtmd/tests.sh",
    "tools/server/bench",
    "tools/server/tests",
    "tools/ui",
];

/// True if the file at `path` is needed, or, with a trailing `/`, if a folder can hold such files.
#[must_use]
pub fn keeps(path: &str) -> bool {
    let name = path.trim_end_matches('/');
    let deepest = |parts: &[&str]| {
        parts
            .iter()
            .filter(|part| under(name, part))
            .map(|part| part.len())
            .max()
            .unwrap_or_default()
    };
    let above = path.ends_with('/') && KEPT.iter().any(|part| part.starts_with(path));
    above || deepest(KEPT) > deepest(DROPPED)
}

fn under(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_the_way_to_a_needed_file_are_entered() {
        for path in ["scripts/", "scripts/ui-assets.cmake", "ggml/src/", "ggml/src/ggml.c", "src/"]
        {
            assert!(keeps(path), "{path}");
        }
        assert!(
            keeps("tools/ui/") && keeps("tools/ui/ui.h.in") && keeps("tools/ui/dist/index.html")
        );
        for path in
            ["tools/ui/package.json", "tools/ui/src/", "tools/ui/node_modules/x", "tools/ui"]
        {
            assert!(!keeps(path), "{path}");
        }
        for path in
            ["scripts/hf.sh", "ggml/src/ggml-cann/", "ggml/src/ggml-cann/x.cpp", "docs/", "srcs"]
        {
            assert!(!keeps(path), "{path}");
        }
        assert!(keeps("ggml/src/ggml-canny.c"), "a part is a path, not a prefix of a name");
    }

    #[test]
    fn the_package_carries_the_same_part() {
        let manifest: toml::Table = include_str!("../Cargo.toml").parse().unwrap();
        let include: Vec<String> = manifest["package"]["include"].clone().try_into().unwrap();
        let tree: Vec<&String> = include.iter().filter(|p| p.contains("/llama.cpp/")).collect();
        let kept = KEPT.iter().map(|part| format!("/llama.cpp/{part}"));
        let dropped = DROPPED.iter().map(|part| format!("!/llama.cpp/{part}"));
        let expected: Vec<String> = kept.chain(dropped).collect();
        assert_eq!(
            tree,
            expected.iter().collect::<Vec<_>>(),
            "copy subset.rs to Cargo.toml's include"
        );
    }
}
