//! What a person types after `cargo xtask bench`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::engines::Engine;
use crate::report;
use product::args::{path, variant};
use product::variant::Variant;
use workspace::cargo;
use workspace::tools;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("bench"))]
    Bench(Box<Args>),
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::Bench(args) = self;
        match args.command {
            Some(Command::Report { check }) => report::run(check),
            None => crate::run(&args),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true, next_line_help = true)]
pub struct Args {
    /// build: time, CPU time and memory of builds, next to those of
    ///   upstream's Dockerfile
    /// images: time of the images from a clone, without caches; needs a
    ///   Docker engine
    /// size: bytes of the server and its libraries
    /// start: time from the start of the server until it is ready
    /// run: tokens each second: prompts, generation, many streams
    #[arg(required = true, value_name = "WORD", hide_possible_values = true, verbatim_doc_comment)]
    pub(crate) words: Vec<Word>,
    /// Take fewer and shorter measurements
    #[arg(long)]
    pub(crate) quick: bool,
    /// Use a model of 3 MB, which only tries the command
    #[arg(long)]
    pub(crate) tiny: bool,
    /// Our distribution; default: the cpu one in dist
    #[arg(long, value_name = "DIR", value_parser = path())]
    dist: Option<PathBuf>,
    /// Upstream's build folder; default: built where it is missing
    #[arg(long, value_name = "DIR", value_parser = path())]
    official: Option<PathBuf>,
    /// Write the results there; default: bench/results.json in the target
    /// folder
    #[arg(long, value_name = "FILE", value_parser = path(), verbatim_doc_comment)]
    json: Option<PathBuf>,
    /// The variant
    #[arg(long, value_name = "NAME", default_value = "cpu", value_parser = variant(|_| true),
          help_heading = "With build and images")]
    pub(crate) variant: Variant,
    /// Our image, or its archive
    #[arg(long, value_name = "NAME", help_heading = "With size")]
    pub(crate) image: Option<String>,
    /// Upstream's image
    #[arg(long, value_name = "NAME", help_heading = "With size")]
    pub(crate) official_image: Option<String>,
    /// The CPU variant of our side and upstream's, such as zen4 [default: the
    /// best for this machine]
    #[arg(long, value_name = "NAME", help_heading = "With start and run", verbatim_doc_comment)]
    pub(crate) cpu: Option<String>,
    /// Other engines, of llama-cpp-2, xllamacpp, llama-cpp-python and debian;
    /// Debian's package has to be installed, and the command installs the
    /// others into the target folder
    #[arg(
        long = "with",
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "With run",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    pub(crate) engines: Vec<Engine>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Word {
    Build,
    Images,
    Size,
    Start,
    Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write docs/performance.md and its plots from bench/results
    Report {
        /// Only compare
        #[arg(long)]
        check: bool,
    },
}

impl Args {
    pub(crate) fn dist(&self) -> PathBuf {
        let own = || cargo::root().join("dist").join(format!("cpu-{}", cargo::host()));
        self.dist.clone().unwrap_or_else(own)
    }

    pub(crate) fn official(&self) -> PathBuf {
        self.official.clone().unwrap_or_else(|| crate::folder().join("official/build"))
    }

    /// Whether a person named upstream's build.
    pub(crate) fn names_official(&self) -> bool {
        self.official.is_some()
    }

    pub(crate) fn json(&self) -> PathBuf {
        self.json.clone().unwrap_or_else(|| crate::folder().join("results.json"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn parsed(words: &str) -> Result<Args, clap::Error> {
        let words = ["cargo xtask", "bench"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).map(|Cli::Bench(args)| *args)
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, message) in [
            ("", "<WORD>..."),
            ("speed", "[possible values: build, images, size, start, run]"),
            ("run report", "invalid value 'report'"),
            ("run --check", "unexpected argument '--check'"),
            ("report --quick", "unexpected argument '--quick'"),
            ("build --variant x", "[possible values: cpu, "),
            ("run --with vllm", "llama-cpp-2, xllamacpp, llama-cpp-python, debian]"),
        ] {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains(message), "{words}: {error}");
        }
        let args = parsed("start run --quick --with debian,xllamacpp --dist x").unwrap();
        assert_eq!(args.words, [Word::Start, Word::Run]);
        assert_eq!(args.engines, [Engine::Debian, Engine::Xllamacpp]);
        assert_eq!(args.dist(), std::path::absolute("x").unwrap());
        assert!(matches!(
            parsed("report --check").unwrap().command,
            Some(Command::Report { check: true })
        ));
    }
}
