//! A Debian for our images to stand on, put together from Debian's packages where Docker Hub is out of reach. Like
//! the one there it has no documentation, manual pages and translations. Its name is ours: nobody else's image stands
//! on it.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use llama_src::Error;
use llama_src::place::Staging;
use llama_src::sh::Cmd;

use super::oci;
use crate::{debian, watched};
use product::arch::Arch;
use product::base::{self, OWN};
use product::requirements;
use workspace::cargo;
use workspace::install;
use workspace::root::User;
use workspace::screen::Screen;

/// What older versions of this command called it: Docker Hub's name, which other people's Dockerfiles say too.
const FORMER: &str = "debian:trixie-slim";
const SUITE: &str = "trixie";

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
    "Dir::Cache::pkgcache \"\"",
    "Dir::Cache::srcpkgcache \"\"",
];

/// Makes sure that images can be built: from Docker Hub's Debian, or from one that is made here.
///
/// # Errors
/// When it cannot be made.
pub(super) fn ensure(yes: bool, screen: &mut Screen) -> Result<()> {
    if let Some(advice) = former() {
        eprintln!("{advice}");
    }
    let pinned = base::pinned()?;
    let pull = ["pull", "--quiet", pinned.as_str()];
    if base::is_here(&pinned) || base::is_here(OWN) || Cmd::new("docker").args(pull).read().is_ok()
    {
        return Ok(());
    }
    screen.step(&format!("cannot reach Docker Hub: making {OWN} from Debian's packages"));
    let (user, what) = (User::find()?, format!("make the image {OWN}"));
    user.must_become_root(&what)?;
    install::ensure_only(&[requirements::mmdebstrap(), requirements::arch_test()], yes)?;
    // Of its own: the toolkits' is free meanwhile.
    let folder = cargo::toolkits().join("base-image");
    let lock = cargo::lock(&folder, &mut |news| screen.news(news))?;
    user.take_over(&Staging::path(&lock, "new"))?;
    let staging = Staging::new(&lock, "new")?;
    let log = folder.join("log");
    let mut roots = Vec::new();
    for Arch { docker: architecture, .. } in Arch::ALL {
        let file = staging.dir().join(format!("{architecture}.tar"));
        let make = debootstrap(architecture, &file, debian::takes_stale_mirror());
        let make = watched::as_root(&user, &make, &what)?;
        let made = make.run_logged(&log, |line| screen.show(line)).map_err(debian::explain);
        user.take_over(&file)?;
        made?;
        roots.push((architecture, file));
    }
    let image = staging.dir().join("image");
    oci::write(&image, OWN, &now(), &roots)?;
    let archive = staging.dir().join("image.tar");
    Cmd::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&image).arg(".").run()?;
    Ok(Cmd::new("docker").args(["load", "--quiet", "--input"]).arg(&archive).read().map(drop)?)
}

/// What to do about an image of ours that has Docker Hub's name.
fn former() -> Option<Error> {
    let history = ["image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", FORMER];
    let history = Cmd::new("docker").args(history).read().ok()?;
    is_former(&history).then(|| {
        Error::mismatch(format!(
            "{FORMER} on this engine is not Docker Hub's image: an older version of this command \
            made it; our images now use {OWN}"
        ))
        .hint(format!("docker image rm {FORMER}"))
    })
}

fn is_former(history: &str) -> bool {
    history.trim() == oci::CREATED_BY
}

/// RFC 3339.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    product::time::rfc3339(since.as_secs())
}

fn debootstrap(architecture: &str, to: &Path, stale_mirror: bool) -> Cmd {
    let option = |name: &'static str| move |value: &&str| format!("--{name}={value}");
    Cmd::new("mmdebstrap")
        .args(["--mode=root", "--variant=minbase"])
        .arg(format!("--architectures={architecture}"))
        // It stays in the image: whatever is installed on top comes from the same mirror.
        .args(debian::stale(stale_mirror))
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
        let command = debootstrap("arm64", Path::new("/t/arm64.tar"), false).to_string();
        assert!(!command.contains("Check-Valid-Until"), "{command}");
        assert!(command.contains(" --architectures=arm64 "), "{command}");
        assert!(command.contains("'--dpkgopt=path-exclude=/usr/share/man/*'"), "{command}");
        assert!(command.ends_with(" trixie /t/arm64.tar"), "{command}");
    }

    #[test]
    fn only_an_image_of_ours_is_taken_for_one() {
        assert!(is_former("mmdebstrap\n"));
        // Docker Hub's, and somebody's that stands on ours.
        assert!(!is_former("# debian.sh --arch 'amd64' out/ 'trixie' '@1755475200'\n"));
        assert!(!is_former("RUN apt-get update\nmmdebstrap\n"));
    }
}
