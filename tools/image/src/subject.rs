//! Which image is meant: variant, toolkit, platforms, with a shell or without.

use anyhow::{Result, bail};
use llama_src::Error;

use super::images::Images;
use product::arch::Arch;
use product::variant::{Variant, major_minor};

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) variant: Variant,
    /// Version of the vendor's toolkit, where there is one.
    pub(super) toolkit: Option<String>,
    /// GPU architectures in place of upstream's, as CMake takes them.
    pub(super) architectures: Option<String>,
    /// Docker's names.
    pub(super) platforms: Vec<&'static str>,
    /// No shell, no package manager.
    pub(super) minimal: bool,
}

impl Subject {
    /// The default image of a variant, for all its platforms.
    pub(super) fn new(variant: Variant) -> Self {
        let toolkit = variant.toolkits().first().map(|version| (*version).to_owned());
        let platforms = platforms(variant);
        Self { variant, toolkit, architectures: None, platforms, minimal: false }
    }

    /// Every image that the words mean; without a platform among them those of `default`.
    ///
    /// # Errors
    /// Names all that cannot be meant.
    pub(super) fn all(
        images: &Images,
        architectures: Option<&str>,
        default: Platforms,
    ) -> Result<Vec<Self>> {
        let (mut subjects, mut wrong) = (Vec::new(), Vec::new());
        for variant in images.variants() {
            for toolkit in toolkits(variant, images.toolkit.as_deref()) {
                let platforms = chosen(variant, &images.platforms, default, &mut wrong);
                subjects.push(Self {
                    toolkit,
                    architectures: architectures.map(str::to_owned),
                    platforms,
                    minimal: images.minimal,
                    ..Self::new(variant)
                });
            }
            check(variant, images, architectures, &mut wrong);
        }
        wrong.dedup();
        if wrong.is_empty() { Ok(subjects) } else { bail!(Error::all(wrong)) }
    }

    /// Whether the variant means this toolkit when none is named.
    pub(super) fn has_default_toolkit(&self) -> bool {
        self.toolkit.as_deref() == self.variant.toolkits().first().copied()
    }

    /// Whether it is for every platform of its variant.
    pub(super) fn is_whole(&self) -> bool {
        platforms(self.variant).iter().all(|platform| self.platforms.contains(platform))
    }

    /// What its GPU code was compiled for.
    pub(super) fn gpu_architectures(&self) -> Vec<String> {
        match &self.architectures {
            Some(list) => {
                let words = list.split([';', ',']).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            }
            None => {
                let version = self.toolkit.as_deref().and_then(major_minor);
                let list = self.variant.gpu_architectures(version);
                list.into_iter().map(str::to_owned).collect()
            }
        }
    }

    pub(super) fn minimum_driver(&self) -> Option<&'static str> {
        self.variant.minimum_driver(self.toolkit.as_deref().and_then(major_minor))
    }

    /// The first CUDA whose driver can run it.
    pub(super) fn minimum_cuda(&self) -> Option<&'static str> {
        let toolkit = self.toolkit.as_deref().and_then(major_minor);
        self.variant.toolkit(toolkit)?.minimum_cuda
    }

    /// Target of the Dockerfile.
    pub(super) fn stage(&self) -> &'static str {
        if self.minimal { "minimal" } else { "runtime" }
    }
}

/// What is meant where no platform is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Platforms {
    /// This machine's; the variant's first one where it has none for this machine.
    Own,
    /// All of the variant's.
    All,
}

/// Docker's names of the platforms that a variant has images for.
pub(super) fn platforms(variant: Variant) -> Vec<&'static str> {
    variant.row().arches.iter().map(|arch| arch.platform).collect()
}

/// Docker's name of the platform of a target triple.
pub(super) fn platform_of(target: &str) -> Option<&'static str> {
    Arch::of(target).map(|arch| arch.platform)
}

/// `amd64` of `linux/amd64`.
pub(super) fn architecture(platform: &str) -> &str {
    platform.rsplit('/').next().unwrap_or(platform)
}

fn toolkits(variant: Variant, wanted: Option<&str>) -> Vec<Option<String>> {
    match wanted {
        _ if variant.toolkits().is_empty() => vec![None],
        Some("all") => {
            variant.toolkits().iter().map(|version| Some((*version).to_owned())).collect()
        }
        Some(version) => vec![Some(version.to_owned())],
        None => vec![Subject::new(variant).toolkit],
    }
}

fn chosen(
    variant: Variant,
    wanted: &[String],
    default: Platforms,
    wrong: &mut Vec<Error>,
) -> Vec<&'static str> {
    let known = platforms(variant);
    if wanted.is_empty() {
        let named = |arch: &Arch| arch.name == std::env::consts::ARCH;
        let own = Arch::ALL.into_iter().find(named).unwrap_or(Arch::X86_64).platform;
        return match default {
            Platforms::All => known,
            Platforms::Own if known.contains(&own) => vec![own],
            Platforms::Own => known[..1].to_vec(),
        };
    }
    for name in wanted.iter().filter(|name| !known.contains(&name.as_str())) {
        let known = known.join(" ");
        wrong.push(
            Error::usage(format!("no `{variant}` image for {name}"))
                .hint(format!("platforms of {variant}: {known}")),
        );
    }
    known.into_iter().filter(|name| wanted.iter().any(|wanted| wanted == name)).collect()
}

fn check(variant: Variant, images: &Images, architectures: Option<&str>, wrong: &mut Vec<Error>) {
    let several = images.variants().len() > 1;
    let toolkit = images.toolkit.as_deref().filter(|version| *version != "all");
    if several && (toolkit.is_some() || architectures.is_some()) {
        wrong.push(
            Error::usage("--toolkit and --arch need exactly one variant")
                .hint("name one instead of `all`"),
        );
        return;
    }
    if !several && variant.toolkits().is_empty() {
        for (word, given) in
            [("toolkit", images.toolkit.is_some()), ("arch", architectures.is_some())]
        {
            if given {
                wrong.push(
                    Error::usage(format!("--{word} does not apply to `{variant}`"))
                        .hint("leave it out"),
                );
            }
        }
    } else if toolkit.is_some_and(|version| major_minor(version).is_none()) {
        wrong.push(Error::usage("--toolkit is not a version").hint("--toolkit 13.0"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn subjects(words: &str, default: Platforms) -> Result<Vec<Subject>> {
        let build = args::tests::build(words)?;
        Subject::all(&build.images, build.architectures.as_deref(), default)
    }

    #[test]
    fn words_name_images() {
        let of = |words: &str| {
            let all = subjects(words, Platforms::All).unwrap().into_iter();
            let text = all.map(|one| {
                let toolkit = one.toolkit.clone().unwrap_or_default();
                format!("{}{toolkit} {} {}", one.variant, one.platforms.join(","), one.stage())
            });
            text.collect::<Vec<_>>()
        };
        assert_eq!(of("cpu"), [format!("cpu {} runtime", platforms(Variant::Cpu).join(","))]);
        assert_eq!(of("cpu --platform linux/arm64 --minimal"), ["cpu linux/arm64 minimal"]);
        assert_eq!(of("cuda --toolkit 12.9"), ["cuda12.9 linux/amd64 runtime"]);
        let all = of("all --toolkit all");
        let cuda: Vec<_> = all.iter().filter(|one| one.starts_with("cuda")).collect();
        assert_eq!(cuda.len(), Variant::Cuda.toolkits().len());
        assert_eq!(cuda.last().unwrap().as_str(), "cuda12.8 linux/amd64 runtime");
        assert_eq!(all[0], of("cpu")[0]);
        assert_eq!(subjects("cuda", Platforms::Own).unwrap()[0].platforms, ["linux/amd64"]);
        assert_eq!(subjects("cpu", Platforms::Own).unwrap()[0].platforms.len(), 1);
    }

    #[test]
    fn words_that_cannot_be_meant_are_refused_all_at_once() {
        for (words, message) in [
            (
                "cuda --platform linux/arm64",
                "no `cuda` image for linux/arm64\n  hint: platforms of cuda: linux/amd64",
            ),
            (
                "cpu --platform linux/mips64le --toolkit 1 --arch 90",
                "no `cpu` image for linux/mips64le\n  hint: platforms of cpu: \
                PLATFORMS\n--toolkit does not apply to `cpu`\n  hint: leave it out\n--arch does \
                not apply to `cpu`\n  hint: leave it out",
            ),
            (
                "all --toolkit 13.0",
                "--toolkit and --arch need exactly one variant\n  hint: name one instead of `all`",
            ),
            ("cuda --toolkit new", "--toolkit is not a version\n  hint: --toolkit 13.0"),
        ] {
            let error = subjects(words, Platforms::All).unwrap_err().to_string();
            let known = platforms(Variant::Cpu).join(" ");
            assert_eq!(error.replace(&known, "PLATFORMS"), message, "{words}");
        }
    }

    #[test]
    fn an_image_knows_its_gpus() {
        let cuda = Subject { toolkit: Some("12.8".into()), ..Subject::new(Variant::Cuda) };
        assert_eq!(cuda.minimum_driver(), Some("550"));
        assert_eq!(cuda.gpu_architectures()[0], "50-virtual");
        assert!(!cuda.has_default_toolkit());
        let one = Subject { architectures: Some("90;100".into()), ..Subject::new(Variant::Cuda) };
        assert_eq!(one.gpu_architectures(), ["90", "100"]);
        assert!(one.has_default_toolkit() && Subject::new(Variant::Cpu).has_default_toolkit());
        assert_eq!(platform_of(product::arch::AARCH64), Some("linux/arm64"));
        assert_eq!(platform_of("x86_64-apple-darwin"), None);
    }
}
