//! AMD's toolkit: the installed one, or Debian's in a root of its own; the libraries that a
//! distribution ships, and those of their kernels that it needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use llama_build::config::Toolkits;
use llama_src::Error;
use llama_src::sh::Cmd;

use super::closure::{VendorFile, VendorLibrary};
use super::{Toolkit, Vendor, installed, kernels, mismatch};
use product::variant::{Variant, major_minor};
use provision::debian::{self, Recipe, Root};
use workspace::screen::Screen;

pub(super) const VENDOR: Vendor = Vendor {
    variant: Variant::Rocm,
    find,
    find_for_cross: None,
    check_architectures: Some(check_architectures),
    libraries: Some(libraries),
};

/// The version that [`ROOT`] has; sid moves on, so it is looked at after the root is made. Releases have another
/// one, AMD's (`Variant::toolkits`).
const IN_SID: &str = "6.4";

/// ROCm from sid on the C library of the images: whatever is linked here runs there, and what else is
/// shipped (LLVM's libedit, for one) does too. gcc's run-time libraries come from sid because clang
/// insists; nothing is compiled with the headers that go with them, see [`gcc_folder`].
const ROOT: Recipe<'_> = Recipe {
    name: "rocm-6.4-root",
    variant: "minbase",
    foreign: None,
    packages: &[
        "ca-certificates",
        "cmake",
        "g++",
        "git",
        "hipcc",
        "libamdhip64-dev",
        "libhipblas-dev",
        "librocblas-dev",
        "libssl-dev",
        "ninja-build",
        "patchelf",
        "rocm-cmake",
        "rustc",
    ],
    from_sid: &[
        "hip*",
        "libhip*",
        "roc*",
        "libroc*",
        "libamd*",
        "libhsa*",
        "gcc-16-base",
        "libgcc-s1",
        "libstdc++6",
        "libgomp1",
        "libitm1",
        "libatomic1",
        "libasan8",
        "liblsan0",
        "libtsan2",
        "libubsan1",
        "libhwasan0",
        "libquadmath0",
        "libobjc4",
    ],
};

/// The toolkit of the version `wanted`.
///
/// # Errors
/// When there is none, or another one.
fn find(wanted: Option<&str>, setup: bool, screen: &mut Screen) -> Result<Toolkit> {
    let hipconfig = installed(Variant::Rocm, "ROCm (hipconfig)")?.map(|found| found.path);
    let there = match &hipconfig {
        Some(hipconfig) => {
            Some((version(&Cmd::new(hipconfig).arg("--version"))?, hipconfig.as_path()))
        }
        None => None,
    };
    let there = there.as_ref().map(|(version, path)| (version.as_str(), *path));
    let wrong = mismatch(Variant::Rocm, there, wanted);
    let in_sid = wanted.is_none_or(|wanted| major_minor(wanted) == major_minor(IN_SID));
    match (wrong, &hipconfig) {
        (None, Some(hipconfig)) => describe(hipconfig),
        _ if in_sid && (setup || debian::folder(&ROOT).is_some()) => {
            if wanted.is_none() {
                eprintln!("{}", instead());
            }
            let dir = debian::ensure(&ROOT, screen, is_expected)?;
            let version = major_minor(IN_SID).unwrap_or_default();
            // From outside, to see for which GPUs it has kernels.
            let search = vec![dir.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH))];
            let (name, root) = (format!("rocm {IN_SID}"), Some(Root { dir }));
            Ok(Toolkit { name, version, search, root, ..Toolkit::default() })
        }
        (wrong, _) => bail!(repair(wrong.unwrap_or_default(), wanted, in_sid)),
    }
}

/// Which toolkit is taken where none is named and none is installed, and why it is not that of the releases.
fn instead() -> Error {
    let releases = Variant::Rocm.toolkits().join(", ");
    Error::missing(format!(
        "no ROCm is installed: this build takes ROCm {IN_SID} from Debian's packages, and releases have {releases} \
         from AMD's image"
    ))
    .hint("for that one: cargo xtask image build rocm")
}

/// What a person can type when there is no such toolkit.
fn repair(wrong: String, wanted: Option<&str>, in_sid: bool) -> Error {
    if in_sid {
        let toolkit = wanted.map(|wanted| format!(" --toolkit {wanted}")).unwrap_or_default();
        return Error::missing(wrong)
            .hint(format!("cargo xtask dist --variant rocm{toolkit} --setup"));
    }
    let wanted = wanted
        .filter(|wanted| major_minor(wanted) >= Variant::Rocm.oldest_toolkit())
        .unwrap_or(IN_SID);
    Error::missing(wrong)
        .hint(format!("install it from AMD and name its folder: ROCM_PATH=/opt/rocm-{wanted}"))
        .hint(format!(
            "or build with the toolkit that --setup can install: --toolkit {IN_SID} --setup"
        ))
}

fn is_expected(root: &Path) -> Result<()> {
    let root = Root { dir: root.into() };
    let found = version(&root.enter(&[], &Cmd::new("hipconfig").arg("--version").dir("/"))?)?;
    if major_minor(&found) == major_minor(IN_SID) {
        return Ok(());
    }
    bail!(moved_on(&found))
}

fn moved_on(found: &str) -> Error {
    Error::mismatch(format!("Debian's ROCm is {found} by now, not {IN_SID}"))
        .hint("move IN_SID and the root's name in tools/distribution/src/toolkit/rocm.rs")
}

fn version(cmd: &Cmd) -> Result<String> {
    let text = cmd.read()?;
    let number = text.trim().split('-').next().unwrap_or_default();
    if major_minor(number).is_none() {
        bail!("{cmd} names no version: {}", text.trim());
    }
    Ok(number.to_owned())
}

fn describe(hipconfig: &Path) -> Result<Toolkit> {
    let version = version(&Cmd::new(hipconfig).arg("--version"))?;
    let root = PathBuf::from(Cmd::new(hipconfig).arg("-R").read()?.trim());
    let triple = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    let mut search = vec![root.join("lib"), root.join(&triple), Path::new("/usr").join(&triple)];
    search.dedup();
    let flags =
        gcc_folder().map(|dir| ("CMAKE_HIP_FLAGS".into(), format!("--gcc-install-dir={dir}")));
    Ok(Toolkit {
        name: format!("rocm {version}"),
        version: major_minor(&version).unwrap_or_default(),
        toolkits: Toolkits { rocm: Some(root), ..Toolkits::default() },
        cmake_args: flags.into_iter().collect(),
        loaded: loaded(&search),
        search,
        ..Toolkit::default()
    })
}

/// The folder of the C++ compiler's own gcc. ROCm's clang takes the headers of the newest gcc that it
/// sees, whose library the images may not have.
fn gcc_folder() -> Option<String> {
    let file = Cmd::new("c++").arg("-print-file-name=crtbegin.o").read().ok()?;
    let dir = Path::new(file.trim()).parent()?.to_string_lossy().into_owned();
    (!dir.is_empty()).then_some(dir)
}

/// The HIP runtime loads the code object manager by name, so nothing says that it needs it.
fn loaded(search: &[PathBuf]) -> Vec<String> {
    let names = search.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
    let soname = |name: &String| {
        let number = name.strip_prefix("libamd_comgr.so.").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    names
        .map(|item| item.file_name().to_string_lossy().into_owned())
        .filter(soname)
        .take(1)
        .collect()
}

/// Whether rocBLAS has kernels for `architectures`.
///
/// # Errors
/// Names those for which it has none, and those for which it has.
fn check_architectures(toolkit: &Toolkit, architectures: &str) -> Result<()> {
    let folder = toolkit.search.iter().map(|dir| dir.join("rocblas")).find(|dir| dir.is_dir());
    let folder = folder.context("this ROCm has no folder of rocBLAS' kernels")?;
    kernels::check(&files_below(&folder, "")?, &split(architectures))
}

/// `files` with the kernels that go with them, by the package that they come from.
///
/// # Errors
/// When no package is known to have a library, or it has no licence text.
fn libraries(
    _: &Toolkit,
    files: Vec<VendorFile>,
    architectures: &str,
) -> Result<Vec<VendorLibrary>> {
    let targets = split(architectures);
    let mut packages: BTreeMap<String, Vec<VendorFile>> = BTreeMap::new();
    for file in files {
        let owner = Cmd::new("dpkg").arg("-S").arg(&file.from).read()?;
        let package = owner.split(": ").next().unwrap_or_default().to_owned();
        let kernels = kernels_of(&file, &targets)?;
        packages.entry(package).or_default().extend([file].into_iter().chain(kernels));
    }
    packages.into_iter().map(|(package, files)| of_package(&package, files)).collect()
}

fn of_package(package: &str, files: Vec<VendorFile>) -> Result<VendorLibrary> {
    let words = "-f=${Package}\n${Version}\n${Maintainer}";
    let text = Cmd::new("dpkg-query").args(["-W", words, package]).read()?;
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let list = Cmd::new("dpkg").args(["-L", package]).read()?;
    let license_files = license_files(&list);
    if license_files.is_empty() {
        bail!("the package {package} has no licence text, so its files cannot be shipped");
    }
    Ok(VendorLibrary { name: next(), version: next(), supplier: next(), license_files, files })
}

fn license_files(list: &str) -> Vec<PathBuf> {
    let is_license = |path: &&str| {
        let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
        name == "copyright" || name.starts_with("license") || name.starts_with("notice")
    };
    list.lines().filter(is_license).map(PathBuf::from).collect()
}

/// rocBLAS and hipBLASLt look for their kernels below the folder in which they are.
fn kernels_of(library: &VendorFile, targets: &[&str]) -> Result<Vec<VendorFile>> {
    let name = ["rocblas", "hipblaslt"]
        .into_iter()
        .find(|name| library.to.starts_with(&format!("lib{name}.so")));
    let Some((name, dir)) = name.zip(library.from.parent()) else { return Ok(Vec::new()) };
    let mut files = files_below(&dir.join(name), "")?;
    files.retain(|path| kernels::belongs(path, targets));
    let ship = |path: String| {
        let to = format!("{name}/{path}");
        VendorFile { from: dir.join(&to), to }
    };
    Ok(files.into_iter().map(ship).collect())
}

/// Paths of the files below `dir`, sorted.
fn files_below(dir: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let items = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for item in items {
        let item = item?;
        let path = format!("{prefix}{}", item.file_name().to_string_lossy());
        if item.path().is_dir() {
            files.extend(files_below(&item.path(), &format!("{path}/"))?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn split(architectures: &str) -> Vec<&str> {
    architectures.split([';', ',']).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
#[path = "rocm_tests.rs"]
mod tests;
