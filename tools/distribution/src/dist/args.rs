//! What a person types after `cargo xtask dist`, and whether it can be meant.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::FromArgMatches;
use llama_src::Error;
use product::arch::Arch;
use product::args::{Variants, once, path, variants};
use product::variant::{self, Variant};
use workspace::cargo;

use super::plan::Choice;

#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub struct Args {
    #[arg(long = "variant", value_name = "LIST", value_delimiter = ',', default_value = "cpu",
          value_parser = variants(), hide_possible_values = true, help = list())]
    variants: Vec<Variants>,
    #[arg(long, value_name = "TRIPLE", help = targets())]
    pub(super) target: Option<String>,
    /// Version of the vendor's toolkit; default: the installed one
    #[arg(long, value_name = "X.Y")]
    pub(super) toolkit: Option<String>,
    /// GPU architectures for CMake, such as `90` or `gfx1100;gfx1201`;
    /// default: upstream's list for the toolkit
    #[arg(long = "arch", value_name = "LIST", verbatim_doc_comment)]
    pub(super) architectures: Option<String>,
    /// One llama-server for every CPU, without libraries; only for cpu
    #[arg(long)]
    pub(super) one_file: bool,
    /// gguf-packer instead of llama-server, for this machine
    #[arg(long)]
    pub(super) packer: bool,
    /// Install what the variant needs
    #[arg(long, visible_alias = "yes")]
    pub(super) setup: bool,
    /// The folder for the results; default: dist
    #[arg(long, value_name = "DIR", value_parser = path(), hide_default_value = true,
          default_value_os_t = cargo::root().join("dist"))]
    pub(super) out: PathBuf,
    /// Only try the toolkit: configure the backend and compile one kernel
    #[arg(long)]
    pub(super) probe: bool,
    /// Print what would be built and from what; build nothing
    #[arg(long)]
    pub(super) plan: bool,
    /// With --plan: print JSON
    #[arg(long, requires = "plan")]
    pub(super) json: bool,
}

impl Args {
    /// What is distributed; of all variants those that the target has.
    pub(super) fn variants(&self) -> Vec<Variant> {
        let target = self.target();
        let fits = |variant: &Variant| variant.targets().contains(&target.as_str());
        once(self.variants.iter().flat_map(|list| {
            list.0.iter().copied().filter(|variant| !list.is_all() || fits(variant))
        }))
    }

    /// The machines that it is for.
    pub(super) fn target(&self) -> String {
        self.target.clone().unwrap_or_else(cargo::host)
    }

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
        let known = Arch::ALL.map(|arch| arch.target);
        if !known.contains(&target) {
            wrong.push(
                Error::usage(format!("unsupported target `{target}`"))
                    .hint(format!("use one of: {}", known.join(" "))),
            );
        }
        let variants = self.variants();
        for variant in &variants {
            if known.contains(&target) && !variant.targets().contains(&target) {
                let targets = variant.targets().join(" ");
                wrong.push(
                    Error::usage(format!("`{variant}` is not available for {target}"))
                        .hint(format!("targets of {variant}: {targets}")),
                );
            }
            if variant.toolkits().is_empty() && self.toolkit.is_some() && variants.len() == 1 {
                wrong.push(
                    Error::usage(format!("--toolkit does not apply to `{variant}`"))
                        .hint("leave it out"),
                );
            }
            let takes_list = variant.row().gpu_code.is_some();
            if !takes_list && self.probe {
                wrong.push(
                    Error::usage(format!("--probe does not apply to `{variant}`"))
                        .hint("--variant cuda --probe"),
                );
            }
            if !takes_list && self.architectures.is_some() && variants.len() == 1 {
                wrong.push(
                    Error::usage(format!("--arch does not apply to `{variant}`"))
                        .hint("leave it out"),
                );
            }
        }
        if self.one_file && variants != [Variant::Cpu] {
            wrong.push(
                Error::usage("--one-file applies only to cpu")
                    .hint("leave out --one-file or --variant"),
            );
        }
        wrong.extend(self.packer_with_others());
        let several = variants.len() > 1;
        if several && (self.toolkit.is_some() || self.architectures.is_some()) {
            wrong.push(
                Error::usage("--toolkit and --arch need exactly one variant")
                    .hint("--variant cuda"),
            );
        }
        if self.toolkit.as_deref().is_some_and(|version| variant::major_minor(version).is_none()) {
            wrong.push(Error::usage("--toolkit is not a version").hint("--toolkit 13.0"));
        }
        if wrong.is_empty() { Ok(()) } else { bail!(Error::all(wrong)) }
    }

    fn packer_with_others(&self) -> Option<Error> {
        let others = self.variants() != [Variant::Cpu] || self.one_file || self.probe;
        (self.packer && (others || self.target.is_some())).then(|| {
            Error::usage("--packer builds gguf-packer for this machine").hint(
                "leave out the options of llama-server: --variant, --one-file, --probe, --target",
            )
        })
    }
}

/// The words of a command line, for the tests of those who type them.
///
/// # Errors
/// Names a word that means nothing.
pub(super) fn parsed(words: &[&str]) -> Result<Args, clap::Error> {
    let command = <Args as clap::Args>::augment_args(clap::Command::new("dist"));
    let matches = command.no_binary_name(true).try_get_matches_from(words)?;
    Args::from_arg_matches(&matches)
}

fn list() -> String {
    let names = Variant::ALL.map(Variant::name).join(", ");
    format!("{names}, several with commas;\nor all, those of the target")
}

fn targets() -> String {
    let known = Arch::ALL.map(|arch| arch.target).join(" or ");
    format!("{known};\ndefault: this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &str, target: &str) -> String {
        let args = parsed(&words.split_whitespace().collect::<Vec<_>>()).unwrap();
        let error = args.check(target).unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().map(Error::exit_code), Some(2));
        let targets = Arch::ALL.map(|arch| arch.target).join(" ");
        error.to_string().replace(&targets, "TARGETS")
    }

    #[test]
    fn all_are_those_of_the_target() {
        let args = parsed(&["--variant", "all", "--target", variant::AARCH64]).unwrap();
        assert_eq!(args.variants(), [Variant::Cpu, Variant::Vulkan]);
        args.check(variant::AARCH64).unwrap();
    }

    #[test]
    fn words_that_cannot_be_meant_are_refused_all_at_once() {
        let x86 = variant::X86_64;
        for (words, target, message) in [
            (
                "",
                "x86_64-apple-darwin",
                "unsupported target `x86_64-apple-darwin`\n  hint: use one of: TARGETS",
            ),
            (
                "--variant rocm",
                variant::AARCH64,
                "`rocm` is not available for aarch64-unknown-linux-gnu\n  hint: targets of rocm: \
                x86_64-unknown-linux-gnu",
            ),
            (
                "--toolkit 13.0 --arch 90",
                x86,
                "--toolkit does not apply to `cpu`\n  hint: leave it out\n--arch does not apply \
                to `cpu`\n  hint: leave it out",
            ),
            (
                "--variant cpu,cuda --arch 90",
                x86,
                "--toolkit and --arch need exactly one variant\n  hint: --variant cuda",
            ),
            (
                "--variant cuda --toolkit new",
                x86,
                "--toolkit is not a version\n  hint: --toolkit 13.0",
            ),
            (
                "--variant rocm,vulkan --probe",
                x86,
                "--probe does not apply to `vulkan`\n  hint: --variant cuda --probe",
            ),
            (
                "--variant vulkan --one-file",
                x86,
                "--one-file applies only to cpu\n  hint: leave out --one-file or --variant",
            ),
            (
                "--packer --one-file",
                x86,
                "--packer builds gguf-packer for this machine\n  hint: leave out the options of \
                llama-server: --variant, --one-file, --probe, --target",
            ),
        ] {
            assert_eq!(refused(words, target), message, "{words}");
        }
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, message) in [
            (["--variant", "cpu,metal"], "[possible values: cpu, "),
            (["--json", "--setup"], "--plan"),
        ] {
            let error = parsed(&words).unwrap_err().to_string();
            assert!(error.contains(message), "{words:?}: {error}");
        }
        assert!(parsed(&["--yes"]).unwrap().setup);
    }
}
