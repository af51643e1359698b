//! `cargo xtask fuzz`: changed and broken input on every way of a stranger's bytes into the server, under ASan and
//! UBSan, for a bounded time. What is fuzzed is in `tests/fuzz`, one file a target.

mod build;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use llama_src::Error;
use llama_src::sh::Cmd;

use workspace::cargo;
use workspace::install;
use workspace::screen::Screen;

pub(crate) use build::build;

/// For reading what was kept, and for a busy machine: libFuzzer ends by itself.
const MARGIN: Duration = Duration::from_secs(300);
/// What of a machine one input may take.
const SECONDS: u64 = 20;
const MEGABYTES: u64 = 2048;

/// A target, by the name of its file in `tests/fuzz`.
struct Target {
    name: &'static str,
    /// Bytes of the longest input: what is longer finds little more, and slowly.
    longest: u64,
}

const TARGETS: &[Target] = &[
    Target { name: "gguf", longest: 64 << 10 },
    Target { name: "grammar", longest: 4 << 10 },
    Target { name: "jinja", longest: 8 << 10 },
    Target { name: "lora", longest: 16 << 10 },
    Target { name: "media", longest: 16 << 10 },
    Target { name: "mmproj", longest: 16 << 10 },
    Target { name: "model", longest: 64 << 10 },
    Target { name: "output", longest: 4 << 10 },
    Target { name: "request", longest: 16 << 10 },
    Target { name: "schema", longest: 8 << 10 },
    Target { name: "slot", longest: 64 << 10 },
    Target { name: "state", longest: 64 << 10 },
];

#[derive(Debug, clap::Args)]
#[command(after_help = "The findings are in target/fuzz/findings. See docs/fuzzing.md.")]
#[command(next_line_help = true)]
pub struct Args {
    #[arg(value_name = "TARGET", help = targets(), hide_possible_values = true,
          value_parser = PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    targets: Vec<String>,
    /// For all targets together
    #[arg(long, value_name = "N", default_value_t = 20)]
    minutes: u64,
    /// The same in seconds
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    seconds: Option<u64>,
    /// Repeat the run that printed this number
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Build only
    #[arg(long)]
    build: bool,
    /// Install missing packages with the system's package manager
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(60 * self.minutes))
    }
}

fn targets() -> String {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let lines: Vec<String> = names.chunks(9).map(|line| line.join(" ")).collect();
    format!("What is fuzzed; default: all of\n{}", lines.join("\n"))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut screen = Screen::new();
    install::ensure(&install::config(&[])?, &[product::requirements::clang()], args.yes)?;
    let program = build(&mut screen)?;
    if args.build {
        return Ok(());
    }
    fuzz(&mut screen, &program, args)
}

fn fuzz(screen: &mut Screen, program: &Path, args: &Args) -> Result<()> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| {
            args.targets.is_empty() || args.targets.iter().any(|name| name == target.name)
        })
        .collect();
    let time = args.time() / u32::try_from(chosen.len())?;
    let mut found = Vec::new();
    for target in chosen {
        let run = Run::new(target, program, args.seed)?;
        screen.step(&format!(
            "fuzzing {} for {} s, --seed {}",
            target.name,
            time.as_secs(),
            run.seed
        ));
        if let Err(error) = run.go(time) {
            found.push(format!("{}, --seed {}: {error:#}", target.name, run.seed));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(Error::new(found.join("\n")).hint("read docs/fuzzing.md for what to do"))
}

/// One target's run.
struct Run<'a> {
    target: &'a Target,
    program: PathBuf,
    seed: u32,
    /// What earlier runs found worth keeping; a run that is repeated begins without.
    corpus: PathBuf,
    findings: PathBuf,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, program: &Path, seed: Option<u32>) -> Result<Self> {
        let own = build::folder();
        let corpus = own.join(if seed.is_some() { "repeated" } else { "corpus" }).join(target.name);
        if seed.is_some() && corpus.exists() {
            fs::remove_dir_all(&corpus)
                .with_context(|| format!("cannot remove {}", corpus.display()))?;
        }
        let findings = own.join("findings");
        for dir in [&corpus, &findings] {
            fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        // The program looks at the name by which it is called.
        let named = own.join("bin").join(target.name);
        fs::create_dir_all(own.join("bin"))?;
        let _ = fs::remove_file(&named);
        fs::hard_link(program, &named)
            .or_else(|_| fs::copy(program, &named).map(drop))
            .with_context(|| format!("cannot write {}", named.display()))?;
        let seed = seed.unwrap_or_else(|| std::process::id().wrapping_mul(2_654_435_761));
        Ok(Self { target, program: named, seed, corpus, findings })
    }

    fn go(&self, time: Duration) -> Result<()> {
        let cmd = self.environment(Cmd::new(&self.program));
        cmd.clone().arg("--seeds").arg(&self.corpus).run()?;
        let prefix = self.findings.join(self.target.name);
        let cmd = cmd
            .arg(format!("-seed={}", self.seed))
            .arg(format!("-max_total_time={}", time.as_secs().max(1)))
            .arg(format!("-timeout={SECONDS}"))
            .arg(format!("-rss_limit_mb={MEGABYTES}"))
            .arg(format!("-max_len={}", self.target.longest))
            .arg(format!("-artifact_prefix={}-", prefix.display()));
        let words = kept(&format!("{}.dict", self.target.name));
        let cmd = cmd.limit(time + MARGIN);
        let cmd = if words.is_file() { cmd.arg(format!("-dict={}", words.display())) } else { cmd };
        let started = Instant::now();
        let log = build::folder().join(format!("{}.log", self.target.name));
        // The last run's; whether there was one does not matter.
        let _ = fs::remove_file(&log);
        let seeds = Some(kept(self.target.name)).filter(|dir| dir.is_dir());
        cmd.arg(&self.corpus).args(seeds).run_logged(&log, |_| ())?;
        let inputs = fs::read_dir(&self.corpus)?.count();
        eprintln!("    {inputs} inputs worth keeping after {} s", started.elapsed().as_secs());
        Ok(())
    }

    /// What is no finding: memory that is not there is an error that the server catches. What is loaded at the start
    /// may leak when it is refused, as the server ends then, and what the server keeps is still in use.
    fn environment(&self, cmd: Cmd) -> Cmd {
        let leaks = ["request", "slot", "model", "lora", "mmproj"];
        let leaks = u8::from(!leaks.contains(&self.target.name));
        cmd.env(
            "ASAN_OPTIONS",
            format!("allocator_may_return_null=1:detect_leaks={leaks}:handle_abort=1"),
        )
        .env("UBSAN_OPTIONS", "print_stacktrace=1")
    }
}

/// What the repository keeps for the targets.
fn kept(name: &str) -> PathBuf {
    cargo::root().join("tests/fuzz/corpus").join(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Cli;

    fn parsed(words: &str) -> Result<Args, clap::Error> {
        let words = ["cargo xtask", "fuzz"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).map(|cli| match cli {
            Cli::Fuzz(args) => args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn twenty_minutes_of_everything_unless_told_otherwise() {
        let args = parsed("").unwrap();
        assert_eq!(args.time(), Duration::from_secs(1200));
        assert!(args.seed.is_none() && args.targets.is_empty() && !args.build && !args.yes);
        let args = parsed("--seconds 60 --seed 7 gguf model").unwrap();
        assert_eq!((args.time(), args.seed), (Duration::from_secs(60), Some(7)));
        assert_eq!(args.targets, ["gguf", "model"]);
    }

    #[test]
    fn an_unknown_target_is_refused_with_all_names() {
        let error = parsed("html").unwrap_err().to_string();
        assert!(error.contains("[possible values: gguf, grammar, jinja, lora, media,"), "{error}");
    }

    #[test]
    fn program_and_page_know_the_same_targets() {
        let main = include_str!("../../../tests/fuzz/main.cpp");
        let list = main.split("TARGETS[] = {").nth(1).unwrap().split("};").next().unwrap();
        let known: Vec<&str> = list
            .split(',')
            .map(|name| name.trim().trim_start_matches('&'))
            .filter(|name| !name.is_empty())
            .collect();
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(known, names);
        let page = include_str!("../../../docs/fuzzing.md");
        for name in names {
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
