//! The Debian that our images stand on, put together from Debian's packages where Docker Hub is out of
//! reach. Like the one there it has no documentation, manual pages and translations.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use llama_src::place::Staging;
use llama_src::sh::Cmd;

use super::oci;
use workspace::cargo;
use workspace::install;
use workspace::requirements;
use workspace::screen::Screen;

/// Its name; a build is told with `--base-image`.
const NAME: &str = "debian:trixie-slim";
const SUITE: &str = "trixie";
/// Debian's names of the platforms, which are Docker's too.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

/// As on Docker Hub, and for whatever is installed on top.
const SLIM: &[&str] = &[
    // What makes an image is thrown away when it fails.
    "force-unsafe-io",
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
    install::ensure_only(&[requirements::mmdebstrap(), requirements::arch_test()], yes)?;
    // Of its own: the toolkits' is free meanwhile.
    let folder = cargo::toolkits().join("base-image");
    let lock = cargo::lock(&folder, &mut |news| screen.news(news))?;
    let staging = Staging::new(&lock, "new")?;
    let log = folder.join("log");
    let mut roots = Vec::new();
    for architecture in ARCHITECTURES {
        let file = staging.dir().join(format!("{architecture}.tar"));
        debootstrap(architecture, &file).run_logged(&log, |line| screen.show(line))?;
        roots.push((architecture, file));
    }
    let image = staging.dir().join("image");
    oci::write(&image, NAME, &now(), &roots)?;
    let archive = staging.dir().join("image.tar");
    Cmd::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&image).arg(".").run()?;
    Ok(Cmd::new("docker").args(["load", "--quiet", "--input"]).arg(&archive).read().map(drop)?)
}

/// RFC 3339.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    workspace::time::rfc3339(since.as_secs())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_as_slim_as_docker_hubs() {
        let command = debootstrap("arm64", Path::new("/t/arm64.tar")).to_string();
        assert!(command.contains(" --architectures=arm64 "), "{command}");
        assert!(command.contains("'--dpkgopt=path-exclude=/usr/share/man/*'"), "{command}");
        assert!(command.ends_with(" trixie /t/arm64.tar"), "{command}");
    }
}
