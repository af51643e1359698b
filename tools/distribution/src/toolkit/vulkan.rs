//! Vulkan's headers and shader compiler: the system's when they are new enough, or else those of
//! Debian's packages, unpacked into a folder that looks like a Vulkan SDK. The loader alone is needed at
//! run time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use llama_build::Config;
use llama_build::backend::OLDEST_VULKAN;
use llama_build::config::Toolkits;
use llama_build::toolchain;
use llama_src::Error;
use llama_src::sh::Cmd;

use super::{Toolkit, Vendor};
use product::files;
use product::variant::Variant;
use provision::debian::{self, Recipe};
use provision::stub;
use workspace::install;
use workspace::screen::Screen;

pub(super) const VENDOR: Vendor = Vendor {
    variant: Variant::Vulkan,
    find,
    find_for_cross: Some(find_installed),
    check_architectures: None,
    libraries: None,
};

/// The oldest that was tried and has the shaders for matrix units and integer dot products; with Debian
/// 12's 2023.2 those are silently left out, and every newer GPU is slower for it.
const OLDEST_GLSLC: [u32; 3] = [2025, 2, 0];

/// The files of Debian's packages, with the C library that the shader compiler needs.
const SDK: Recipe<'_> = Recipe {
    name: "vulkan-trixie",
    variant: "extract",
    foreign: None,
    packages: &["glslc", "libvulkan-dev", "spirv-headers"],
    from_sid: &[],
};

/// The shader compiler's own file in the SDK.
const GLSLC: &str = "bin/glslc";

/// What stands there: starts the compiler with the C library that it was built for, and keeps what it
/// made, by the shader, all that the shader can include, and the options: 1,500 files of ggml's.
const START_GLSLC: &str = r#"#!/bin/sh
sdk=${0%/*}/..
compile() {
    "$sdk/usr/lib64/ld-linux-x86-64.so.2" \
        --library-path "$sdk/usr/lib/x86_64-linux-gnu" "$sdk/usr/bin/glslc" "$@"
}
last= shader= output= options= plain=
for word; do
    case $last,$word in
        -o,*) output=$word ;;
        *,-o) ;;
        *,*.comp) shader=$word ;;
        *,-[EIM]*) plain=yes ;;
        *) options="$options $word" ;;
    esac
    last=$word
done
if [ "$plain" ] || [ ! -f "$shader" ] || [ "${output:--}" = - ]; then
    compile "$@"
    exit
fi
case $shader in */*) ;; *) shader=./$shader ;; esac
sum=$(cd "${shader%/*}" && { echo "${shader##*/}$options" && sha256sum *.comp *.glsl; } 2>/dev/null | sha256sum)
kept=$sdk/kept/${sum%% *}
if [ ! -f "$kept" ]; then
    compile "$@" || exit
    # Where nothing can be kept, it is compiled again.
    { { [ -d "$sdk/kept" ] || mkdir -p "$sdk/kept"; } && cp "$output" "$kept.$$" && mv "$kept.$$" "$kept"; } 2>/dev/null || :
    exit 0
fi
cp "$kept" "$output"
"#;

/// What there is on this machine.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Found {
    headers: Option<[u32; 3]>,
    glslc: Option<[u32; 3]>,
    spirv: bool,
}

/// The headers and the shader compiler.
///
/// # Errors
/// When they are missing or too old, and `setup` is not set or fails.
fn find(_: Option<&str>, setup: bool, screen: &mut Screen) -> Result<Toolkit> {
    let mut config = install::config(&["vulkan".into()])?;
    let found = look(&config);
    let missing = missing(&found);
    if missing.is_empty() {
        return Ok(describe(&found, None));
    }
    if debian::folder(&SDK).is_none() && !setup {
        bail!(advice(&missing));
    }
    if setup && apt_has_them() {
        install::ensure(&config, &[], true)?;
        let found = look(&config);
        if self::missing(&found).is_empty() {
            return Ok(describe(&found, None));
        }
    }
    let arch = std::env::consts::ARCH;
    if arch != "x86_64" {
        let why = format!("the folder that --setup makes is for x86_64, not for {arch}");
        bail!(advice(&missing).log([why]));
    }
    let sdk = debian::ensure(&SDK, screen, arrange)?;
    start_glslc(&sdk)?;
    config.toolkits.vulkan = Some(sdk.clone());
    Ok(describe(&look(&config), Some(sdk)))
}

/// The system's own, which know the other machines that Debian can be installed for.
///
/// # Errors
/// When they are missing or too old.
fn find_installed() -> Result<Toolkit> {
    let found = look(&install::config(&["vulkan".into()])?);
    let missing = missing(&found);
    if missing.is_empty() { Ok(describe(&found, None)) } else { bail!(advice(&missing)) }
}

fn describe(found: &Found, sdk: Option<PathBuf>) -> Toolkit {
    let [major, minor, patch] = found.headers.unwrap_or_default();
    Toolkit {
        name: format!("vulkan {major}.{minor}.{patch}"),
        version: (major, minor),
        toolkits: Toolkits { vulkan: sdk, ..Toolkits::default() },
        ..Toolkit::default()
    }
}

fn look(config: &Config) -> Found {
    let mut found = Found { spirv: true, ..Found::default() };
    for finding in toolchain::inspect(config) {
        let version = match &finding.result {
            Ok(found) => Some(&found.version),
            Err(missing) => missing.too_old.as_ref(),
        };
        let version = version.and_then(|version| numbers(version));
        match finding.requirement.name {
            "Vulkan headers" => found.headers = version,
            "glslc" => found.glslc = version,
            "SPIR-V headers" => found.spirv = finding.result.is_ok(),
            _ => {}
        }
    }
    found
}

/// `[2025, 2, 0]` of `2025.2-1`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let mut parts = version[..end].split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next().flatten().unwrap_or_default()])
}

/// One line for everything that is missing or too old.
fn missing(found: &Found) -> Vec<String> {
    let mut missing = Vec::new();
    let mut require = |what: &str, there: Option<[u32; 3]>, oldest: [u32; 3]| match there {
        None => missing.push(format!("no {what}")),
        Some(there) if there < oldest => {
            missing.push(format!(
                "{what} too old: {}, but {} is required",
                text(there),
                text(oldest)
            ));
        }
        Some(_) => {}
    };
    require("Vulkan headers", found.headers, OLDEST_VULKAN);
    require("glslc", found.glslc, OLDEST_GLSLC);
    if !found.spirv {
        missing.push("SPIR-V headers not found".into());
    }
    missing
}

fn text(version: [u32; 3]) -> String {
    version.map(|number| number.to_string()).join(".")
}

fn advice(missing: &[String]) -> Error {
    let missing = missing.join("\n  ");
    Error::missing(format!("the variant `vulkan` cannot be built on this machine:\n  {missing}"))
        .hint("cargo xtask dist --variant vulkan --setup")
}

/// Whether the system's own packages are new enough; where the lists are empty, they are not known to be.
fn apt_has_them() -> bool {
    let policy =
        Cmd::new("apt-cache").args(["policy", "libvulkan-dev", "glslc"]).env("LC_ALL", "C");
    policy.read().is_ok_and(|text| suffices(&text))
}

fn suffices(policy: &str) -> bool {
    let candidates: Vec<[u32; 3]> = policy
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter_map(numbers)
        .collect();
    matches!(candidates[..], [headers, glslc] if headers >= OLDEST_VULKAN && glslc >= OLDEST_GLSLC)
}

/// Gives unpacked packages the shape of an SDK; what is of no use in one goes.
fn arrange(root: &Path) -> Result<()> {
    for item in fs::read_dir(root)? {
        let item = item?;
        match item.file_type()?.is_dir() {
            _ if item.file_name() == "usr" => {}
            true => fs::remove_dir_all(item.path())?,
            false => fs::remove_file(item.path())?,
        }
    }
    for (link, to) in [("include", "usr/include"), ("share", "usr/share")] {
        files::symlink(to, &root.join(link))?;
    }
    for dir in ["bin", "lib"] {
        fs::create_dir(root.join(dir))?;
    }
    // Debian's own needs a newer C library than this machine may have; at run time it is the system's.
    let header = root.join("include/vulkan/vulkan_core.h");
    stub::make(&header, "vk", "libvulkan.so.1", &root.join("lib/libvulkan.so"))?;
    start_glslc(root)
}

/// Writes [`START_GLSLC`], also into a folder of an older version's.
fn start_glslc(sdk: &Path) -> Result<()> {
    let glslc = sdk.join(GLSLC);
    if fs::read_to_string(&glslc).is_ok_and(|text| text == START_GLSLC) {
        return Ok(());
    }
    // Another clone's build may be starting it.
    let new = tempfile::NamedTempFile::new_in(sdk)?.into_temp_path();
    fs::write(&new, START_GLSLC)?;
    files::set_mode(&new, 0o755)?;
    Ok(new.persist(&glslc)?)
}

#[cfg(test)]
#[path = "vulkan_tests.rs"]
mod tests;
