//! What a build of a variant takes from outside llama.cpp: the vendor's compiler and libraries, or a
//! compiler for another machine. Found where it is installed; with `--setup`, installed.

mod closure;
mod cross;
mod cuda;
mod kernels;
mod rocm;
mod vulkan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use llama_build::config::{Compilers, Toolkits};
use llama_build::requirement;
use llama_build::requirement::Found;
use llama_build::toolchain;
use llama_src::Error;

use closure::VendorFile;
pub use closure::{Needed, VendorLibrary};
pub use provision::debian::Root;

use product::variant::{Variant, major_minor};
use workspace::cargo;
use workspace::install;
use workspace::screen::{self, Screen};

/// Everything that a build needs to be told.
#[derive(Debug, Default)]
pub struct Toolkit {
    /// For the manifest, such as `cuda 13.0.88`; empty where there is none.
    pub name: String,
    /// Major and minor number of that.
    pub version: (u32, u32),
    /// For `llama_build::Config`.
    pub toolkits: Toolkits,
    /// For `llama_build::Config`, when another machine is built for.
    pub compilers: Option<Compilers>,
    /// What CMake does not find by itself.
    pub cmake_args: Vec<(String, String)>,
    /// Folders of the vendor's libraries, the first one that has a library wins.
    pub search: Vec<PathBuf>,
    /// Libraries that the vendor's own load by name at run time.
    pub loaded: Vec<String>,
    /// The build has to run in there; what is in it is found by `find` in there.
    pub root: Option<Root>,
}

/// The code that knows a vendor's toolkit: one module for each.
struct Vendor {
    variant: Variant,
    /// Finds the toolkit of the version that is wanted; with `setup`, brings it.
    find: fn(Option<&str>, bool, &mut Screen) -> Result<Toolkit>,
    /// Finds what a build for another machine takes from this one.
    find_for_cross: Option<fn() -> Result<Toolkit>>,
    /// Whether architectures, as CMake takes them, can be built.
    check_architectures: Option<fn(&Toolkit, &str) -> Result<()>>,
    /// Describes the files of the vendor's that a distribution for these architectures ships.
    libraries: Option<Libraries>,
}

type Libraries = fn(&Toolkit, Vec<VendorFile>, &str) -> Result<Vec<VendorLibrary>>;

const VENDORS: [&Vendor; 3] = [&cuda::VENDOR, &rocm::VENDOR, &vulkan::VENDOR];

impl Toolkit {
    /// Major and minor number as they are written, where there is a toolkit.
    pub fn version(&self) -> Option<String> {
        let (major, minor) = self.version;
        (self.version != (0, 0)).then(|| format!("{major}.{minor}"))
    }
}

/// What a variant's build for `target` on this machine takes; `wanted` is the toolkit's version.
///
/// # Errors
/// When it is not there, or in another version, with the command that installs it.
pub fn find(
    variant: Variant,
    wanted: Option<&str>,
    target: &str,
    setup: bool,
    screen: &mut Screen,
) -> Result<Toolkit> {
    let host = cargo::host();
    if target != host {
        return cross::find(variant, target, &host, setup, screen);
    }
    match vendor(variant) {
        Some(vendor) => (vendor.find)(wanted, setup, screen),
        None => Ok(Toolkit::default()),
    }
}

/// The vendor of a variant's toolkit; `None` if the build finds what it needs on the system, and ships none of it.
fn vendor(variant: Variant) -> Option<&'static Vendor> {
    VENDORS.into_iter().find(|vendor| vendor.variant == variant)
}

/// `cargo xtask toolkit VARIANT [--setup]`, for commands that build with Cargo alone: where the toolkit is, by the
/// variables that tell a build of it, as JSON; `null` where there is none and none may be brought.
pub const WORD: &str = "toolkit";

/// See [`WORD`].
///
/// # Errors
/// When it may be brought and cannot be.
pub(crate) fn run(variant: Variant, setup: bool) -> Result<()> {
    let found = find(variant, None, &cargo::host(), setup, &mut Screen::new());
    let found = if setup { Some(found?) } else { found.ok() };
    let places = found.map(|found| {
        let Toolkits { cudacxx, cuda, vulkan, rocm: _ } = found.toolkits;
        let named = [("CUDACXX", cudacxx), ("CUDA_PATH", cuda), ("VULKAN_SDK", vulkan)];
        named.into_iter().filter_map(|(name, path)| Some((name, path?))).collect::<BTreeMap<_, _>>()
    });
    screen::print(serde_json::to_string(&places)?);
    Ok(())
}

/// Whether `architectures`, as CMake takes them, can be built with `toolkit`.
///
/// # Errors
/// Names those that cannot be, and what can.
pub fn check_architectures(variant: Variant, toolkit: &Toolkit, architectures: &str) -> Result<()> {
    match vendor(variant).and_then(|vendor| vendor.check_architectures) {
        Some(check) => check(toolkit, architectures),
        None => bail!(
            Error::usage(format!("`--arch` does not apply to the variant `{variant}`"))
                .hint("leave it out")
        ),
    }
}

/// What a distribution ships beside `backend`, the library that was built: what that needs and neither
/// the system nor the distribution (`own`) has. `needed` reads it from a file.
///
/// # Errors
/// When a library is missing, may not be shipped, or has no licence text.
pub fn libraries(
    variant: Variant,
    toolkit: &Toolkit,
    backend: &Path,
    own: &[&str],
    architectures: &str,
    needed: &Needed<'_>,
) -> Result<Vec<VendorLibrary>> {
    let mut start = needed(backend)?;
    start.extend(toolkit.loaded.iter().cloned());
    let allowed = [variant.allowed_needed(), own.to_vec()].concat();
    let name = backend.file_name().unwrap_or_default().to_string_lossy();
    let files = closure::find(&name, &start, &toolkit.search, &allowed, needed)?;
    match vendor(variant).and_then(|vendor| vendor.libraries) {
        Some(libraries) => libraries(toolkit, files, architectures),
        None if files.is_empty() => Ok(Vec::new()),
        None => {
            let names: Vec<&str> = files.iter().map(|file| file.to.as_str()).collect();
            bail!("{name} needs {}, which the variant `{variant}` does not ship", names.join(", "))
        }
    }
}

/// The program behind the row `name` of what a build with `variant` needs.
fn installed(variant: Variant, name: &str) -> Result<Option<Found>> {
    let config = install::config(&[variant.name().to_owned()])?;
    let row = requirement::all(&config).into_iter().find(|row| row.name == name);
    let row = row.expect("the caller names a row of llama-build's table");
    Ok(toolchain::find(row, &config).result.ok())
}

/// Why the version `there` does not do, in words that end in the command that repairs it.
fn mismatch(
    variant: Variant,
    there: Option<(&str, &Path)>,
    wanted: Option<&str>,
) -> Option<String> {
    let oldest = variant.oldest_toolkit().unwrap_or_default();
    let want = wanted.map(|wanted| format!(" {wanted}")).unwrap_or_default();
    let (major, minor) = oldest;
    if wanted.and_then(major_minor).is_some_and(|wanted| wanted < oldest) {
        return Some(format!(
            "the {variant} toolkit{want} is too old: {major}.{minor} is required"
        ));
    }
    let what = match there {
        None => format!("toolkit{want} for the variant `{variant}` not found"),
        Some((version, place)) => {
            let found = major_minor(version).unwrap_or_default();
            let place = place.display();
            if found < oldest {
                format!(
                    "the {variant} toolkit is too old: {place} is {version}, but {major}.{minor} \
                    is required"
                )
            } else if wanted.is_some_and(|wanted| major_minor(wanted) != Some(found)) {
                format!("found {variant} {version} at {place}, but{want} was requested")
            } else {
                return None;
            }
        }
    };
    Some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolkit_of_another_version_is_told_with_both_versions() {
        let nvcc = Path::new("/usr/bin/nvcc");
        let say = |version, wanted| {
            mismatch(Variant::Cuda, Some((version, nvcc)), wanted).unwrap_or_default()
        };
        assert_eq!(say("13.0.88", Some("13.0")), "");
        assert_eq!(say("12.8.93", None), "");
        assert_eq!(
            say("13.0.88", Some("12.8")),
            "found cuda 13.0.88 at /usr/bin/nvcc, but 12.8 was requested"
        );
        assert_eq!(
            say("11.8.89", None),
            "the cuda toolkit is too old: /usr/bin/nvcc is 11.8.89, but 12.4 is required"
        );
        assert_eq!(
            say("13.0.88", Some("11.8")),
            "the cuda toolkit 11.8 is too old: 12.4 is required"
        );
        assert_eq!(
            mismatch(Variant::Rocm, None, Some("6.4")).unwrap(),
            "toolkit 6.4 for the variant `rocm` not found"
        );
    }

    #[test]
    fn architectures_are_the_business_of_toolkits_that_have_them() {
        let error = check_architectures(Variant::Vulkan, &Toolkit::default(), "90").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`--arch` does not apply to the variant `vulkan`\n  hint: leave it out"
        );
    }
}
