//! What a target triple means for a CMake build.

use std::fmt;

use crate::packages::Packages;

/// Operating systems that the build tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux with glibc or musl.
    Linux,
    /// Android through the NDK.
    Android,
    /// macOS.
    MacOs,
    /// iOS devices and simulators.
    Ios,
    /// Windows with MSVC or MinGW.
    Windows,
    /// FreeBSD and whatever else has a C++ compiler and CMake.
    Other,
}

/// A target triple, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As given: `x86_64-unknown-linux-gnu`.
    pub triple: String,
    /// First part: `x86_64`, `aarch64`, `riscv64gc`, …
    pub arch: String,
    /// Operating system.
    pub os: Os,
    /// Last part after the system: `gnu`, `musl`, `msvc`, `sim`, or empty.
    pub env: String,
}

/// What builds for a processor on a machine with another one, for Linux: GNU's tools, and LLVM's where CMake takes them
/// too.
#[derive(Debug)]
pub(crate) struct CrossTools {
    arch: &'static str,
    pub(crate) linkers: [&'static str; 2],
    pub(crate) objcopies: [&'static str; 2],
    pub(crate) compiler: Packages,
    pub(crate) binutils: Packages,
}

const CROSS_TOOLS: [CrossTools; 2] = [
    CrossTools {
        arch: "aarch64",
        linkers: ["aarch64-linux-gnu-ld", "ld.lld"],
        objcopies: ["aarch64-linux-gnu-objcopy", "llvm-objcopy"],
        compiler: Packages([
            "g++-aarch64-linux-gnu",
            "gcc-c++-aarch64-linux-gnu",
            "",
            "aarch64-linux-gnu-gcc",
            "",
        ]),
        binutils: Packages([
            "binutils-aarch64-linux-gnu",
            "binutils-aarch64-linux-gnu",
            "",
            "aarch64-linux-gnu-binutils",
            "",
        ]),
    },
    CrossTools {
        arch: "x86_64",
        linkers: ["x86_64-linux-gnu-ld", "ld.lld"],
        objcopies: ["x86_64-linux-gnu-objcopy", "llvm-objcopy"],
        compiler: Packages(["g++-x86-64-linux-gnu", "gcc-c++-x86_64-linux-gnu", "", "", ""]),
        binutils: Packages(["binutils-x86-64-linux-gnu", "binutils-x86_64-linux-gnu", "", "", ""]),
    },
];

impl Target {
    /// Takes a triple apart; an unknown system becomes [`Os::Other`].
    #[must_use]
    pub fn parse(triple: &str) -> Self {
        let parts: Vec<&str> = triple.split('-').collect();
        let has = |word: &str| parts.iter().any(|part| part.starts_with(word));
        let os = if has("android") {
            Os::Android
        } else if has("linux") {
            Os::Linux
        } else if has("darwin") || has("macos") {
            Os::MacOs
        } else if has("ios") {
            Os::Ios
        } else if has("windows") {
            Os::Windows
        } else {
            Os::Other
        };
        let env = if parts.len() > 3 || os == Os::Android { parts[parts.len() - 1] } else { "" };
        Self { triple: triple.into(), arch: parts[0].into(), os, env: env.into() }
    }

    /// Whether this is macOS or iOS.
    #[must_use]
    pub fn is_apple(&self) -> bool {
        matches!(self.os, Os::MacOs | Os::Ios)
    }

    /// Whether Microsoft's compiler and ABI are used.
    #[must_use]
    pub fn is_msvc(&self) -> bool {
        self.env == "msvc"
    }

    /// Whether the C library is musl.
    #[must_use]
    pub fn is_musl(&self) -> bool {
        self.env.starts_with("musl")
    }

    /// What builds for its processor on another one; `None` where nobody has looked for it.
    pub(crate) fn cross_tools(&self) -> Option<&'static CrossTools> {
        let is_linux = self.os == Os::Linux;
        CROSS_TOOLS.iter().find(|tools| is_linux && tools.arch == self.arch)
    }

    /// CMake's name of the system, for cross builds.
    #[must_use]
    pub fn cmake_system(&self) -> &'static str {
        match self.os {
            Os::Linux => "Linux",
            Os::Android => "Android",
            Os::MacOs => "Darwin",
            Os::Ios => "iOS",
            Os::Windows => "Windows",
            Os::Other => "Generic",
        }
    }

    /// CMake's name of the processor, for cross builds.
    #[must_use]
    pub fn cmake_processor(&self) -> &str {
        match (self.arch.as_str(), self.os) {
            ("x86_64", Os::Windows) => "AMD64",
            ("aarch64", Os::Windows) => "ARM64",
            ("aarch64", Os::MacOs | Os::Ios) => "arm64",
            ("riscv64gc", _) => "riscv64",
            ("i586" | "i686", _) => "i686",
            (arch, _) => arch,
        }
    }

    /// Whether upstream builds one CPU library per instruction set here: [`ggml/src/CMakeLists.txt`
    /// of b11549](https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/CMakeLists.txt) ends in
    /// an error everywhere else.
    #[must_use]
    pub fn has_cpu_variants(&self) -> bool {
        match self.arch.as_str() {
            "x86_64" => true,
            "aarch64" => matches!(self.os, Os::Linux | Os::Android) || self.is_apple(),
            "powerpc64" | "powerpc64le" | "riscv64gc" | "s390x" => self.os == Os::Linux,
            _ => false,
        }
    }

    /// Whether one file can hold all of them: `inject.cmake` makes an object of each with a linker and an
    /// `objcopy` for ELF.
    #[must_use]
    pub fn embeds_cpu_variants(&self) -> bool {
        self.os == Os::Linux && matches!(self.arch.as_str(), "x86_64" | "aarch64")
    }

    /// Whether a program for this target can load libraries at run time.
    #[must_use]
    pub fn has_dynamic_loading(&self) -> bool {
        !matches!(self.os, Os::Ios | Os::Other) || self.triple.contains("freebsd")
    }

    /// File name of an executable.
    #[must_use]
    pub fn executable(&self, name: &str) -> String {
        if self.os == Os::Windows { format!("{name}.exe") } else { name.to_owned() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.triple)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_are_taken_apart() {
        let part = |triple: &str| {
            let target = Target::parse(triple);
            (target.arch, target.os, target.env)
        };
        let is = |arch: &str, os: Os, env: &str| (arch.to_owned(), os, env.to_owned());
        assert_eq!(part("x86_64-unknown-linux-gnu"), is("x86_64", Os::Linux, "gnu"));
        assert_eq!(part("riscv64gc-unknown-linux-musl"), is("riscv64gc", Os::Linux, "musl"));
        assert_eq!(part("aarch64-apple-darwin"), is("aarch64", Os::MacOs, ""));
        assert_eq!(part("aarch64-apple-ios-sim"), is("aarch64", Os::Ios, "sim"));
        assert_eq!(part("x86_64-pc-windows-msvc"), is("x86_64", Os::Windows, "msvc"));
        assert_eq!(part("aarch64-linux-android"), is("aarch64", Os::Android, "android"));
        assert_eq!(part("x86_64-unknown-freebsd"), is("x86_64", Os::Other, ""));
    }
}
