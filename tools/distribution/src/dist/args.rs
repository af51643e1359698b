//! What a person types after `cargo xtask dist`, and whether it can be meant.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use lexopt::prelude::*;
use llama_src::Error;

use super::plan::Choice;
use product::variant::{self, Variant};
use workspace::cargo;

pub(super) const HELP: &str = "\
cargo xtask dist: make folders and archives with llama-server that run on other machines

  --variant LIST    cpu (default), cuda, rocm, vulkan, several with commas, or all of the target
  --target TRIPLE   x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu; default: this machine
  --toolkit X.Y     version of the vendor's toolkit; default: the installed one
  --arch LIST       GPU architectures for CMake, such as `90` or `gfx1100;gfx1201`;
                    default: upstream's list for the toolkit
  --one-file        one llama-server for every CPU, without libraries; only for cpu
  --packer          gguf-packer instead of llama-server, for this machine
  --setup           install what the variant needs; --yes means the same
  --out DIR         the folder for the results; default: dist
  --probe           only try the toolkit: configure the backend and compile one kernel
  --plan            print what would be built and from what; build nothing
  --json            with --plan: as JSON
";

#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) variants: Vec<Variant>,
    pub(super) target: Option<String>,
    pub(super) toolkit: Option<String>,
    pub(super) architectures: Option<String>,
    pub(super) one_file: bool,
    pub(super) packer: bool,
    pub(super) setup: bool,
    pub(super) out: PathBuf,
    pub(super) probe: bool,
    pub(super) plan: bool,
    pub(super) json: bool,
}

/// The words of a command line; `None`: help is wanted.
///
/// # Errors
/// Names a word that means nothing.
pub(super) fn parse(args: Vec<OsString>) -> Result<Option<Args>> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut parsed =
        Args { variants: vec![Variant::Cpu], out: cargo::root().join("dist"), ..Args::default() };
    let mut all = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Long("variant") => {
                let list = parser.value()?.string()?;
                all = list == "all";
                parsed.variants = variants(&list)?;
            }
            Long("target") => parsed.target = Some(parser.value()?.string()?),
            Long("toolkit") => parsed.toolkit = Some(parser.value()?.string()?),
            Long("arch") => parsed.architectures = Some(parser.value()?.string()?),
            Long("one-file") => parsed.one_file = true,
            Long("packer") => parsed.packer = true,
            Long("setup" | "yes") => parsed.setup = true,
            Long("out") => parsed.out = std::path::absolute(PathBuf::from(parser.value()?))?,
            Long("probe") => parsed.probe = true,
            Long("plan") => parsed.plan = true,
            Long("json") => parsed.json = true,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(arg.unexpected().into()),
        }
    }
    if all {
        let target = parsed.target.clone().unwrap_or_else(cargo::host);
        parsed.variants.retain(|variant| variant.targets().contains(&target.as_str()));
    }
    Ok(Some(parsed))
}

fn variants(list: &str) -> Result<Vec<Variant>> {
    if list == "all" {
        return Ok(Variant::ALL.to_vec());
    }
    let mut variants = list.split(',').map(Variant::parse).collect::<Result<Vec<_>>>()?;
    variants.dedup();
    Ok(variants)
}

impl Args {
    /// The distribution of `variant` that is meant.
    pub(super) fn choice(&self, variant: Variant, target: &str, toolkit: Option<String>) -> Choice {
        Choice {
            variant,
            target: target.to_owned(),
            toolkit,
            architectures: self.architectures.clone(),
            one_file: self.one_file,
        }
    }

    /// Everything about the words that is wrong, at once.
    ///
    /// # Errors
    /// Names all of it.
    pub(super) fn check(&self, target: &str) -> Result<()> {
        let mut wrong = Vec::new();
        let known = [variant::X86_64, variant::AARCH64];
        if !known.contains(&target) {
            wrong.push(
                Error::usage(format!("no distribution for `{target}`"))
                    .hint(format!("targets: {}", known.join(" "))),
            );
        }
        for variant in &self.variants {
            if known.contains(&target) && !variant.targets().contains(&target) {
                let targets = variant.targets().join(" ");
                wrong.push(
                    Error::usage(format!("no `{variant}` for {target}"))
                        .hint(format!("targets of {variant}: {targets}")),
                );
            }
            if variant.toolkits().is_empty() && self.toolkit.is_some() && self.variants.len() == 1 {
                wrong.push(
                    Error::usage(format!("--toolkit means nothing to `{variant}`"))
                        .hint("leave it out"),
                );
            }
            let takes_list = matches!(variant, Variant::Cuda | Variant::Rocm);
            if !takes_list && self.probe {
                wrong.push(
                    Error::usage(format!("--probe means nothing to `{variant}`"))
                        .hint("--variant cuda --probe"),
                );
            }
            if !takes_list && self.architectures.is_some() && self.variants.len() == 1 {
                wrong.push(
                    Error::usage(format!("--arch means nothing to `{variant}`"))
                        .hint("leave it out"),
                );
            }
        }
        if self.one_file && self.variants != [Variant::Cpu] {
            wrong.push(
                Error::usage("--one-file is for cpu alone")
                    .hint("leave out --one-file or --variant"),
            );
        }
        wrong.extend(self.packer_with_others());
        let several = self.variants.len() > 1;
        if several && (self.toolkit.is_some() || self.architectures.is_some()) {
            wrong.push(
                Error::usage("--toolkit and --arch need a single variant").hint("--variant cuda"),
            );
        }
        if self.toolkit.as_deref().is_some_and(|version| variant::major_minor(version).is_none()) {
            wrong.push(Error::usage("--toolkit is no version").hint("--toolkit 13.0"));
        }
        if self.json && !self.plan {
            wrong.push(
                Error::usage("--json goes with --plan").hint("cargo xtask dist --plan --json"),
            );
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    fn packer_with_others(&self) -> Option<Error> {
        let others = self.variants != [Variant::Cpu] || self.one_file || self.probe;
        (self.packer && (others || self.target.is_some())).then(|| {
            Error::usage("--packer is gguf-packer for this machine").hint(
                "leave out the words of llama-server: --variant, --one-file, --probe, --target",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &str, target: &str) -> String {
        let words = words.split_whitespace().map(OsString::from).collect();
        let args = parse(words).map(|args| args.expect("no help is asked for"));
        args.and_then(|args| args.check(target)).unwrap_err().to_string()
    }

    #[test]
    fn all_are_those_of_the_target() {
        let words = ["--variant", "all", "--target", variant::AARCH64].map(OsString::from);
        let args = parse(words.into()).unwrap().unwrap();
        assert_eq!(args.variants, [Variant::Cpu, Variant::Vulkan]);
        args.check(variant::AARCH64).unwrap();
    }

    #[test]
    fn words_that_cannot_be_meant_are_refused_all_at_once() {
        let x86 = variant::X86_64;
        for (words, target, message) in [
            (
                "--variant metal",
                x86,
                "no variant `metal`\n  hint: variants: cpu cuda rocm vulkan all",
            ),
            (
                "",
                "riscv64gc-unknown-linux-gnu",
                "no distribution for `riscv64gc-unknown-linux-gnu`\n  hint: targets: \
                 x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu",
            ),
            (
                "--variant rocm",
                variant::AARCH64,
                "no `rocm` for aarch64-unknown-linux-gnu\n  hint: targets of rocm: \
                 x86_64-unknown-linux-gnu",
            ),
            (
                "--toolkit 13.0 --arch 90",
                x86,
                "--toolkit means nothing to `cpu`\n  hint: leave it out\n--arch means nothing to `cpu`\n  \
                 hint: leave it out",
            ),
            (
                "--variant cpu,cuda --arch 90",
                x86,
                "--toolkit and --arch need a single variant\n  hint: --variant cuda",
            ),
            (
                "--variant cuda --toolkit new",
                x86,
                "--toolkit is no version\n  hint: --toolkit 13.0",
            ),
            (
                "--variant rocm,vulkan --probe",
                x86,
                "--probe means nothing to `vulkan`\n  hint: --variant cuda --probe",
            ),
            (
                "--variant vulkan --one-file",
                x86,
                "--one-file is for cpu alone\n  hint: leave out --one-file or --variant",
            ),
            (
                "--packer --one-file",
                x86,
                "--packer is gguf-packer for this machine\n  hint: leave out the words of llama-server: --variant, \
                 --one-file, --probe, --target",
            ),
            ("--json", x86, "--json goes with --plan\n  hint: cargo xtask dist --plan --json"),
        ] {
            assert_eq!(refused(words, target), message, "{words}");
        }
    }
}
