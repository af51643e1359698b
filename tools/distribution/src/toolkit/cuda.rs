//! NVIDIA's toolkit: the installed one, or the one that `--setup` puts together; the architectures that
//! its compiler knows; the three libraries that a distribution ships.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_build::config::Toolkits;
use llama_src::Error;
use llama_src::sh::Cmd;

use super::closure::{VendorFile, VendorLibrary};
use super::{Toolkit, Vendor, installed, mismatch};
use product::variant::{Variant, major_minor};
use provision::assembly;
use provision::wheels::{RELEASES, Release};
use workspace::screen::Screen;

pub(super) const VENDOR: Vendor = Vendor {
    variant: Variant::Cuda,
    find,
    find_for_cross: None,
    check_architectures: Some(check_architectures),
    libraries: Some(libraries),
};

/// A library that is shipped, and its part in NVIDIA's `version.json`.
const LIBRARIES: &[(&str, &str)] =
    &[("libcublas", "libcublas"), ("libcublasLt", "libcublas"), ("libcudart", "cuda_cudart")];

/// The toolkit of the version `wanted`.
///
/// # Errors
/// When there is none, or another one.
fn find(wanted: Option<&str>, setup: bool, screen: &mut Screen) -> Result<Toolkit> {
    let nvcc = installed(Variant::Cuda, "CUDA compiler (nvcc)")?.map(|found| found.path);
    let there = match &nvcc {
        Some(nvcc) => Some((version(nvcc)?, nvcc.as_path())),
        None => None,
    };
    let there = there.as_ref().map(|(version, nvcc)| (version.as_str(), *nvcc));
    let wrong = mismatch(Variant::Cuda, there, wanted);
    let nvcc = match (wrong, Release::of(wanted), nvcc) {
        (None, _, Some(nvcc)) => nvcc,
        (_, Some(release), _) if setup || assembly::folder(release).is_some() => {
            assembly::ensure(release, screen)?.join("bin/nvcc")
        }
        (wrong, release, _) => {
            bail!(repair(wrong.unwrap_or_default(), wanted, release.is_some()))
        }
    };
    describe(&nvcc)
}

/// What a person can type when there is no such toolkit.
fn repair(wrong: String, wanted: Option<&str>, on_pypi: bool) -> Error {
    if on_pypi {
        let toolkit = wanted.map(|wanted| format!(" --toolkit {wanted}")).unwrap_or_default();
        return Error::missing(wrong)
            .hint(format!("cargo xtask dist --variant cuda{toolkit} --setup"));
    }
    let known: Vec<String> = RELEASES
        .iter()
        .filter_map(|r| major_minor(r.version))
        .map(|(a, b)| format!("{a}.{b}"))
        .collect();
    let wanted = wanted
        .filter(|wanted| major_minor(wanted) >= Variant::Cuda.oldest_toolkit())
        .unwrap_or("12.8");
    Error::missing(wrong)
        .hint(format!(
            "install it from NVIDIA and name its folder: CUDA_PATH=/usr/local/cuda-{wanted}"
        ))
        .hint(format!(
            "or build with a toolkit that --setup can install ({}): --toolkit {} --setup",
            known.join(", "),
            known.last().map_or("", String::as_str)
        ))
}

fn describe(nvcc: &Path) -> Result<Toolkit> {
    let nvcc = nvcc.canonicalize().with_context(|| format!("no {}", nvcc.display()))?;
    let version = version(&nvcc)?;
    let root = nvcc
        .parent()
        .and_then(Path::parent)
        .context("nvcc is not in the bin folder of a toolkit")?;
    let arch = std::env::consts::ARCH;
    let folders =
        ["lib64".into(), format!("targets/{arch}-linux/lib"), format!("lib/{arch}-linux-gnu")];
    let mut search: Vec<PathBuf> = folders.iter().map(|dir| root.join(dir)).collect();
    // Debian's own packages have the libraries among the system's.
    search.push(format!("/usr/lib/{arch}-linux-gnu").into());
    Ok(Toolkit {
        name: format!("cuda {version}"),
        version: major_minor(&version).unwrap_or_default(),
        toolkits: Toolkits {
            cudacxx: Some(nvcc.clone()),
            cuda: Some(root.into()),
            ..Toolkits::default()
        },
        search,
        ..Toolkit::default()
    })
}

fn version(nvcc: &Path) -> Result<String> {
    let text = Cmd::new(nvcc).arg("--version").read()?;
    let version = full_version(&text).map(str::to_owned);
    version.with_context(|| format!("{} --version printed no version", nvcc.display()))
}

/// `13.0.88` of `Cuda compilation tools, release 13.0, V13.0.88`.
fn full_version(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(", V")?;
    rest.split_whitespace().next()
}

/// Whether `architectures` can be built with `toolkit`.
///
/// # Errors
/// Names those that cannot be, and what can.
fn check_architectures(toolkit: &Toolkit, architectures: &str) -> Result<()> {
    let nvcc = toolkit.toolkits.cudacxx.as_ref().context("a CUDA toolkit has a compiler")?;
    let text = Cmd::new(nvcc).arg("--list-gpu-arch").read()?;
    check(&toolkit.name, &text, architectures)
}

fn check(name: &str, possible: &str, architectures: &str) -> Result<()> {
    let mut known: Vec<u32> = possible
        .lines()
        .filter_map(|line| line.trim().strip_prefix("compute_")?.parse().ok())
        .collect();
    known.sort_unstable();
    let number = |word: &str| {
        let word = word.strip_suffix("-real").or(word.strip_suffix("-virtual")).unwrap_or(word);
        word.strip_suffix(['a', 'f']).unwrap_or(word).parse::<u32>().ok()
    };
    let is_wrong = |word: &&str| {
        !["all", "all-major"].contains(word) && !number(word).is_some_and(|n| known.contains(&n))
    };
    let wrong: Vec<&str> =
        architectures.split([';', ',']).filter(|word| !word.is_empty()).filter(is_wrong).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(u32::to_string).collect();
    bail!(
        Error::usage(format!("{name} cannot build for {}", wrong.join(", ")))
            .hint(format!("use supported ones: --arch '{}'", known.join(";")))
    )
}

/// What is known of the libraries that are shipped.
///
/// # Errors
/// When the backend needs another one than the three that may be shipped, or has no licence.
fn libraries(toolkit: &Toolkit, files: Vec<VendorFile>, _: &str) -> Result<Vec<VendorLibrary>> {
    let root = toolkit.toolkits.cuda.as_ref().context("a CUDA toolkit has a folder")?;
    let text = std::fs::read_to_string(root.join("version.json")).unwrap_or_default();
    let license_files = licenses(root)?;
    let mut libraries: Vec<VendorLibrary> = Vec::new();
    for file in files {
        let stem = file.to.split(".so").next().unwrap_or_default();
        let Some((_, part)) = LIBRARIES.iter().find(|(library, _)| *library == stem) else {
            let names: Vec<&str> = LIBRARIES.iter().map(|(library, _)| *library).collect();
            bail!("the CUDA backend needs {}, but only {} are shipped", file.to, names.join(", "));
        };
        let name = part.trim_start_matches("lib").trim_start_matches("cuda_");
        if let Some(known) = libraries.iter_mut().find(|library| library.name == name) {
            known.files.push(file);
            continue;
        }
        libraries.push(VendorLibrary {
            name: name.into(),
            version: part_version(&text, part, &file.from)?,
            supplier: "NVIDIA Corporation".into(),
            license_files: license_files.clone(),
            files: vec![file],
        });
    }
    Ok(libraries)
}

/// From NVIDIA's `version.json`, or else from the name of the file behind the link.
fn part_version(text: &str, part: &str, library: &Path) -> Result<String> {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(version) = json[part]["version"].as_str() {
        return Ok(version.to_owned());
    }
    let real = library.canonicalize()?;
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version = name.split_once(".so.").map(|(_, version)| version.to_owned());
    version.with_context(|| format!("cannot find the version of {}", library.display()))
}

/// One text is enough: all parts are under NVIDIA's one licence.
fn licenses(root: &Path) -> Result<Vec<PathBuf>> {
    let places = ["EULA.txt", "licenses", "LICENSE"];
    for place in places.map(|place| root.join(place)) {
        if place.is_file() {
            return Ok(vec![place]);
        }
        if let Ok(items) = std::fs::read_dir(&place) {
            let shipped = ["nvidia_cublas-", "nvidia_cuda_runtime-"];
            let mut texts: Vec<PathBuf> = items.flatten().map(|item| item.path()).collect();
            texts.retain(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                shipped.iter().any(|start| name.starts_with(start))
            });
            texts.sort();
            return Ok(texts);
        }
    }
    bail!(
        "licence text of CUDA not found in {}, so its libraries cannot be shipped\n  looked in: {}",
        root.display(),
        places.join(", ")
    )
}

#[cfg(test)]
#[path = "cuda_tests.rs"]
mod tests;
