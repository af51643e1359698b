//! What the workspace's own commands need besides what a build needs.

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

/// NVIDIA's toolkit is put together from wheels, which pip unpacks.
pub fn pip() -> Requirement {
    program(
        "pip",
        &["pip3", "pip"],
        "CUDA from NVIDIA's wheels (`--setup`)",
        Packages(["python3-pip", "python3-pip", "python", "python-pip", "Python.Python.3.12"]),
    )
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

/// Finds an installed llama.cpp for the feature `system`.
pub fn pkg_config() -> Requirement {
    let packages = Packages(["pkg-config", "pkgconf", "pkgconf", "pkgconf", ""]);
    program("pkg-config", &["pkg-config", "pkgconf"], "the test of feature `system`", packages)
}

/// Makes the example package for Debian, which is tested on Debian and its kin.
pub fn debhelper() -> Requirement {
    let packages = Packages(["debhelper dpkg-dev", "", "", "", ""]);
    program("debhelper", &["dh"], "the test of the Debian package", packages)
}

/// Makes Debian roots for toolkits that this machine's system has not (`dist --setup`).
pub fn mmdebstrap() -> Requirement {
    let packages = Packages(["mmdebstrap debian-archive-keyring", "", "", "", ""]);
    program("mmdebstrap", &["mmdebstrap"], "a Debian root (`dist --setup`)", packages)
}

/// Tells mmdebstrap that this machine runs the programs of another.
pub fn arch_test() -> Requirement {
    let packages = Packages(["arch-test", "", "", "", ""]);
    program("arch-test", &["arch-test"], "the base of images for other processors", packages)
}

/// Starts containers.
pub fn runc() -> Requirement {
    let packages = Packages(["runc", "runc", "", "runc", ""]);
    program("runc", &["runc"], "the Docker engine", packages)
}

/// Connects containers to the network.
pub fn iptables() -> Requirement {
    let packages = Packages(["iptables", "iptables-nft", "", "iptables", ""]);
    program("iptables", &["iptables"], "the Docker engine", packages)
}

/// Lets the kernel start programs for other machines, in containers too.
pub fn qemu_binfmt() -> Requirement {
    let packages = Packages([
        "qemu-user-static binfmt-support",
        "qemu-user-static",
        "",
        "qemu-user-static-binfmt",
        "",
    ]);
    program("QEMU for images", &["update-binfmts"], "images for other processors", packages)
}

/// Runs programs as on older and on other machines.
pub fn qemu_user() -> Requirement {
    let packages = Packages(["qemu-user", "qemu-user", "", "qemu-user", ""]);
    program("QEMU", &["qemu-x86_64"], "the tests of distributions", packages)
}

/// A shell whose completions are tested.
pub fn zsh() -> Requirement {
    let packages = Packages(["zsh", "zsh", "zsh", "zsh", ""]);
    program("zsh", &["zsh"], "the test of completions", packages)
}

/// See [`zsh`].
pub fn fish() -> Requirement {
    let packages = Packages(["fish", "fish", "fish", "fish", ""]);
    program("fish", &["fish"], "the test of completions", packages)
}

/// Gives AMD's libraries the run path that a distribution needs.
pub fn patchelf() -> Requirement {
    let packages = Packages(["patchelf", "patchelf", "patchelf", "patchelf", ""]);
    program("patchelf", &["patchelf"], "ROCm distributions", packages)
}

/// A GPU made of software, for the Vulkan distribution, and a program that shows whether it is there.
pub fn lavapipe() -> Requirement {
    let packages = Packages([
        "mesa-vulkan-drivers vulkan-tools",
        "mesa-vulkan-drivers vulkan-tools",
        "",
        "vulkan-swrast vulkan-tools",
        "",
    ]);
    program("lavapipe", &["vulkaninfo"], "the tests of the Vulkan distribution", packages)
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

fn program(
    name: &'static str,
    names: &'static [&'static str],
    needed_for: &str,
    packages: Packages,
) -> Requirement {
    Requirement {
        name,
        needed_for: needed_for.into(),
        required: true,
        probe: Probe::Program { names, version: &["--version"], minimum: None, places: system() },
        packages,
        hint: None,
    }
}
