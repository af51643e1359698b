//! Tests of `cuda.rs`: versions, architectures, what is shipped and what is said.

use super::*;

/// `nvcc --list-gpu-arch` of 13.0.88, shortened.
const POSSIBLE: &str = "compute_75\ncompute_90\ncompute_110\ncompute_103\ncompute_120\n";

#[test]
fn the_full_version_is_what_nvcc_calls_v() {
    let text = "Copyright (c) 2005-2025 NVIDIA Corporation\n\
                Cuda compilation tools, release 13.0, V13.0.88\nBuild cuda_13.0.r13.0/compiler.36_0";
    assert_eq!(full_version(text), Some("13.0.88"));
    assert_eq!(full_version("gcc 12"), None);
}

#[test]
fn an_architecture_that_nvcc_does_not_know_is_told_with_those_that_it_does() {
    for fine in ["90", "75-virtual;90-real", "90a-real;120a-real", "120f-virtual", "all-major"] {
        check("cuda 13.0.88", POSSIBLE, fine).unwrap();
    }
    assert_eq!(
        check("cuda 13.0.88", POSSIBLE, "61-virtual;90;native;sm_90").unwrap_err().to_string(),
        "cuda 13.0.88 cannot build for 61-virtual, native, sm_90\n  hint: use supported ones: \
        --arch '75;90;103;110;120'"
    );
}

#[test]
fn what_repairs_it_depends_on_what_can_be_installed() {
    let repair = |wanted, on_pypi| repair("none".to_owned(), wanted, on_pypi).to_string();
    assert_eq!(
        repair(Some("13.0"), true),
        "none\n  hint: cargo xtask dist --variant cuda --toolkit 13.0 --setup"
    );
    assert_eq!(repair(None, true), "none\n  hint: cargo xtask dist --variant cuda --setup");
    assert_eq!(
        repair(Some("12.8"), false),
        "none\n  hint: install it from NVIDIA and name its folder: CUDA_PATH=/usr/local/cuda-12.8\n  \
         hint: or build with a toolkit that --setup can install (13.0): --toolkit 13.0 --setup"
    );
}

fn toolkit(root: &Path) -> Toolkit {
    let toolkits = Toolkits { cuda: Some(root.into()), ..Toolkits::default() };
    Toolkit { toolkits, ..Toolkit::default() }
}

fn file(root: &Path, name: &str) -> VendorFile {
    VendorFile { from: root.join(name), to: name.into() }
}

#[cfg(unix)]
#[test]
fn the_shipped_libraries_are_described_as_nvidia_describes_them() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::write(root.join("EULA.txt"), "").unwrap();
    std::fs::write(root.join("version.json"), r#"{"libcublas": {"version": "12.8.4.1"}}"#).unwrap();
    std::fs::write(root.join("libcudart.so.12.8.90"), "").unwrap();
    product::files::symlink("libcudart.so.12.8.90", &root.join("libcudart.so.12")).unwrap();
    let names = ["libcublas.so.12", "libcublasLt.so.12", "libcudart.so.12"];
    let files = names.iter().map(|name| file(root, name)).collect();
    let libraries = libraries(&toolkit(root), files, "").unwrap();
    let told: Vec<_> = libraries
        .iter()
        .map(|library| (library.name.as_str(), library.version.as_str(), library.files.len()))
        .collect();
    assert_eq!(told, [("cublas", "12.8.4.1", 2), ("cudart", "12.8.90", 1)]);
    assert_eq!(libraries[0].license_files, [root.join("EULA.txt")]);
}

#[test]
fn nothing_else_and_nothing_without_a_licence_is_shipped() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let ship =
        |name: &str| libraries(&toolkit(root), vec![file(root, name)], "").unwrap_err().to_string();
    assert_eq!(
        ship("libcudart.so.13"),
        format!(
            "licence text of CUDA not found in {}, so its libraries cannot be shipped\n  looked \
            in: EULA.txt, licenses, LICENSE",
            root.display()
        )
    );
    std::fs::write(root.join("EULA.txt"), "").unwrap();
    assert_eq!(
        ship("libnccl.so.2"),
        "the CUDA backend needs libnccl.so.2, but only libcublas, libcublasLt, libcudart are shipped"
    );
}
