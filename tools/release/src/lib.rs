//! `cargo xtask release`: what CI publishes, one step a job of `.github/workflows/release.yml`. What decides is
//! here and in the files below, so that a test can hold it for every event and every row.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod archives;
mod crates;
mod event;
mod jobs;
mod plan;
#[cfg(test)]
mod workflow;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;
use llama_src::Error;
use serde_json::json;

use image::line::{self, Line};
use image::publish::{self, Descriptor, Pushed};
use jobs::DIR;
use plan::{Plan, Told};
use workspace::screen;

const HELP: &str = "\
cargo xtask release STEP: run one step of what CI publishes, in dist/release

  plan            write what this event publishes, for the later steps
  build JOB       build and test distribution and images of one row;
                  `jobs` lists the rows
  pack DIR --version V
                  pack a distribution as an archive, with its checksum, bill of
                  materials and VEX
  push            push every image by its digest, without a name
  names           name the signed and scanned images: the name of a version
                  once, the others only forward
  archives        publish the archives as a release on GitHub
  crates          publish every crate on crates.io, in order
  jobs            list the jobs of `build`

  --plan          print the commands as JSON and run nothing
  --dry-run       crates: do everything but the upload
  --repository URL
                  crates: where `cargo binstall` finds the archives

GitHub names the event in GITHUB_EVENT_NAME and GITHUB_REF. Without them the
step is a trial and publishes nothing.
";

/// The words of a command line.
#[derive(Debug, Default)]
struct Args {
    step: String,
    value: Option<String>,
    version: Option<String>,
    repository: Option<String>,
    dry_run: bool,
    plan: bool,
}

pub fn run(words: Vec<OsString>) -> Result<()> {
    let Some(args) = parse(words)? else {
        screen::print(HELP);
        return Ok(());
    };
    let told = Told::read();
    if args.plan {
        screen::print(line::print(&planned(&args, &told)?)?);
        return Ok(());
    }
    match args.step.as_str() {
        "plan" => first(&told),
        "build" => planned(&args, &told)?.iter().try_for_each(Line::run),
        "pack" => archives::pack(Path::new(args.value()?), args.version()?),
        "push" => push(&told),
        "names" => names(),
        "archives" => archives(),
        "crates" => {
            let repository = args.repository.as_deref().or(told.page.as_deref());
            crates::run(&crates::published()?, args.dry_run, repository)
        }
        "jobs" => {
            let jobs = jobs::all(&told.event()?.policy());
            jobs.iter().for_each(|job| screen::print(format!("{}\n", job.id)));
            Ok(())
        }
        step => bail!(
            Error::usage(format!("unknown step `release {step}`"))
                .hint("cargo xtask release --help")
        ),
    }
}

/// `None`: help is wanted.
fn parse(words: Vec<OsString>) -> Result<Option<Args>> {
    let mut words = lexopt::Parser::from_args(words);
    let mut args = Args::default();
    while let Some(word) = words.next()? {
        match word {
            Value(step) if args.step.is_empty() => args.step = step.string()?,
            Value(value) if args.value.is_none() => args.value = Some(value.string()?),
            Long("version") => args.version = Some(words.value()?.string()?),
            Long("repository") => args.repository = Some(words.value()?.string()?),
            Long("dry-run") => args.dry_run = true,
            Long("plan") => args.plan = true,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(word.unexpected().into()),
        }
    }
    Ok(Some(args).filter(|args| !matches!(args.step.as_str(), "" | "help")))
}

impl Args {
    fn value(&self) -> Result<&str> {
        let step = &self.step;
        let missing = || {
            Error::usage(format!("`release {step}` needs a name"))
                .hint("cargo xtask release --help")
        };
        self.value.as_deref().with_context(missing)
    }

    fn version(&self) -> Result<&str> {
        self.version.as_deref().context(Error::usage("no version is named").hint("--version 1.2.3"))
    }
}

/// What a step would run. Nothing of an earlier step has to be there: digests are then made up.
fn planned(args: &Args, told: &Told) -> Result<Vec<Line>> {
    let event = told.event()?;
    let policy = event.policy();
    let plan = || Plan::find(told, &event);
    match args.step.as_str() {
        "build" => {
            let job = jobs::find(args.value()?)?;
            Ok(job.lines(&policy, plan()?.version(), told.base.as_deref()))
        }
        "push" => Ok(push_of(&plan()?, &made_up)?.lines),
        "names" => {
            let plan = plan()?;
            let pushed = push_of(&plan, &made_up)?.pushed;
            Ok(publish::name(&plan.images()?, &pushed, &publish::nobody)?.lines)
        }
        "archives" => Ok(archives::lines(plan()?.version())),
        "crates" => Ok(crates::lines(&crates::published()?, args.dry_run)),
        "plan" | "pack" | "jobs" => Ok(Vec::new()),
        step => bail!(
            Error::usage(format!("unknown step `release {step}`"))
                .hint("cargo xtask release --help")
        ),
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
    needs_skopeo()?;
    let path = pushed_path();
    let text = fs::read_to_string(&path).with_context(|| {
        Error::missing(format!("no {path}")).hint("first: cargo xtask release push")
    })?;
    let pushed: Vec<Pushed> =
        serde_json::from_str(&text).with_context(|| format!("{path} is not of a push"))?;
    let release = plan.images()?;
    let look = |reference: &str| publish::current(&release, reference);
    let named = publish::name(&release, &pushed, &look)?;
    named.kept.iter().for_each(|why| eprintln!("{why}"));
    named.lines.iter().try_for_each(Line::run)?;
    plan::write(&format!("{DIR}/release.json"), &named.document)
}

fn archives() -> Result<()> {
    let plan = Plan::load()?;
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
