//! Builds for other machines on x86-64: gcc 14 or newer, which knows every instruction set that llama.cpp
//! has a CPU variant for, the target's libraries, and Rust's standard library.

use std::path::Path;

use anyhow::{Result, bail};
use llama_build::config::Compilers;
use llama_src::Error;
use llama_src::sh::Cmd;

use super::{Toolkit, vendor};
use product::arch::Arch;
use product::variant::{Variant, X86_64, major_minor};
use provision::debian::{self, Recipe, Root};
use workspace::screen::Screen;

/// The first gcc with SME, which two of the CPU variants are built for.
const OLDEST_GCC: u32 = 14;

/// Packages of a Debian whose cross compiler, libraries and rustc go together: tried for arm64 with gcc 14.2 and rustc
/// 1.85.1.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "cargo",
    "ccache",
    "cmake",
    "g++",
    "g++-{gnu}",
    "git",
    "glslc",
    "libgomp1:{debian}",
    "libssl-dev:{debian}",
    "libstd-rust-dev:{debian}",
    "libvulkan-dev:{debian}",
    "ninja-build",
    "qemu-user",
    "rustc",
    "spirv-headers",
];

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
    let arch = variant.row().arches.iter().find(|arch| arch.target == target);
    let Some(arch) = arch.filter(|_| host == X86_64) else {
        bail!(impossible(variant, target, host));
    };
    let missing = missing(&Found::look(variant, arch), arch);
    if missing.is_empty() {
        let [cc, cxx] = ["gcc", "g++"].map(|name| Some(tool(arch, name).into()));
        let compilers = Some(Compilers { cc, cxx, ..Compilers::default() });
        let find = vendor(variant).and_then(|vendor| vendor.find_for_cross);
        let own = find.map_or_else(|| Ok(Toolkit::default()), |find| find())?;
        return Ok(Toolkit { compilers, ..own });
    }
    let dir = with_recipe(arch, |recipe| {
        if !setup && debian::folder(recipe).is_none() {
            bail!(advice(variant, arch, &missing));
        }
        debian::ensure(recipe, screen, |_| Ok(()))
    })?;
    Ok(Toolkit { root: Some(Root { dir }), ..Toolkit::default() })
}

/// GNU's tool that makes files for `arch`.
fn tool(arch: &Arch, name: &str) -> String {
    format!("{}-{name}", arch.gnu())
}

/// What `ask` says about the recipe of the Debian for `arch`.
fn with_recipe<T>(arch: &Arch, ask: impl FnOnce(&Recipe<'_>) -> T) -> T {
    let named = |name: &&str| name.replace("{gnu}", &arch.gnu()).replace("{debian}", arch.docker);
    let packages: Vec<String> = PACKAGES.iter().map(named).collect();
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    ask(&Recipe {
        name: &format!("{}-root", arch.docker),
        variant: "minbase",
        foreign: Some(arch.docker),
        packages: &packages,
        from_sid: &[],
    })
}

fn impossible(variant: Variant, target: &str, host: &str) -> Error {
    let others = Arch::ALL.into_iter().filter(|arch| arch.target != X86_64);
    let possible = others.map(|arch| {
        let all = Variant::ALL.into_iter().filter(|variant| variant.row().arches.contains(&arch));
        let names: Vec<&str> = all.map(Variant::name).collect();
        format!("; {} for {} on {X86_64}", names.join(" and "), arch.target)
    });
    Error::usage(format!("cannot build the variant `{variant}` for {target} on {host}"))
        .hint(format!("supported: every variant for {host}{}", possible.collect::<String>()))
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
    fn look(variant: Variant, arch: &Arch) -> Self {
        let mut libraries = vec!["libssl.so", "libgomp.so"];
        // A linker wants them without the number that programs want.
        libraries.extend(variant.driver_libraries().iter().map(|name| name.trim_end_matches(".1")));
        let cxx = tool(arch, "g++");
        // gcc answers with the bare name when it does not know a place.
        let is_missing = |name: &&str| {
            let place = Cmd::new(&cxx).arg(format!("-print-file-name={name}")).read();
            !place.is_ok_and(|place| place.contains('/'))
        };
        libraries.retain(is_missing);
        let rustc = Cmd::new("rustc").args(["--print", "target-libdir", "--target", arch.target]);
        Self {
            gcc: Cmd::new(&cxx).arg("-dumpfullversion").read().ok().map(|v| v.trim().to_owned()),
            libraries,
            std: rustc.read().is_ok_and(|dir| Path::new(dir.trim()).is_dir()),
        }
    }
}

/// One line for everything that is missing.
fn missing(found: &Found, arch: &Arch) -> Vec<String> {
    let (mut missing, cxx) = (Vec::new(), tool(arch, "g++"));
    match found.gcc.as_deref() {
        None => missing.push(format!("no {cxx}")),
        Some(version) if major_minor(version).unwrap_or_default().0 < OLDEST_GCC => {
            missing.push(format!("{cxx} is too old: {version}, but {OLDEST_GCC} is required"));
        }
        Some(_) => {}
    }
    if found.gcc.is_some() {
        missing.extend(found.libraries.iter().map(|name| format!("{name} not found for it")));
    }
    if !found.std {
        missing.push("Rust's standard library for it is not installed".into());
    }
    missing
}

fn advice(variant: Variant, arch: &Arch, missing: &[String]) -> Error {
    let (target, gnu, debian) = (arch.target, arch.gnu(), arch.docker);
    let missing = missing.join("\n  ");
    Error::missing(format!("cannot build for {target} on this machine:\n  {missing}"))
        .hint(format!("cargo xtask dist --variant {variant} --target {target} --setup"))
        .hint(format!(
            "or on Debian 13: dpkg --add-architecture {debian} && apt-get update && apt-get install \
             g++-{gnu} libssl-dev:{debian} libgomp1:{debian} libvulkan-dev:{debian} && rustup \
             target add {target}"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use product::variant::AARCH64;

    #[test]
    fn everything_that_is_missing_is_told_with_both_ways_out() {
        let found = Found { gcc: Some("12.2.0".into()), libraries: vec!["libssl.so"], std: false };
        assert_eq!(
            advice(Variant::Cpu, &Arch::AARCH64, &missing(&found, &Arch::AARCH64)).to_string(),
            "cannot build for aarch64-unknown-linux-gnu on this machine:\n  aarch64-linux-gnu-g++ \
            is too old: 12.2.0, but 14 is required\n  libssl.so not found for it\n  Rust's \
            standard library for it is not installed\n  hint: cargo xtask dist --variant cpu \
            --target aarch64-unknown-linux-gnu --setup\n  hint: or on Debian 13: dpkg \
            --add-architecture arm64 && apt-get update && apt-get install g++-aarch64-linux-gnu \
            libssl-dev:arm64 libgomp1:arm64 libvulkan-dev:arm64 && rustup target add \
            aarch64-unknown-linux-gnu"
        );
        let missing = |found: &Found| missing(found, &Arch::AARCH64);
        assert_eq!(missing(&Found { std: true, ..Found::default() }), ["no aarch64-linux-gnu-g++"]);
        let found = Found { gcc: Some("14.2.0".into()), std: true, ..Found::default() };
        assert!(missing(&found).is_empty());
    }

    #[test]
    fn other_pairs_of_machines_are_told() {
        let text = impossible(Variant::Cuda, AARCH64, X86_64).to_string();
        assert!(
            text.starts_with(
                "cannot build the variant `cuda` for aarch64-unknown-linux-gnu on \
                x86_64-unknown-linux-gnu\n  hint: supported: every variant for \
                x86_64-unknown-linux-gnu; cpu and vulkan for aarch64-unknown-linux-gnu on \
                x86_64-unknown-linux-gnu"
            ),
            "{text}"
        );
    }
}
