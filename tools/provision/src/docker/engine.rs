//! The engine that `cargo xtask setup docker` installs: Debian's, in a folder of its own, linked and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::sh::Cmd;

use super::{Found, look};
use crate::debian::{self, Recipe};
use product::requirements;
use workspace::cargo;
use workspace::install;
use workspace::root::User;
use workspace::screen::Screen;

/// The engine that the images are tried with. Debian 12's own is too old for named build contexts, and
/// has no buildx.
const ENGINE: Recipe<'_> = Recipe {
    name: "docker-engine",
    variant: "extract",
    foreign: None,
    packages: &["containerd", "docker-buildx", "docker-cli", "docker-compose", "docker.io"],
    from_sid: &[],
};

/// What is of use of it; the last two are started by the client.
const PROGRAMS: &[&str] = &[
    "usr/bin/containerd",
    "usr/bin/containerd-shim-runc-v2",
    "usr/bin/docker",
    "usr/bin/docker-init",
    "usr/sbin/docker-proxy",
    "usr/sbin/dockerd",
    "usr/libexec/docker/cli-plugins/docker-buildx",
    "usr/libexec/docker/cli-plugins/docker-compose",
];

/// containerd's store keeps images of several platforms, and writes them with the times that it is told.
const CONFIG: &str = "{\"features\": {\"containerd-snapshotter\": true}}\n";

/// Where the client looks for what root has added.
const PLUGINS: &str = "/usr/local/lib/docker/cli-plugins";
const BINARIES: &str = "/usr/local/bin";

/// Starts a program that goes on without us. Arguments: log, program and its arguments.
const DETACH: &str = r#"exec "$@" >>"$0" 2>&1 </dev/null"#;

/// Where programs of the system's are that users often have not in their `PATH`.
const PATH: &str = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Puts what is missing where Docker's client finds it, and starts an engine where none answers.
///
/// # Errors
/// When something cannot be installed or does not start.
pub(super) fn install(user: &User, found: Found, yes: bool, screen: &mut Screen) -> Result<()> {
    let own_engine = which::which_in("dockerd", Some(PATH), "/").ok();
    if !found.engine && own_engine.is_none() {
        install::ensure_only(&[requirements::runc(), requirements::iptables()], yes)?;
    }
    let dir = debian::ensure(&ENGINE, screen, arrange)?;
    for (there, name, to) in [
        (found.client, "docker", BINARIES),
        (found.buildx, "docker-buildx", PLUGINS),
        (found.compose, "docker-compose", PLUGINS),
    ] {
        if !there {
            link(user, &dir.join(name), &Path::new(to).join(name))?;
        }
    }
    if found.engine { Ok(()) } else { start(user, &dir, own_engine, screen) }
}

/// Programs side by side, and nothing else.
fn arrange(root: &Path) -> Result<()> {
    for program in PROGRAMS {
        let from = root.join(program).canonicalize();
        let from = from.with_context(|| format!("Debian's packages have no {program}"))?;
        let name = Path::new(program).file_name().context("a program has a name")?;
        fs::rename(&from, root.join(name))
            .with_context(|| format!("cannot move {}", from.display()))?;
    }
    let config = root.join("daemon.json");
    fs::write(&config, CONFIG).with_context(|| format!("cannot write {}", config.display()))?;
    let kept = PROGRAMS.iter().filter_map(|program| Path::new(program).file_name());
    let kept: Vec<_> = kept.chain(config.file_name()).collect();
    for item in fs::read_dir(root)? {
        let item = item?;
        if kept.contains(&item.file_name().as_os_str()) {
            continue;
        }
        let is_dir = item.file_type()?.is_dir();
        let removed =
            if is_dir { fs::remove_dir_all(item.path()) } else { fs::remove_file(item.path()) };
        removed.with_context(|| format!("cannot remove {}", item.path().display()))?;
    }
    Ok(())
}

fn link(user: &User, program: &Path, at: &Path) -> Result<()> {
    let parent = at.parent().context("a program is in a folder")?;
    if fs::symlink_metadata(at).is_ok_and(|there| !there.is_symlink()) {
        bail!(
            Error::new(format!(
                "{} exists, and is not a link that this command made",
                at.display()
            ))
            .hint("remove it")
        );
    }
    let what = format!("create {}", at.display());
    let folder = Cmd::new("install").arg("-d").arg(parent);
    let link = Cmd::new("ln").args(["--symbolic", "--force", "--no-dereference"]);
    for cmd in [folder, link.arg(program).arg(at)] {
        user.as_root(&cmd, &what)?.read().with_context(|| format!("cannot {what}"))?;
    }
    Ok(())
}

/// Starts an engine that outlives this command, the system's own where there is one.
fn start(user: &User, dir: &Path, own: Option<PathBuf>, screen: &mut Screen) -> Result<()> {
    screen.step("starting the Docker engine");
    let log = cargo::toolkits().join("dockerd.log");
    // Root goes on writing into a file of the user's.
    fs::File::options()
        .append(true)
        .create(true)
        .open(&log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let config = dir.join("daemon.json");
    let dockerd = own.clone().unwrap_or_else(|| dir.join("dockerd"));
    let mut cmd = Cmd::new("setsid").args(["--fork", "sh", "-c", DETACH]).arg(&log).arg(dockerd);
    if own.is_none() {
        let path = format!("{}:{PATH}", dir.display());
        cmd = cmd.env("PATH", path).arg("--config-file").arg(config);
    }
    if let Some(group) = user.own_group().filter(|_| !user.is_root()) {
        cmd = cmd.args(["--group", group]);
    }
    user.as_root(&cmd, "start the Docker engine")?.run()?;
    let began = Instant::now();
    while !look().engine {
        if began.elapsed() > PATIENCE {
            let version =
                user.as_root(&Cmd::new("docker").arg("version"), "ask the Docker engine")?;
            if version.read().is_ok() {
                bail!(
                    Error::refused("this user may not use the Docker engine, which is running")
                        .hint(
                            "sudo groupadd --system --force docker && sudo usermod -aG docker \
                         \"$(id -un)\", then log in again"
                        )
                );
            }
            bail!(
                Error::new(format!(
                    "the Docker engine did not answer within {} s",
                    PATIENCE.as_secs()
                ))
                .hint(format!("read its log: tail {}", log.display()))
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Where an engine writes the number of its process.
const PID: &str = "/var/run/docker.pid";

/// Ends the engine that [`start`] has started; one of the system's is left alone.
///
/// # Errors
/// When none of ours runs, or it does not end.
pub(super) fn stop() -> Result<()> {
    let pid = fs::read_to_string(PID).unwrap_or_default();
    let pid = pid.trim();
    let exe = Cmd::new("readlink").arg(format!("/proc/{pid}/exe"));
    let exe = User::find()?.as_root(&exe, "find out which Docker engine runs")?.read();
    let program = PathBuf::from(exe.unwrap_or_default().trim_end());
    if pid.is_empty() || !is_ours(&program, &cargo::toolkits()) {
        bail!(
            Error::new("no Docker engine of `setup docker` is running")
                .hint("to stop the system's engine: systemctl stop docker")
        );
    }
    User::find()?.as_root(&Cmd::new("kill").arg(pid), "stop the Docker engine")?.run()?;
    let began = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        if began.elapsed() > PATIENCE {
            bail!("the Docker engine, process {pid}, did not stop within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    eprintln!("stopped the Docker engine; its images are kept in /var/lib/docker");
    Ok(())
}

fn is_ours(program: &Path, toolkits: &Path) -> bool {
    program.file_name().is_some_and(|name| name == "dockerd") && program.starts_with(toolkits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_engine_of_ours_is_ended() {
        let toolkits = Path::new("/cache/toolkits");
        assert!(is_ours(Path::new("/cache/toolkits/docker-engine-1/dockerd"), toolkits));
        assert!(!is_ours(Path::new("/usr/sbin/dockerd"), toolkits));
        assert!(!is_ours(Path::new("/cache/toolkits/docker-engine-1/containerd"), toolkits));
        assert!(!is_ours(Path::new(""), toolkits));
    }

    #[cfg(unix)]
    #[test]
    fn of_the_packages_only_the_programs_stay() {
        let dir = tempfile::tempdir().unwrap();
        for program in PROGRAMS {
            let file = dir.path().join(program);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, program).unwrap();
        }
        fs::create_dir(dir.path().join("etc")).unwrap();
        arrange(dir.path()).unwrap();
        let names = fs::read_dir(dir.path()).unwrap().map(|item| item.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        let expected = "containerd containerd-shim-runc-v2 daemon.json docker docker-buildx \
                        docker-compose docker-init docker-proxy dockerd";
        assert_eq!(names.join(" "), expected);
        let error = arrange(dir.path()).unwrap_err().to_string();
        assert_eq!(error, "Debian's packages have no usr/bin/containerd");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_of_an_older_setup_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (user, at) = (User::root(), dir.path().join("a/docker"));
        link(&user, Path::new("old"), &at).unwrap();
        link(&user, Path::new("new"), &at).unwrap();
        assert_eq!(fs::read_link(&at).unwrap(), Path::new("new"));
        let own = dir.path().join("own");
        fs::write(&own, "").unwrap();
        let error = link(&user, Path::new("new"), &own).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "own exists, and is not a link that this command made\n  hint: remove it"
            ),
            "{error}"
        );
    }
}
