//! The processors that releases are for: one row each, with every name that somebody has for it.

/// A processor, on Linux with glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// Target triple.
    pub target: &'static str,
    /// The name in the kernel, in QEMU's programs, and in the names of GNU's tools.
    pub name: &'static str,
    /// Docker's name, which is Debian's too.
    pub docker: &'static str,
    /// Docker's name of the platform.
    pub platform: &'static str,
    /// `e_machine` of its ELF files.
    pub machine: u16,
    /// The program that loads libraries, without the `/` before it.
    pub loader: &'static str,
    /// GitHub's machine that has it.
    pub runner: &'static str,
}

/// 64-bit x86, any such machine.
pub const X86_64: &str = "x86_64-unknown-linux-gnu";
/// 64-bit Arm, any such machine.
pub const AARCH64: &str = "aarch64-unknown-linux-gnu";

impl Arch {
    /// Every one. [`Self::X86_64`] builds for the others.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::AARCH64];

    pub const X86_64: Self = Self {
        target: X86_64,
        name: "x86_64",
        docker: "amd64",
        platform: "linux/amd64",
        machine: 62,
        loader: "lib64/ld-linux-x86-64.so.2",
        runner: "ubuntu-24.04",
    };

    pub const AARCH64: Self = Self {
        target: AARCH64,
        name: "aarch64",
        docker: "arm64",
        platform: "linux/arm64",
        machine: 183,
        loader: "lib/ld-linux-aarch64.so.1",
        runner: "ubuntu-24.04-arm",
    };

    /// That of a target triple.
    pub fn of(target: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.target == target)
    }

    /// The name of the processor of a target triple, also of one that no release is for.
    pub fn name_of(target: &str) -> &str {
        let first = || target.split('-').next().unwrap_or_default();
        Self::of(target).map_or_else(first, |arch| arch.name)
    }

    /// The one with this `e_machine`.
    pub fn of_machine(machine: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.machine == machine)
    }

    /// What the names of GNU's tools begin with.
    pub fn gnu(&self) -> String {
        format!("{}-linux-gnu", self.name)
    }
}
