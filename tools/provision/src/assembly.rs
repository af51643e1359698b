//! Puts a CUDA toolkit together from NVIDIA's wheels, in the shape of NVIDIA's own installer, so that
//! CMake takes it for one. Made aside and renamed: a folder with the final name is complete.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use llama_src::place::Staging;
use llama_src::sh::Cmd;

use crate::stub;
use crate::wheels::Release;
use product::files;
use product::requirements;
use workspace::cargo;
use workspace::install;
use workspace::screen::Screen;

/// The folder of `release`, when it is there.
pub fn folder(release: &Release) -> Option<PathBuf> {
    let name = format!("cuda-{}", release.version);
    Some(cargo::toolkits().join(name)).filter(|dir| dir.is_dir())
}

/// The folder of `release`, made if it is not there yet.
///
/// # Errors
/// When a wheel cannot be had or is another one than the pinned.
pub fn ensure(release: &Release, screen: &mut Screen) -> Result<PathBuf> {
    let toolkits = cargo::toolkits();
    let name = format!("cuda-{}", release.version);
    let dir = toolkits.join(&name);
    if let Some(dir) = folder(release) {
        return Ok(dir);
    }
    let arch = std::env::consts::ARCH;
    ensure!(arch == "x86_64", "the pinned wheels of CUDA are for x86_64, not for {arch}");
    install::ensure_only(&[requirements::pip()], true)?;
    screen.step(&format!("assembling CUDA {} from NVIDIA's wheels", release.version));
    let lock = cargo::lock(&toolkits, &mut |news| screen.news(news))?;
    if dir.is_dir() {
        return Ok(dir);
    }
    let staging = Staging::new(&lock, &name)?;
    let tree = fill(&staging, release, screen)?;
    Cmd::new("sync").arg("--file-system").arg(&tree).run()?;
    staging.rename(&tree, &dir)?;
    Ok(dir)
}

fn fill(staging: &Staging, release: &Release, screen: &mut Screen) -> Result<PathBuf> {
    let wheels = staging.dir().join("wheels");
    unpack(staging, release, &wheels, screen)?;
    let tree = wheels.join(release.folder);
    fs::write(tree.join("version.json"), versions(release))?;
    gather_licenses(&wheels, &tree.join("licenses"))?;
    link_libraries(&tree.join("lib"))?;
    files::symlink("lib", &tree.join("lib64"))?;
    // It belongs to the driver, which a machine that builds need not have.
    let driver = tree.join("lib/stubs");
    fs::create_dir(&driver)?;
    stub::make(&tree.join("include/cuda.h"), "cu", "libcuda.so.1", &driver.join("libcuda.so"))?;
    Ok(tree)
}

fn unpack(staging: &Staging, release: &Release, to: &Path, screen: &mut Screen) -> Result<()> {
    let list = staging.dir().join("requirements.txt");
    fs::write(&list, release.requirements())?;
    // It ends with this process, so that it never writes where the next one does.
    let pip = Cmd::new("setpriv")
        .args(["--pdeathsig", "KILL", "python3", "-m", "pip", "install"])
        .args(["--no-deps", "--require-hashes", "--only-binary=:all:"])
        .args(["--no-compile", "--no-cache-dir", "--no-input", "--disable-pip-version-check"])
        .args(["--progress-bar", "off", "--target"])
        .arg(to)
        .arg("-r")
        .arg(&list);
    let log = cargo::toolkits().join("pip.log");
    Ok(pip.run_logged(&log, |line| screen.show(line.trim()))?)
}

/// The file that tells versions in NVIDIA's own installations.
fn versions(release: &Release) -> String {
    let mut parts = BTreeMap::new();
    let whole = [("cuda", release.version)];
    for (part, version) in
        whole.into_iter().chain(release.wheels.iter().map(|wheel| (wheel.part, wheel.version)))
    {
        parts.insert(part, BTreeMap::from([("version", version)]));
    }
    serde_json::to_string_pretty(&parts).expect("names and versions") + "\n"
}

/// `nvidia_cublas-13.1.0.3.dist-info/licenses/License.txt` → `nvidia_cublas-13.1.0.3.txt`.
fn gather_licenses(wheels: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for item in fs::read_dir(wheels)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        if let Some(wheel) = name.strip_suffix(".dist-info") {
            fs::copy(item.path().join("licenses/License.txt"), to.join(format!("{wheel}.txt")))
                .with_context(|| format!("no licence text found in the wheel {wheel}"))?;
        }
    }
    Ok(())
}

/// `libcublas.so` → `libcublas.so.13`: the names that linkers ask for.
fn link_libraries(dir: &Path) -> Result<()> {
    for item in fs::read_dir(dir)? {
        let name = item?.file_name().to_string_lossy().into_owned();
        if let Some((stem, _)) = name.split_once(".so.") {
            files::symlink(&name, &dir.join(format!("{stem}.so")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_get_the_names_that_linkers_ask_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("libcublas.so.13"), "").unwrap();
        fs::write(dir.path().join("libcudart_static.a"), "").unwrap();
        link_libraries(dir.path()).unwrap();
        let link = fs::read_link(dir.path().join("libcublas.so")).unwrap();
        assert_eq!(link, Path::new("libcublas.so.13"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn versions_are_told_as_nvidia_tells_them() {
        let text = versions(Release::of(Some("13.0")).unwrap());
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["cuda"]["version"], "13.0.2");
        assert_eq!(json["libcublas"]["version"], "13.1.0.3");
    }

    #[test]
    fn licences_are_gathered_by_the_wheels_names() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("nvidia_cublas-13.1.dist-info/licenses/License.txt");
        fs::create_dir_all(text.parent().unwrap()).unwrap();
        fs::write(&text, "EULA").unwrap();
        gather_licenses(dir.path(), &dir.path().join("licenses")).unwrap();
        let read = fs::read_to_string(dir.path().join("licenses/nvidia_cublas-13.1.txt")).unwrap();
        assert_eq!(read, "EULA");
        fs::create_dir(dir.path().join("other-1.dist-info")).unwrap();
        let error = gather_licenses(dir.path(), &dir.path().join("again")).unwrap_err();
        assert_eq!(error.to_string(), "no licence text found in the wheel other-1");
    }
}
