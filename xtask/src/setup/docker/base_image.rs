//! The Debian that our images stand on, put together from Debian's packages where Docker Hub is out of
//! reach. Like the one there it has no documentation, manual pages and translations.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::place::{Lock, Staging};
use llama_src::sh::Cmd;

use crate::screen::Screen;
use crate::{cargo, requirements, setup};

/// Its name; a build is told with `--base-image`.
const NAME: &str = "debian:trixie-slim";
const SUITE: &str = "trixie";
/// Debian's names of the platforms, which are Docker's too.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// As on Docker Hub, and for whatever is installed on top.
const SLIM: &[&str] = &[
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
];
const APT: &[&str] = &[
    "APT::Install-Recommends \"false\"",
    "Acquire::Check-Valid-Until \"false\"",
    "Dir::Cache::pkgcache \"\"",
    "Dir::Cache::srcpkgcache \"\"",
];

/// Its two platforms from their files.
const DOCKERFILE: &str = "FROM scratch\nARG TARGETARCH\nADD $TARGETARCH.tar /\nCMD [\"bash\"]\n";

/// Makes sure that images can be built: from Docker Hub's Debian, or from one that is made here.
///
/// # Errors
/// When it cannot be made.
pub(super) fn ensure(yes: bool, screen: &mut Screen) -> Result<()> {
    let docker = |words: &[&str]| Cmd::new("docker").args(words).read().is_ok();
    if docker(&["image", "inspect", NAME]) || docker(&["pull", "--quiet", NAME]) {
        return Ok(());
    }
    screen.step(&format!("Docker Hub is out of reach: making {NAME} from Debian's packages"));
    setup::ensure_only(&[requirements::mmdebstrap(), requirements::arch_test()], yes)?;
    let toolkits = cargo::toolkits();
    let lock = Lock::acquire(&toolkits, &mut |news| screen.news(news))
        .with_context(|| format!("cannot write {}", toolkits.display()))?;
    let staging = Staging::new(&lock, "base-image")?;
    let log = toolkits.join("base-image.log");
    for architecture in ARCHITECTURES {
        let file = staging.dir().join(format!("{architecture}.tar"));
        debootstrap(architecture, &file).run_logged(&log, |line| screen.show(line))?;
    }
    let dockerfile = staging.dir().join("Dockerfile");
    fs::write(&dockerfile, DOCKERFILE)
        .with_context(|| format!("cannot write {}", dockerfile.display()))?;
    Ok(build(staging.dir()).run_logged(&log, |line| screen.show(line))?)
}

fn debootstrap(architecture: &str, to: &Path) -> Cmd {
    let option = |name: &'static str| move |value: &&str| format!("--{name}={value}");
    Cmd::new("mmdebstrap")
        .args(["--mode=root", "--variant=minbase"])
        .arg(format!("--architectures={architecture}"))
        .args(APT.iter().map(option("aptopt")))
        .args(SLIM.iter().map(option("dpkgopt")))
        .arg(SUITE)
        .arg(to)
}

fn build(dir: &Path) -> Cmd {
    let platforms = ARCHITECTURES.map(|architecture| format!("linux/{architecture}"));
    Cmd::new("docker")
        .args(["buildx", "build", "--progress=plain", "--provenance=false", "--load"])
        .args(["--platform", &platforms.join(","), "--tag", NAME])
        .arg(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_platforms_become_one_image() {
        let command = debootstrap("arm64", Path::new("/t/arm64.tar")).to_string();
        assert!(command.contains(" --architectures=arm64 "), "{command}");
        assert!(command.contains("'--dpkgopt=path-exclude=/usr/share/man/*'"), "{command}");
        assert!(command.ends_with(" trixie /t/arm64.tar"), "{command}");
        assert_eq!(
            build(Path::new("/t")).to_string(),
            "docker buildx build --progress=plain --provenance=false --load --platform \
             linux/amd64,linux/arm64 --tag debian:trixie-slim /t"
        );
    }
}
