//! Parts of `dist` that run in a Debian root, where the toolkit is that this machine has not: this
//! program starts itself there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;
use serde::{Deserialize, Serialize};

use super::built::Built;
use super::plan::Plan;
use crate::toolkit::Root;
use product::arch::Arch;
use product::identity::Identity;
use workspace::cargo;
use workspace::screen::Screen;

/// The hidden word for one backend.
pub(crate) const WORD: &str = "__backend";

/// One backend to be built.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) variant: String,
    pub(super) target: String,
    pub(super) toolkit: Option<String>,
    pub(super) architectures: String,
    /// Folder of the payload's build.
    pub(super) payload: PathBuf,
    /// Its libraries.
    pub(super) own: Vec<String>,
    /// Only [`probe`](super::backend::probe).
    pub(super) probe: bool,
    /// The Debian root, as seen from outside.
    pub(super) root: PathBuf,
    /// Where the answer goes.
    pub(super) answer: PathBuf,
}

/// The whole command with `args`, for another machine; llama.cpp and its web UI are there already.
///
/// # Errors
/// What it says in there.
pub(crate) fn dist(
    root: &Root,
    arch: Arch,
    args: &[OsString],
    out: &Path,
    identity: &Identity,
) -> Result<()> {
    // There is no network in there that Cargo would know about.
    cargo::cargo("fetch").args(["--locked", "--quiet"]).run()?;
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let target = cargo::target_dir();
    let [workspace, crates] = [cargo::root(), cargo::home().join("registry")];
    let args = args.iter().filter(|arg| *arg != "--setup" && *arg != "--yes");
    let linker = format!("CARGO_TARGET_{}_LINKER", arch.target.to_uppercase().replace('-', "_"));
    let mut cmd = myself()?
        .arg("dist")
        .args(args)
        .env("CARGO_HOME", cargo::home())
        .env("CARGO_NET_OFFLINE", "true")
        // What another rustc compiles goes elsewhere.
        .env("CARGO_TARGET_DIR", target.join(format!("{}-root", arch.docker)))
        .env(linker, format!("{}-gcc", arch.gnu()))
        .dir(cargo::root());
    for (name, value) in identity.variables() {
        cmd = cmd.env(name, value);
    }
    Ok(root.enter(&[&workspace, &target, &crates, out], &cmd)?.run()?)
}

/// The backend of `plan`; the arguments are those of [`build`](super::backend::build).
///
/// # Errors
/// What it says in there.
pub(super) fn backend(
    screen: &mut Screen,
    root: &Root,
    plan: &Plan,
    payload: &Path,
    own: &[String],
) -> Result<Built> {
    let answer = ask(screen, root, job(root, plan, payload, own))?;
    let text =
        fs::read_to_string(&answer).with_context(|| format!("cannot read {}", answer.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// As [`probe`](super::backend::probe).
///
/// # Errors
/// What it says in there.
pub(super) fn probe(screen: &mut Screen, root: &Root, plan: &Plan, payload: &Path) -> Result<()> {
    ask(screen, root, Job { probe: true, ..job(root, plan, payload, &[]) }).map(|_| ())
}

/// `xtask verify` of the distribution in `dir`, which may need a newer system than this one: the root's.
///
/// # Errors
/// What it says in there.
pub(super) fn verify(root: &Root, dir: &Path, out: &Path) -> Result<()> {
    let (workspace, target) = (cargo::root(), cargo::target_dir());
    let cmd = myself()?.arg("verify").arg(dir).dir(cargo::root());
    Ok(root.enter(&[&workspace, &target, out], &cmd)?.run()?)
}

fn job(root: &Root, plan: &Plan, payload: &Path, own: &[String]) -> Job {
    Job {
        variant: plan.variant.to_string(),
        target: plan.target.clone(),
        toolkit: plan.toolkit.clone(),
        architectures: plan.gpu_architectures.join(";"),
        payload: payload.to_owned(),
        own: own.to_vec(),
        probe: false,
        root: root.dir.clone(),
        answer: payload.join(plan.label()).join("answer.json"),
    }
}

/// Has `job` done in the root; the file with the answer.
fn ask(screen: &mut Screen, root: &Root, job: Job) -> Result<PathBuf> {
    let dir = job.answer.parent().expect("a file is in a folder");
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let question = dir.join("question.json");
    fs::write(&question, serde_json::to_string(&job)?)?;
    let (workspace, target) = (cargo::root(), cargo::target_dir());
    let cmd = myself()?.arg(WORD).arg(&question).dir(cargo::root());
    screen.clear();
    root.enter(&[&workspace, &target], &cmd)?.run()?;
    Ok(job.answer)
}

fn myself() -> Result<Cmd> {
    Ok(Cmd::new(std::env::current_exe().context("this program does not know where it is")?))
}
