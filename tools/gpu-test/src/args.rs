//! What a person types after `cargo xtask gpu-test`, and which distributions that means.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_src::Error;

use super::bench::Load;
use product::variant::Variant;

pub(super) const HELP: &str = "\
cargo xtask gpu-test: prove a distribution on this machine's GPU

  --variant NAME   cuda (default), rocm or vulkan
  --dist DIR       the distribution; default: the variant's in dist
  --cpu-dist DIR   the distribution whose tokens are compared; default: the cpu one in dist, or
                   the first one with `--device none` if there is no cpu one
  --model FILE     the model for the comparison of tokens; default: the demo model
  --ops LIST       operations for test-backend-ops, such as MUL_MAT,ADD; default: all
  --bench SIZE     8b (default): the shape of an 8B model, 4.9 GB of disk and GPU memory; tiny: 3 MB
  --json FILE      write the figures there if everything passes
  --setup          install what the build of upstream's two programs needs
  --prepare DIR    build upstream's two programs into DIR and stop; needs no GPU
  --tools DIR      use the two programs in DIR and build none
";

#[derive(Debug)]
pub(super) struct Args {
    pub(super) variant: Variant,
    pub(super) dist: Option<PathBuf>,
    pub(super) cpu_dist: Option<PathBuf>,
    pub(super) model: Option<PathBuf>,
    pub(super) ops: Option<String>,
    pub(super) bench: Load,
    pub(super) json: Option<PathBuf>,
    pub(super) setup: bool,
    pub(super) prepare: Option<PathBuf>,
    pub(super) tools: Option<PathBuf>,
}

/// The words of a command line; `None`: help is wanted.
///
/// # Errors
/// Names a word that means nothing.
pub(super) fn parse(args: Vec<OsString>) -> Result<Option<Args>> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut parsed = Args {
        variant: Variant::Cuda,
        dist: None,
        cpu_dist: None,
        model: None,
        ops: None,
        bench: Load::LLAMA_3_8B,
        json: None,
        setup: false,
        prepare: None,
        tools: None,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("variant") => parsed.variant = variant(&parser.value()?.string()?)?,
            Long("dist") => parsed.dist = Some(path(&mut parser)?),
            Long("cpu-dist") => parsed.cpu_dist = Some(path(&mut parser)?),
            Long("model") => parsed.model = Some(path(&mut parser)?),
            Long("ops") => parsed.ops = Some(parser.value()?.string()?),
            Long("bench") => parsed.bench = Load::parse(&parser.value()?.string()?)?,
            Long("json") => parsed.json = Some(path(&mut parser)?),
            Long("setup") => parsed.setup = true,
            Long("prepare") => parsed.prepare = Some(path(&mut parser)?),
            Long("tools") => parsed.tools = Some(path(&mut parser)?),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if parsed.prepare.is_some() && parsed.tools.is_some() {
        bail!(
            Error::usage("--prepare builds what --tools would take").hint("leave one of them out")
        );
    }
    Ok(Some(parsed))
}

/// Programs are run from other folders than this one.
fn path(parser: &mut lexopt::Parser) -> Result<PathBuf> {
    Ok(std::path::absolute(PathBuf::from(parser.value()?))?)
}

fn variant(name: &str) -> Result<Variant> {
    match Variant::ALL.into_iter().find(|variant| variant.name() == name) {
        Some(variant) if variant != Variant::Cpu => Ok(variant),
        _ => bail!(
            Error::usage(format!("`{name}` is no variant with a GPU"))
                .hint("variants: cuda rocm vulkan")
        ),
    }
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
            Error::missing(format!("no distribution of `{variant}` for {target} in dist"))
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

    fn parsed(words: &str) -> Result<Option<Args>> {
        parse(words.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, message) in [
            ("--variant cpu", "`cpu` is no variant with a GPU\n  hint: variants: cuda rocm vulkan"),
            ("--bench 70b", "no model of the size `70b`\n  hint: --bench 8b, or --bench tiny"),
            (
                "--prepare a --tools b",
                "--prepare builds what --tools would take\n  hint: leave one of them out",
            ),
        ] {
            assert_eq!(parsed(words).unwrap_err().to_string(), message, "{words}");
        }
        assert!(parsed("--help").unwrap().is_none());
        let args = parsed("--variant vulkan --bench tiny --ops MUL_MAT,ADD").unwrap().unwrap();
        assert_eq!((args.variant, args.bench), (Variant::Vulkan, Load::TINY));
        assert_eq!(args.ops.as_deref(), Some("MUL_MAT,ADD"));
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
            "no distribution of `rocm` for x86_64-unknown-linux-gnu in dist\n  hint: cargo xtask dist \
             --variant rocm --setup\n  hint: or name another folder: --dist DIR"
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
