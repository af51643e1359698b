//! What the workspace's own commands need besides what a build needs, as far as `cargo xtask doctor` lists it.

use std::path::PathBuf;

use llama_build::packages::Packages;
use llama_build::requirement::{Probe, Requirement};

/// The web page is tested in a real browser, which ChromeDriver drives.
pub fn chromium() -> Requirement {
    let packages = Packages([
        "chromium chromium-driver",
        "chromium chromedriver",
        "chromedriver",
        "chromium",
        "Chromium.ChromeDriver",
    ]);
    program("ChromeDriver", &["chromedriver"], "the test of the web UI", packages)
}

/// bindgen reads the headers with libclang and clang's own headers, which come with it. `cargo xtask fuzz` builds
/// with it and its sanitizers, which Debian, Fedora and Arch pack apart.
pub fn clang() -> Requirement {
    let packages = Packages([
        "clang libclang-rt-dev",
        "clang compiler-rt",
        "llvm",
        "clang compiler-rt",
        "LLVM.LLVM",
    ]);
    let used = "the declarations (`cargo xtask bindings`) and `cargo xtask fuzz`";
    program("clang", &["clang"], used, packages)
}

/// Debian's and Fedora's packages of Rust leave these two out.
pub fn rustfmt() -> Requirement {
    let packages = Packages(["rustfmt", "rustfmt", "rustup", "rustup", "Rustlang.Rustup"]);
    program("rustfmt", &["cargo-fmt"], "`cargo xtask check`", packages)
}

/// See [`rustfmt`].
pub fn clippy() -> Requirement {
    let packages = Packages(["rust-clippy", "clippy", "rustup", "rustup", "Rustlang.Rustup"]);
    program("clippy", &["cargo-clippy"], "`cargo xtask check`", packages)
}

/// Where programs are that root starts, which users often have not in their `PATH`.
fn system() -> Vec<(String, Option<PathBuf>)> {
    let folders = ["/usr/sbin", "/sbin"].into_iter().filter(|_| cfg!(target_os = "linux"));
    folders.map(|dir| (dir.to_owned(), Some(dir.into()))).collect()
}

/// A program of any version; `names` are what it may be called.
pub fn program(
    name: &'static str,
    names: &'static [&'static str],
    needed_for: &str,
    packages: Packages,
) -> Requirement {
    Requirement {
        name,
        needed_for: needed_for.into(),
        required: true,
        probe: Probe::Program { names, oldest: &[], places: system() },
        packages,
        hint: None,
    }
}
