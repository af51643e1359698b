//! `cargo xtask release`: what CI publishes, one step a job of `.github/workflows/release.yml`. What decides is
//! here and in the files below, so that a test can hold it for every event and every row.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod archives;
mod crates;
mod event;
mod jobs;
mod plan;
mod version;
#[cfg(test)]
mod workflow;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use llama_src::Error;
use serde_json::json;

use image::line::{self, Line};
use image::publish::{self, Descriptor, Pushed};
use jobs::DIR;
use plan::{Plan, Told};
use workspace::{screen, tools};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("release"), after_help = EVENT)]
    Release(Args),
}

const EVENT: &str = "\
GitHub names the event in GITHUB_EVENT_NAME and GITHUB_REF. Without them
`plan` writes a trial, of which `push`, `names` and `archives` publish nothing.
The results are in dist/release.";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    step: Step,
    /// Print the commands as JSON and run nothing
    #[arg(long, global = true)]
    plan: bool,
}

#[derive(Debug, Subcommand)]
pub enum Step {
    /// Write what this event publishes, for the later steps
    Plan,
    /// Build and test distribution and images of one row
    Build {
        /// The row, as `release jobs` prints it
        #[arg(value_parser = jobs::find)]
        job: jobs::Job,
    },
    /// Pack a distribution with its checksum, bill of materials and VEX
    Pack {
        /// The folder of the distribution
        dir: PathBuf,
        /// The version in the archive's name
        #[arg(long, value_name = "V")]
        version: String,
    },
    /// Push every image by its digest, without a name
    Push,
    /// Name the signed and scanned images: the name of a version once, the
    /// others only forward
    #[command(verbatim_doc_comment)]
    Names,
    /// Publish the archives as a release on GitHub
    Archives,
    /// Write a new version into every file that names it
    Version {
        /// Such as 0.2.0
        #[arg(value_name = "X.Y.Z")]
        new: String,
    },
    /// Publish every crate on crates.io, in order
    Crates {
        /// Do everything but the upload
        #[arg(long)]
        dry_run: bool,
        /// Where `cargo binstall` finds the archives
        #[arg(long, value_name = "URL")]
        repository: Option<String>,
    },
    /// List the jobs of `build`
    Jobs,
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::Release(args) = self;
        let told = Told::read();
        if args.plan {
            screen::print(line::print(&planned(&args.step, &told)?)?);
            return Ok(());
        }
        match &args.step {
            Step::Plan => first(&told),
            Step::Build { .. } => planned(&args.step, &told)?.iter().try_for_each(Line::run),
            Step::Pack { dir, version } => archives::pack(dir, version),
            Step::Push => push(&told),
            Step::Names => names(),
            Step::Archives => archives(),
            Step::Version { new } => version::run(new),
            Step::Crates { dry_run, repository } => {
                let repository = repository.as_deref().or(told.page.as_deref());
                crates::run(&crates::published()?, *dry_run, repository)
            }
            Step::Jobs => {
                let jobs = jobs::all(&told.event()?.policy());
                jobs.iter().for_each(|job| screen::print(format!("{}\n", job.id)));
                Ok(())
            }
        }
    }
}

/// What a step would run. Nothing of an earlier step has to be there: digests are then made up.
fn planned(step: &Step, told: &Told) -> Result<Vec<Line>> {
    let event = told.event()?;
    let policy = event.policy();
    let plan = || Plan::find(told, &event);
    match step {
        Step::Build { job } => Ok(job.lines(&policy, plan()?.version(), told.base.as_deref())),
        Step::Push => Ok(push_of(&plan()?, &made_up)?.lines),
        Step::Names => {
            let plan = plan()?;
            let pushed = push_of(&plan, &made_up)?.pushed;
            Ok(publish::name(&plan.images()?, &pushed, &publish::nobody)?.lines)
        }
        Step::Archives => Ok(archives::lines(plan()?.version())),
        Step::Crates { dry_run, .. } => Ok(crates::lines(&crates::published()?, *dry_run)),
        Step::Plan => plan::outputs(&event, None).map(|_| Vec::new()),
        Step::Pack { .. } | Step::Version { .. } | Step::Jobs => {
            bail!(Error::usage("this step runs no commands that `--plan` could print"))
        }
    }
}

/// The digest of an archive that is not built yet.
#[expect(clippy::unnecessary_wraps, reason = "stands in for reading an archive")]
fn made_up(archive: &Path) -> Result<Descriptor> {
    let name = archive.file_stem().unwrap_or_default().to_string_lossy();
    let digest = |what: &str| format!("sha256:{what}-of-{name}");
    let entries = vec![json!({ "digest": digest("image") })];
    Ok(Descriptor { digest: digest("all"), image: digest("image"), entries })
}

fn push_of(plan: &Plan, read: publish::Reader<'_>) -> Result<publish::Push> {
    publish::push(&plan.images()?, &plan.built(), &PathBuf::from(DIR).join("indexes"), read)
}

/// The first step: the plan, this program for jobs that compile nothing, and the outputs.
fn first(told: &Told) -> Result<()> {
    let event = told.event()?;
    let policy = event.policy();
    let plan = Plan::find(told, &event)?;
    let base = policy.new_base.then(image::newest_base).transpose()?;
    let outputs = plan::outputs(&event, base.as_deref())?;
    plan.write()?;
    let own = std::env::current_exe().context("this program has no file")?;
    fs::copy(own, format!("{DIR}/xtask")).context("cannot copy this program")?;
    tell(told, &outputs)
}

fn push(told: &Told) -> Result<()> {
    let plan = Plan::load()?;
    plan.check(plan.publish, "images")?;
    needs_skopeo()?;
    let push = push_of(&plan, &publish::read_archive)?;
    push.write()?;
    push.lines.iter().try_for_each(Line::run)?;
    plan::write(&pushed_path(), &serde_json::to_string_pretty(&push.pushed)?)?;
    let mut sign = push.sign;
    // The other archives stay with the run that made them.
    sign.extend(plan.release.iter().flat_map(|version| archives::signs(version)));
    let sign: Vec<String> = sign.iter().map(|line| line.0.join(" ")).collect();
    tell(told, &[("scan", serde_json::to_string(&push.scan)?), ("sign", sign.join("\n"))])
}

fn names() -> Result<()> {
    let plan = Plan::load()?;
    plan.check(plan.publish, "images")?;
    needs_skopeo()?;
    let path = pushed_path();
    let text = fs::read_to_string(&path).with_context(|| {
        Error::missing(format!("{path} not found")).hint("first run: cargo xtask release push")
    })?;
    let pushed: Vec<Pushed> =
        serde_json::from_str(&text).with_context(|| format!("cannot parse {path}"))?;
    let release = plan.images()?;
    let look = |reference: &str| publish::current(&release, reference);
    let named = publish::name(&release, &pushed, &look)?;
    named.kept.iter().for_each(|why| eprintln!("{why}"));
    named.lines.iter().try_for_each(Line::run)?;
    plan::write(&format!("{DIR}/release.json"), &named.document)
}

fn archives() -> Result<()> {
    let plan = Plan::load()?;
    plan.check(plan.release.is_some(), "archives")?;
    archives::check(plan.version())?;
    archives::lines(plan.version()).iter().try_for_each(Line::run)
}

/// Where these steps run there is no checkout, and nothing is installed.
fn needs_skopeo() -> Result<()> {
    match which::which("skopeo") {
        Ok(_) => Ok(()),
        Err(_) => bail!(Error::missing("skopeo is not installed").hint("apt-get install skopeo")),
    }
}

fn pushed_path() -> String {
    format!("{DIR}/pushed.json")
}

/// Outputs for GitHub where it asks, for a person elsewhere.
fn tell(told: &Told, outputs: &[(&str, String)]) -> Result<()> {
    let text = plan::as_file(outputs);
    let Some(path) = &told.outputs else {
        screen::print(text);
        return Ok(());
    };
    let written = OpenOptions::new().append(true).create(true).open(path);
    written
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
