//! What the tools need besides what a build needs, and besides what `cargo xtask doctor` lists.

use llama_build::packages::Packages;
use llama_build::requirement::Requirement;
use workspace::requirements::program;
pub use workspace::requirements::{chromium, clang, clippy, rustfmt};

/// NVIDIA's toolkit is put together from wheels, which pip unpacks.
pub fn pip() -> Requirement {
    program(
        "pip",
        &["pip3", "pip"],
        "CUDA from NVIDIA's wheels (`--setup`)",
        Packages(["python3-pip", "python3-pip", "python", "python-pip", "Python.Python.3.12"]),
    )
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
