//! What is missing, and how it is told.

use super::*;

#[test]
fn versions_are_read_as_the_tools_print_them() {
    let version = |text: &str| version_in(text).unwrap_or_default();
    assert_eq!(version("cmake version 3.25.1\n\nCMake suite"), "3.25.1");
    assert_eq!(version("1.11.1\n"), "1.11.1");
    assert_eq!(version("gcc (Debian 12.2.0-14+deb12u1) 12.2.0"), "12.2.0");
    let nvcc = "nvcc: NVIDIA (R) Cuda compiler driver\nCopyright (c) 2005-2025 NVIDIA\n\
                Cuda compilation tools, release 13.0, V13.0.88";
    assert_eq!(version(nvcc), "13.0");
    assert_eq!(version("shaderc v2023.2 v2023.2"), "2023.2");
    assert_eq!(version("no numbers"), "");
    assert!(numbers("3.9") < (3, 19));
}

/// What is told of the compilers `cc` and `cxx` for `triple` where they are not there.
fn compilers(triple: &str, cc: &str, cxx: &str) -> String {
    let mut config = crate::tests::config(triple, "");
    config.compilers.cc = Some(cc.into());
    config.compilers.cxx = Some(cxx.into());
    let findings = inspect(&config);
    let compilers = findings.iter().filter(|f| f.requirement.name.ends_with("compiler"));
    let missing: Vec<&Finding> = compilers.filter(|f| f.result.is_err()).collect();
    if missing.is_empty() {
        String::new()
    } else {
        report(&missing, Some(Manager::Apt)).to_string()
    }
}

#[test]
fn a_named_compiler_is_what_is_looked_for() {
    let cargo = which::which("cargo").unwrap();
    let there = cargo.to_str().unwrap();
    assert_eq!(compilers("x86_64-unknown-linux-gnu", there, there), "");
    assert_eq!(
        compilers("x86_64-unknown-linux-gnu", "/no/such/cc", there),
        "C compiler not found (every build needs it)\n  looked in: $CC (/no/such/cc), PATH\n  \
         hint: set CC to a compiler that is there, or to nothing"
    );
    let arm = compilers("aarch64-unknown-linux-gnu", there, "no-aarch64-g++");
    assert_eq!(
        arm,
        "C++ compiler not found (every build needs it)\n  looked in: $CXX (no-aarch64-g++), PATH\n  \
         hint: install it: apt-get install g++-aarch64-linux-gnu\n  \
         hint: set CXX_aarch64_unknown_linux_gnu to its cross compiler"
    );
    let musl = compilers("x86_64-unknown-linux-musl", there, "no-musl-g++");
    assert!(
        musl.ends_with(
            "hint: Debian's musl-tools compiles no C++: build on Alpine, or set \
         CXX_x86_64_unknown_linux_musl to a C++ compiler for musl"
        ),
        "{musl}"
    );
}

#[test]
fn a_compiler_that_is_too_old_is_not_installed_again() {
    let config = crate::tests::config("x86_64-unknown-linux-gnu", "cuda");
    let rows = requirement::all(&config).into_iter();
    let [requirement] =
        rows.filter(|row| row.name.contains("nvcc")).collect::<Vec<_>>().try_into().unwrap();
    let too_old = Some("/usr/bin/nvcc is 11.5, 11.7 is needed".to_owned());
    let finding = Finding { requirement, result: Err(Missing { too_old, looked_in: vec![] }) };
    let text = report(&[&finding], Some(Manager::Apt)).to_string();
    assert!(
        !text.contains("apt-get") && text.contains("\n  hint: NVIDIA's own packages are newer"),
        "{text}"
    );
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let config = crate::tests::config("x86_64-unknown-linux-gnu", "cuda tls server");
    let findings: Vec<Finding> = requirement::all(&config)
        .into_iter()
        .filter(|row| ["cmake", "CUDA compiler (nvcc)", "OpenSSL"].contains(&row.name))
        .map(|requirement| {
            let places = match &requirement.probe {
                Probe::Program { places, .. } => places.iter().map(|p| p.0.clone()).collect(),
                Probe::Header(name) => vec![format!("headers of `cc` ({name})")],
                Probe::VulkanHeader(_) => unreachable!("nobody asked for it"),
            };
            Finding { requirement, result: Err(Missing { too_old: None, looked_in: places }) }
        })
        .collect();
    let findings: Vec<&Finding> = findings.iter().collect();
    let text = report(&findings, Some(Manager::Apt)).to_string();
    let golden = "\
cmake not found (every build needs it)
  hint: install it: apt-get install cmake
OpenSSL not found (feature `tls` needs it)
  looked in: headers of `cc` (openssl/ssl.h)
  hint: install it: apt-get install libssl-dev
  hint: or build without the feature `tls`
CUDA compiler (nvcc) not found (feature `cuda` needs it)
  looked in: $CUDACXX, $CUDA_PATH, /usr/local/cuda/bin
  hint: install it: apt-get install nvidia-cuda-toolkit
  hint: NVIDIA's own packages are newer than most systems': https://developer.nvidia.com/cuda-downloads; in a clone of this repository: cargo xtask setup --features cuda
  hint: or build without the feature `cuda`
3 tools are missing
  hint: install them all: apt-get install cmake libssl-dev nvidia-cuda-toolkit";
    assert_eq!(text, golden);
    let text = report(&findings[..1], None).to_string();
    assert_eq!(
        text,
        "cmake not found (every build needs it)\n  hint: install it: apt-get install cmake | dnf install cmake | \
         brew install cmake | pacman -S cmake | winget install Kitware.CMake"
    );
}
