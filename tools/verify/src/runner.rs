//! How programs of a target run on this machine: as they are, or through qemu.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use llama_src::sh::Cmd;

use super::NotRun;
use product::arch::Arch;

/// Longest that a program may take to say something about itself.
const LIMIT: Duration = Duration::from_secs(120);

/// What starts programs of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runner {
    /// The machine itself.
    Native,
    /// An emulator with the libraries of the target.
    Emulated {
        qemu: PathBuf,
        sysroot: PathBuf,
        /// The target's own loader, in the sysroot.
        loader: PathBuf,
    },
}

impl Runner {
    /// Finds one for `target`, or tells why there is none.
    pub(super) fn find(target: &str) -> Result<Self, NotRun> {
        let arch = Arch::name_of(target);
        if cfg!(target_os = "linux") && arch == std::env::consts::ARCH {
            return Ok(Self::Native);
        }
        let name = format!("qemu-{arch}");
        let Ok(qemu) = which::which(&name).or_else(|_| which::which(format!("{name}-static")))
        else {
            return Err(no_programs(arch, &format!("no {name}"), "apt-get install qemu-user"));
        };
        let Some(arch) = Arch::of(target) else {
            return Err(no_programs(arch, "releases have none", "cargo xtask variants"));
        };
        // Where Debian keeps the libraries of another machine: beside its own, or those of the cross compiler.
        let sysroots = ["/".into(), format!("/usr/{}", arch.gnu())].map(PathBuf::from).into_iter();
        match sysroots.map(|root| (root.join(arch.loader), root)).find(|(at, _)| at.is_file()) {
            Some((loader, sysroot)) => Ok(Self::Emulated { qemu, sysroot, loader }),
            None => Err(no_libraries(arch)),
        }
    }

    /// A command that runs `program` in `/` without any environment.
    pub(super) fn cmd(&self, program: &Path) -> Cmd {
        let env = Cmd::new("env").arg("-i").dir("/").limit(LIMIT);
        match self {
            Self::Native => env.arg(program),
            Self::Emulated { qemu, sysroot, .. } => {
                env.arg(qemu).arg("-L").arg(sysroot).arg(program)
            }
        }
    }
}

/// What a report adds about what ran.
impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => Ok(()),
            Self::Emulated { qemu, .. } => {
                write!(f, ", through {}", qemu.file_name().unwrap_or_default().to_string_lossy())
            }
        }
    }
}

/// Both outputs of `cmd`, line by line.
pub(super) fn lines_of(cmd: &Cmd) -> Result<Vec<String>> {
    let dir = tempfile::tempdir()?;
    let mut lines = Vec::new();
    let run = cmd.run_logged(&dir.path().join("log"), |line| lines.push(line.to_owned()));
    let Err(error) = run else { return Ok(lines) };
    // Its first line says what failed; of the log, which ends with `dir`, the last line says why.
    let what = error.to_string().lines().next().unwrap_or_default().to_owned();
    match lines.last() {
        Some(last) => bail!("{what}: {last}"),
        None => bail!("{what}"),
    }
}

fn no_programs(arch: &str, why: &str, hint: &str) -> NotRun {
    NotRun { what: format!("{arch} programs"), why: why.to_owned(), hint: Some(hint.to_owned()) }
}

fn no_libraries(arch: Arch) -> NotRun {
    let (debian, arch) = (arch.docker, arch.name);
    let packages = ["libstdc++6", "libgomp1", "libssl3"].map(|name| format!("{name}:{debian}"));
    let hint = format!(
        "dpkg --add-architecture {debian} && apt-get update && apt-get install {}",
        packages.join(" ")
    );
    no_programs(arch, &format!("{arch} libraries not found"), &hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_run_without_environment_wherever_they_come_from() {
        let program = Path::new("/a dist/llama-server");
        let cmd = Runner::Native.cmd(program).arg("--version");
        assert_eq!(cmd.to_string(), "cd / && env -i '/a dist/llama-server' --version");
        assert_eq!(Runner::Native.to_string(), "");
        let runner = Runner::Emulated {
            qemu: "/usr/bin/qemu-aarch64".into(),
            sysroot: "/usr/aarch64-linux-gnu".into(),
            loader: "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1".into(),
        };
        assert_eq!(
            runner.cmd(Path::new("/d/llama-server")).to_string(),
            "cd / && env -i /usr/bin/qemu-aarch64 -L /usr/aarch64-linux-gnu /d/llama-server"
        );
        assert_eq!(runner.to_string(), ", through qemu-aarch64");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_fails_says_why() {
        let cmd = Cmd::new("sh").args(["-c", "echo one; echo two >&2"]);
        let mut lines = lines_of(&cmd).unwrap();
        lines.sort();
        assert_eq!(lines, ["one", "two"]);
        let cmd = Cmd::new("sh").args(["-c", "echo first; echo no such library; exit 127"]);
        assert_eq!(
            lines_of(&cmd).unwrap_err().to_string(),
            "a command failed with exit status: 127: sh -c 'echo first; echo no such library; exit 127': \
             no such library"
        );
        let cmd = Cmd::new("sh").args(["-c", "exit 1"]);
        let error = lines_of(&cmd).unwrap_err().to_string();
        assert_eq!(error, "a command failed with exit status: 1: sh -c 'exit 1'");
    }

    #[test]
    fn a_machine_that_cannot_be_emulated_is_told() {
        let missing = Runner::find("pdp11-unknown-linux-gnu").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "pdp11 programs (no qemu-pdp11)\n    hint: apt-get install qemu-user"
        );
        assert_eq!(
            no_libraries(Arch::AARCH64).to_string(),
            "aarch64 programs (aarch64 libraries not found)\n    hint: dpkg --add-architecture \
            arm64 && apt-get update && apt-get install libstdc++6:arm64 libgomp1:arm64 \
            libssl3:arm64"
        );
    }
}
