//! `cargo xtask gpu-test`: proves on a machine with a GPU that a distribution uses it, computes what the
//! CPU computes, and is as fast as upstream's own programs. Nothing is written where nothing can be run.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

mod args;
mod bench;
mod blocks;
mod fit;
mod machine;
mod offload;
mod ops;
mod report;
pub mod server;
pub mod synthetic;
mod tokens;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail, ensure};
use llama_build::Pin;
use llama_src::Error;

use args::Args;
use product::manifest::Manifest;
use product::variant::Variant;
use report::{Report, Tokens};
use tokens::Difference;
use workspace::cargo;
use workspace::screen::{self, Screen};

pub use args::Cli;
pub use bench::median;
pub use report::results;

/// A distribution that is there.
struct Dist {
    dir: PathBuf,
    manifest: Manifest,
}

fn run(args: &Args) -> Result<()> {
    let (dist, cpu) = distributions(args)?;
    let model = args.model.clone().unwrap_or_else(|| cargo::root().join(demo_model::PATH));
    ensure!(
        model.is_file(),
        Error::missing(format!("model not found: {}", model.display()))
            .hint("cargo xtask demo-model, or --model FILE")
    );
    let mut screen = Screen::new();
    if args.tools.is_none() {
        tools::ensure(args.variant.row().software_gpu.is_some(), args.setup)?;
    }
    if let Some(dir) = &args.prepare {
        tools::keep(&tools::build(&mut screen, &dist.manifest)?, dir)?;
        screen::print(format_args!("test-backend-ops and llama-bench are in {}\n", dir.display()));
        return Ok(());
    }
    let devices = machine::devices(&dist.dir, &dist.manifest, args.variant)?;
    let programs = match &args.tools {
        Some(dir) => tools::find(dir)?,
        None => tools::build(&mut screen, &dist.manifest)?,
    };
    fs::create_dir_all(tools::folder())?;
    let scratch = tempfile::Builder::new().prefix("run-").tempdir_in(tools::folder())?;
    let beside = scratch.path().join("dist");
    tools::beside(&dist.dir, &dist.manifest, &programs, &beside)?;
    let test = Test { args, dist: &dist, cpu: cpu.as_ref(), model, devices };
    test.run(&mut screen, scratch.path(), &beside)
}

/// The distribution that is tested, and the one that gives the CPU's tokens.
fn distributions(args: &Args) -> Result<(Dist, Option<Dist>)> {
    let (host, out) = (cargo::host(), cargo::root().join("dist"));
    let open = |dir: PathBuf| Ok::<_, anyhow::Error>(Dist { manifest: Manifest::read(&dir)?, dir });
    let folders = fs::read_dir(&out).into_iter().flatten().flatten();
    let folders: Vec<String> = folders
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let dist = match &args.dist {
        Some(dir) => open(dir.clone())?,
        None => open(out.join(args::choose(&folders, args.variant, &host)?))?,
    };
    let own = || args::choose(&folders, Variant::Cpu, &host).ok().map(|name| out.join(name));
    let cpu = args.cpu_dist.clone().or_else(own).map(open).transpose()?;
    let other = cpu.as_ref().map(|cpu| &cpu.manifest);
    let wrong = fit::violations(&dist.manifest, other, args.variant, &host, &Pin::load());
    if wrong.is_empty() { Ok((dist, cpu)) } else { bail!(Error::all(wrong)) }
}

/// One run, with all that it takes.
struct Test<'a> {
    args: &'a Args,
    dist: &'a Dist,
    cpu: Option<&'a Dist>,
    model: PathBuf,
    devices: Vec<machine::Device>,
}

impl Test<'_> {
    /// Runs with the programs in `beside`. What is wrong is told together, after the table.
    fn run(&self, screen: &mut Screen, scratch: &Path, beside: &Path) -> Result<()> {
        let (manifest, variant) = (&self.dist.manifest, self.args.variant);
        let prefix = machine::prefix(variant);
        let (layers, tokens, mut wrong) = self.tokens(screen, prefix)?;
        let measured = self.measure(screen, scratch, beside, &mut wrong);
        let (ops, bench) = match measured {
            Ok(measured) => measured,
            Err(error) => {
                wrong.push(format!("{error:#}"));
                bail!(wrong.join("\n"));
            }
        };
        let report = Report {
            date: today(),
            llama_cpp: manifest.llama_cpp.tag.clone(),
            variant: variant.to_string(),
            version: manifest.version.clone(),
            driver: machine::driver(variant, &self.devices[0]),
            devices: self.devices.clone(),
            layers,
            tokens,
            ops,
            bench,
        };
        screen::print(&report);
        if !wrong.is_empty() {
            bail!(wrong.join("\n"));
        }
        self.args.json.as_deref().map_or(Ok(()), |path| report.write(path))
    }

    fn measure(
        &self,
        screen: &mut Screen,
        scratch: &Path,
        beside: &Path,
        wrong: &mut Vec<String>,
    ) -> Result<(ops::Ops, bench::Bench)> {
        screen.step("running test-backend-ops");
        let (filter, log) =
            (self.args.ops.as_deref(), tools::folder().join("test-backend-ops.log"));
        let ops = ops::run(screen, beside, filter, &log)?;
        wrong.extend(ops.violation());
        let prefix = machine::prefix(self.args.variant);
        let bench = bench::run(screen, beside, scratch, &self.args.bench, prefix)?;
        Ok((ops, bench))
    }

    /// Layers on the GPU, tokens compared, and where they differ.
    fn tokens(&self, screen: &mut Screen, prefix: &str) -> Result<(usize, Tokens, Vec<String>)> {
        screen.step("comparing tokens");
        let program = |dist: &Dist| dist.dir.join("llama-server");
        // One slot: a prompt is then computed alone, as the other server computes it.
        let gpu = ["-ngl", "99", "-np", "1", "-v"];
        let gpu = server::start(&program(self.dist), &self.model, &gpu)?;
        let placement = offload::read(gpu.log().iter().map(String::as_str));
        placement.check(prefix)?;
        ensure!(!placement.layers.is_empty(), "llama-server -v listed no layers");
        let (cpu, args): (&Dist, &[&str]) = match self.cpu {
            Some(cpu) => (cpu, &["-np", "1"]),
            None => (self.dist, &["-np", "1", "--device", "none"]),
        };
        let against = match self.cpu {
            Some(cpu) => format!("the cpu distribution {}", cpu.manifest.version),
            None => "the same distribution with --device none".to_owned(),
        };
        let cpu = server::start(&program(cpu), &self.model, args)?;
        let prompts = tokens::PROMPTS.len();
        let mut compared =
            Tokens { prompts, compared: 0, ties: 0, prompts_that_differ: 0, against };
        let mut wrong = Vec::new();
        for prompt in tokens::PROMPTS {
            let (cpu, gpu) = (tokens::ask(&cpu, prompt)?, tokens::ask(&gpu, prompt)?);
            compared.compared += cpu.tokens.len();
            match tokens::difference(prompt, &cpu, &gpu) {
                None => {}
                Some(Difference::Tie) => compared.ties += 1,
                Some(Difference::Wrong(text)) => wrong.push(text),
            }
        }
        compared.prompts_that_differ = wrong.len();
        Ok((placement.layers.len(), compared, wrong))
    }
}

/// The day in UTC, `2026-11-27`.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    product::time::rfc3339(since.as_secs()).chars().take(10).collect()
}
