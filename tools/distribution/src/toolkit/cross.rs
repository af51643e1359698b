//! Builds for 64-bit Arm on x86-64: gcc 14 or newer, which knows every instruction set that llama.cpp
//! has a CPU variant for, the target's libraries, and Rust's standard library.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use llama_build::config::Compilers;
use llama_src::Error;
use llama_src::sh::Cmd;

use super::{Toolkit, vulkan};
use product::variant::{AARCH64, Variant, X86_64, major_minor};
use provision::debian::{self, Recipe, Root};
use workspace::screen::Screen;

/// The first gcc with SME, which two of the CPU variants are built for.
const OLDEST_GCC: u32 = 14;
const CC: &str = "aarch64-linux-gnu-gcc";
const CXX: &str = "aarch64-linux-gnu-g++";

/// A Debian whose cross compiler, libraries and rustc go together: tried with gcc 14.2 and rustc 1.85.1.
const ROOT: Recipe = Recipe {
    name: "arm64-root",
    variant: "minbase",
    foreign: Some("arm64"),
    packages: &[
        "ca-certificates",
        "cargo",
        "ccache",
        "cmake",
        "g++",
        "g++-aarch64-linux-gnu",
        "git",
        "glslc",
        "libgomp1:arm64",
        "libssl-dev:arm64",
        "libstd-rust-dev:arm64",
        "libvulkan-dev:arm64",
        "ninja-build",
        "qemu-user",
        "rustc",
        "spirv-headers",
    ],
    from_sid: &[],
};

/// The compilers for `target`.
///
/// # Errors
/// For other pairs of machines; without `setup`, what is missing on this one.
pub(super) fn find(
    variant: Variant,
    target: &str,
    host: &str,
    setup: bool,
    screen: &mut Screen,
) -> Result<Toolkit> {
    if (target, host) != (AARCH64, X86_64) || !variant.targets().contains(&target) {
        bail!(impossible(variant, target, host));
    }
    let missing = missing(&Found::look(variant, target));
    if missing.is_empty() {
        let (cc, cxx) = (Some(PathBuf::from(CC)), Some(PathBuf::from(CXX)));
        let compilers = Some(Compilers { cc, cxx, ..Compilers::default() });
        let own = match variant {
            Variant::Vulkan => vulkan::find_installed()?,
            _ => Toolkit::default(),
        };
        return Ok(Toolkit { compilers, ..own });
    }
    if !setup && debian::folder(&ROOT).is_none() {
        bail!(advice(variant, target, &missing));
    }
    let dir = debian::ensure(&ROOT, screen, |_| Ok(()))?;
    Ok(Toolkit { root: Some(Root { dir }), ..Toolkit::default() })
}

fn impossible(variant: Variant, target: &str, host: &str) -> Error {
    Error::usage(format!("no way is known to build the variant `{variant}` for {target} on {host}"))
        .hint(format!(
            "possible here: every variant for {host}; cpu and vulkan for {AARCH64} on {X86_64}"
        ))
}

/// What there is on this machine.
#[derive(Debug, Default)]
struct Found {
    /// Major version of the C++ compiler, as it says itself.
    gcc: Option<String>,
    /// Libraries that are not there.
    libraries: Vec<&'static str>,
    /// Whether rustc has a standard library for the target.
    std: bool,
}

impl Found {
    fn look(variant: Variant, target: &str) -> Self {
        let mut libraries = vec!["libssl.so", "libgomp.so"];
        if variant == Variant::Vulkan {
            libraries.push("libvulkan.so");
        }
        // gcc answers with the bare name when it does not know a place.
        let is_missing = |name: &&str| {
            let place = Cmd::new(CXX).arg(format!("-print-file-name={name}")).read();
            !place.is_ok_and(|place| place.contains('/'))
        };
        libraries.retain(is_missing);
        let rustc = Cmd::new("rustc").args(["--print", "target-libdir", "--target", target]);
        Self {
            gcc: Cmd::new(CXX).arg("-dumpfullversion").read().ok().map(|v| v.trim().to_owned()),
            libraries,
            std: rustc.read().is_ok_and(|dir| Path::new(dir.trim()).is_dir()),
        }
    }
}

/// One line for everything that is missing.
fn missing(found: &Found) -> Vec<String> {
    let mut missing = Vec::new();
    match found.gcc.as_deref() {
        None => missing.push(format!("no {CXX}")),
        Some(version) if major_minor(version).unwrap_or_default().0 < OLDEST_GCC => {
            missing.push(format!("{CXX} is too old: {version}, {OLDEST_GCC} is needed"));
        }
        Some(_) => {}
    }
    if found.gcc.is_some() {
        missing.extend(found.libraries.iter().map(|name| format!("no {name} for it")));
    }
    if !found.std {
        missing.push("rustc has no standard library for it".into());
    }
    missing
}

fn advice(variant: Variant, target: &str, missing: &[String]) -> Error {
    let missing = missing.join("\n  ");
    Error::missing(format!("{target} cannot be built for on this machine:\n  {missing}"))
        .hint(format!("cargo xtask dist --variant {variant} --target {target} --setup"))
        .hint(format!(
            "or on Debian 13: dpkg --add-architecture arm64 && apt-get update && apt-get install \
             g++-aarch64-linux-gnu libssl-dev:arm64 libgomp1:arm64 libvulkan-dev:arm64 && rustup \
             target add {target}"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_told_with_both_ways_out() {
        let found = Found { gcc: Some("12.2.0".into()), libraries: vec!["libssl.so"], std: false };
        assert_eq!(
            advice(Variant::Cpu, AARCH64, &missing(&found)).to_string(),
            "aarch64-unknown-linux-gnu cannot be built for on this machine:\n  \
             aarch64-linux-gnu-g++ is too old: 12.2.0, 14 is needed\n  \
             no libssl.so for it\n  \
             rustc has no standard library for it\n  \
             hint: cargo xtask dist --variant cpu --target aarch64-unknown-linux-gnu --setup\n  \
             hint: or on Debian 13: dpkg --add-architecture arm64 && apt-get update && apt-get install \
             g++-aarch64-linux-gnu libssl-dev:arm64 libgomp1:arm64 libvulkan-dev:arm64 && rustup target add \
             aarch64-unknown-linux-gnu"
        );
        assert_eq!(missing(&Found { std: true, ..Found::default() }), ["no aarch64-linux-gnu-g++"]);
        let found = Found { gcc: Some("14.2.0".into()), std: true, ..Found::default() };
        assert!(missing(&found).is_empty());
    }

    #[test]
    fn other_pairs_of_machines_are_told() {
        assert_eq!(
            impossible(Variant::Cuda, AARCH64, X86_64).to_string(),
            "no way is known to build the variant `cuda` for aarch64-unknown-linux-gnu on \
             x86_64-unknown-linux-gnu\n  hint: possible here: every variant for \
             x86_64-unknown-linux-gnu; cpu and vulkan for aarch64-unknown-linux-gnu on \
             x86_64-unknown-linux-gnu"
        );
    }
}
