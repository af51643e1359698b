//! What a person types after `cargo xtask gpu-test`, and which distributions that means.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use llama_src::Error;
use product::args::{path, variant};
use product::variant::Variant;
use workspace::tools;

use super::bench::Load;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("gpu-test"))]
    GpuTest(Args),
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::GpuTest(args) = self;
        crate::run(&args)
    }
}

// Programs are run from other folders than this one, so every path is absolute.
#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub struct Args {
    /// The variant
    #[arg(long, value_name = "NAME", default_value = default(),
          value_parser = variant(|variant| variant.backend().is_some()))]
    pub(super) variant: Variant,
    /// The distribution; default: the variant's in dist
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub(super) dist: Option<PathBuf>,
    /// The distribution whose tokens are compared; default: the cpu one in
    /// dist, or the first one with `--device none` if there is no cpu one
    #[arg(long, value_name = "DIR", value_parser = path(), verbatim_doc_comment)]
    pub(super) cpu_dist: Option<PathBuf>,
    /// The model for the comparison of tokens; default: the demo model
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(super) model: Option<PathBuf>,
    /// Operations for test-backend-ops, such as MUL_MAT,ADD; default: all
    #[arg(long, value_name = "LIST")]
    pub(super) ops: Option<String>,
    /// 8b: the shape of an 8B model, 4.9 GB of disk and GPU memory
    /// tiny: 3 MB
    #[arg(long, value_name = "SIZE", default_value = "8b", value_parser = load(),
          verbatim_doc_comment)]
    pub(super) bench: Load,
    /// Write the figures there if everything passes
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(super) json: Option<PathBuf>,
    /// Install what the build of upstream's two programs needs
    #[arg(long)]
    pub(super) setup: bool,
    /// Build upstream's two programs into DIR and stop; needs no GPU
    #[arg(long, value_name = "DIR", value_parser = path(), conflicts_with = "tools")]
    pub(super) prepare: Option<PathBuf>,
    /// Use the two programs in DIR and build none
    #[arg(long, value_name = "DIR", value_parser = path())]
    pub(super) tools: Option<PathBuf>,
}

fn default() -> &'static str {
    Variant::with_gpu().next().expect("a release has a variant with a GPU").name()
}

fn load() -> impl TypedValueParser<Value = Load> {
    PossibleValuesParser::new(["8b", "tiny"]).map(|name| match name.as_str() {
        "tiny" => Load::TINY,
        _ => Load::LLAMA_3_8B,
    })
}

/// The folder of `variant` for `target` among `folders`, names in the output folder of `dist`.
///
/// # Errors
/// When there is none, or one for each of several toolkits.
pub(super) fn choose<'a>(
    folders: &'a [String],
    variant: Variant,
    target: &str,
) -> Result<&'a String> {
    let fits = |name: &&String| {
        let toolkit = name
            .strip_prefix(variant.name())
            .and_then(|rest| rest.strip_suffix(target)?.strip_suffix('-'));
        toolkit.is_some_and(|toolkit| toolkit.is_empty() || toolkit.starts_with('-'))
    };
    let found: Vec<&String> = folders.iter().filter(fits).collect();
    match found[..] {
        [one] => Ok(one),
        [] => bail!(
            Error::missing(format!("no distribution of `{variant}` for {target} found in dist"))
                .hint(format!("cargo xtask dist --variant {variant} --setup"))
                .hint("or name another folder: --dist DIR")
        ),
        [..] => {
            let error = Error::usage(format!("several distributions of `{variant}` in dist"));
            let hints = found.iter().map(|name| format!("--dist dist/{name}"));
            bail!(hints.fold(error, Error::hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use product::variant::X86_64;

    fn parsed(words: &str) -> Result<Args, clap::Error> {
        let words = ["cargo xtask", "gpu-test"].into_iter().chain(words.split_whitespace());
        Cli::try_parse_from(words).map(|Cli::GpuTest(args)| args)
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, message) in [
            ("--variant cpu", "[possible values: cuda, "),
            ("--bench 70b", "[possible values: 8b, tiny]"),
            ("--prepare a --tools b", "'--prepare <DIR>' cannot be used with '--tools <DIR>'"),
        ] {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains(message), "{words}: {error}");
        }
        let args = parsed("--variant vulkan --bench tiny --ops MUL_MAT,ADD --dist x").unwrap();
        assert_eq!((args.variant, args.bench), (Variant::Vulkan, Load::TINY));
        assert_eq!(args.ops.as_deref(), Some("MUL_MAT,ADD"));
        assert_eq!(args.dist, std::path::absolute("x").ok());
    }

    #[test]
    fn the_one_distribution_of_a_variant_is_taken() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let there = names(&[
            "cpu-x86_64-unknown-linux-gnu",
            "cuda-13.0-x86_64-unknown-linux-gnu",
            "vulkan-aarch64-unknown-linux-gnu",
            "vulkan-x86_64-unknown-linux-gnu",
        ]);
        assert_eq!(choose(&there, Variant::Cuda, X86_64).unwrap(), &there[1]);
        assert_eq!(choose(&there, Variant::Vulkan, X86_64).unwrap(), &there[3]);
        assert_eq!(choose(&there, Variant::Cpu, X86_64).unwrap(), &there[0]);
        assert_eq!(
            choose(&there, Variant::Rocm, X86_64).unwrap_err().to_string(),
            "no distribution of `rocm` for x86_64-unknown-linux-gnu found in dist\n  hint: cargo \
            xtask dist --variant rocm --setup\n  hint: or name another folder: --dist DIR"
        );
        let two =
            names(&["cuda-13.0-x86_64-unknown-linux-gnu", "cuda-12.8-x86_64-unknown-linux-gnu"]);
        assert_eq!(
            choose(&two, Variant::Cuda, X86_64).unwrap_err().to_string(),
            "several distributions of `cuda` in dist\n  hint: --dist \
             dist/cuda-13.0-x86_64-unknown-linux-gnu\n  hint: --dist dist/cuda-12.8-x86_64-unknown-linux-gnu"
        );
    }
}
