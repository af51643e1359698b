//! Our flag sets hold everything that upstream's official builds are configured with: read from the
//! Dockerfiles and the release workflow of the pinned tree, so that a new pin cannot drift unseen.

mod architectures;
mod health;
mod official;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use llama_build::target::Os;
use llama_build::{Config, Feature, Features, FlagSet, Pin};
use llama_src::Error;
use llama_src::{Request, SourceTree};

use official::Definition;
use product::variant::Variant;

const RELEASE: &str = ".github/workflows/release.yml";

/// An official build and the one of ours that it is compared with.
struct Build {
    file: String,
    /// Job of a workflow and the `build` of its matrix; empty for a Dockerfile.
    job: (&'static str, &'static str),
    target: &'static str,
    features: Features,
}

/// Jobs of the release workflow that build the server for systems that releases are not for: job, `build` of its
/// matrix, our target, and whether upstream builds every CPU variant there. Its macOS builds have shared libraries, but
/// load no backend at run time. The others are in the rows of the variants.
const JOBS: &[(&str, &str, &str, bool)] = &[
    ("macos-cpu", "arm64", "aarch64-apple-darwin", false),
    ("macos-cpu", "x64", "x86_64-apple-darwin", false),
    ("android-arm64", "", "aarch64-linux-android", true),
];

/// Every official build that is compared: the Dockerfile of each variant, for each of its targets, its jobs, and [`JOBS`].
fn builds() -> Vec<Build> {
    let features = |variant: Variant, cpu_variants: bool| {
        let mut features =
            Features::parse(variant.features()).expect("a variant has known features");
        if !cpu_variants {
            features.remove(Feature::CpuAllVariants);
        }
        features
    };
    let images = Variant::ALL.into_iter().flat_map(|variant| {
        variant.targets().into_iter().map(move |target| Build {
            file: format!(".devops/{}.Dockerfile", variant.row().upstream_dockerfile),
            job: ("", ""),
            target,
            features: features(variant, true),
        })
    });
    let of_variants = Variant::ALL.into_iter().flat_map(|variant| {
        let jobs = variant.row().upstream_jobs.iter();
        jobs.map(move |(job, build, target)| (variant, *job, *build, *target, true))
    });
    let others = JOBS.iter().map(|(job, build, target, cpu_variants)| {
        (Variant::Cpu, *job, *build, *target, *cpu_variants)
    });
    let jobs = of_variants.chain(others).map(|(variant, job, build, target, cpu_variants)| Build {
        file: RELEASE.to_owned(),
        job: (job, build),
        target,
        features: features(variant, cpu_variants),
    });
    images.chain(jobs).collect()
}

/// Official definitions that are not ours: name, reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("GGML_CUDA_CCCL_VERSION", "downloads while it configures; the toolkit's own CCCL is used"),
    ("LLAMA_BUILD_BORINGSSL", "downloads while it configures; `tls` uses the system's OpenSSL"),
    ("LLAMA_FATAL_WARNINGS", "for upstream's own CI: another compiler has other warnings"),
];

/// Definitions of our images that are in no official Dockerfile: name, reason.
const ADDITIONS: &[(&str, &str)] =
    &[("GGML_RPC", "one model over several machines needs no image of one's own")];

pub(super) fn run() -> Result<()> {
    let request = Request { offline: true, ..Request::default() };
    let tree = SourceTree::prepare(&request, &mut |_| ())?.dir;
    let mut wrong = Vec::new();
    let mut excepted = BTreeSet::new();
    for build in builds() {
        let text = fs::read_to_string(tree.join(&build.file)).with_context(|| {
            Error::missing(format!("cannot read {} of llama.cpp", build.file))
                .hint("cargo xtask vendor --force")
        })?;
        let official = build.official(&text)?;
        wrong.extend(build.drift(&official));
        wrong.extend(build.additions(&official));
        excepted.extend(official.into_iter().map(|definition| definition.name));
    }
    for (name, _) in EXCEPTIONS.iter().filter(|(name, _)| !excepted.contains(*name)) {
        wrong
            .push(format!("no official build sets {name} any more: remove it from the exceptions"));
    }
    wrong.extend(architectures::drift(&tree)?);
    wrong.extend(health::drift(&tree)?);
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

impl Build {
    fn official(&self, text: &str) -> Result<Vec<Definition>> {
        let found = match self.job {
            ("", _) => official::in_dockerfile(text),
            (job, matrix) => official::in_workflow(text, job, matrix),
        };
        // A job that was renamed, or another way to write flags, must not pass for a build without flags.
        if !found.iter().any(|definition| definition.name.starts_with("GGML_")) {
            bail!(
                "no flags found in {}: are tools/product/src/variant/rows.rs and JOBS in parity.rs still right?",
                self.name()
            );
        }
        Ok(found)
    }

    /// What is official and not ours.
    fn drift(&self, official: &[Definition]) -> Vec<String> {
        let ours = FlagSet::new(&self.config(), &Pin::load());
        let is_excepted = |name: &str| EXCEPTIONS.iter().any(|(known, _)| *known == name);
        let differs = |definition: &&Definition| match &definition.value {
            Some(value) => {
                ours.value(&definition.name) != Some(value) && !is_excepted(&definition.name)
            }
            None => false,
        };
        let drift = official.iter().filter(differs).map(|Definition { name, value }| {
            let (theirs, ours) = (value.as_deref().unwrap_or_default(), ours.value(name));
            let ours = ours.unwrap_or("not set");
            format!("{}: {name} is {theirs}, ours for {} is {ours}", self.name(), self.target)
        });
        drift.collect()
    }

    /// What is an addition of ours no more.
    fn additions(&self, official: &[Definition]) -> Vec<String> {
        let is_image = self.job.0.is_empty();
        let added = official.iter().map(|definition| definition.name.as_str());
        let added = added.filter(|name| ADDITIONS.iter().any(|(known, _)| known == name));
        let line = |name| format!("{} sets {name}: remove it from the additions", self.name());
        added.filter(|_| is_image).map(line).collect()
    }

    fn name(&self) -> String {
        match self.job {
            ("", _) => self.file.clone(),
            (job, "") => format!("{}, job {job}", self.file),
            (job, matrix) => format!("{}, job {job} ({matrix})", self.file),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::plain(self.features.clone(), self.target, self.target);
        if config.target.os == Os::Android {
            config.android_ndk = Some("ndk".into());
        }
        config.settle().0
    }
}

#[cfg(test)]
mod tests {
    use llama_build::backend::Backend;

    use super::*;

    const DOCKERFILE: &str = "\
RUN cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF \\
    -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON; \\
";

    fn drift(text: &str) -> Vec<String> {
        let build = &builds()[0];
        build.drift(&build.official(text).unwrap())
    }

    #[test]
    fn the_official_flags_are_ours() {
        assert_eq!(drift(DOCKERFILE), Vec::<String>::new());
    }

    #[test]
    fn a_flag_that_changes_or_comes_is_found() {
        assert_eq!(
            drift(&DOCKERFILE.replace("GGML_NATIVE=OFF", "GGML_NATIVE=ON")),
            [".devops/cpu.Dockerfile: GGML_NATIVE is ON, ours for x86_64-unknown-linux-gnu is OFF"]
        );
        assert_eq!(
            drift(&DOCKERFILE.replace("; ", " -DGGML_NEW=ON; ")),
            [
                ".devops/cpu.Dockerfile: GGML_NEW is ON, ours for x86_64-unknown-linux-gnu is not set"
            ]
        );
        assert!(drift(&DOCKERFILE.replace("; ", " -DLLAMA_FATAL_WARNINGS=ON; ")).is_empty());
    }

    #[test]
    fn an_addition_that_upstream_has_too_is_none() {
        let additions = |text: &str| {
            let build = &builds()[0];
            build.additions(&build.official(text).unwrap())
        };
        assert_eq!(additions(DOCKERFILE), Vec::<String>::new());
        assert_eq!(
            additions(&DOCKERFILE.replace("; ", " -DGGML_RPC=ON; ")),
            [".devops/cpu.Dockerfile sets GGML_RPC: remove it from the additions"]
        );
    }

    #[test]
    fn a_file_without_flags_is_not_a_file_without_drift() {
        for build in builds() {
            let error = build.official("FROM x\njobs:\n  other:\n    -DGGML_NATIVE=ON\n");
            match build.job {
                ("", _) => assert_eq!(error.unwrap().len(), 1),
                _ => assert!(error.unwrap_err().to_string().starts_with("no flags found in ")),
            }
            assert_eq!(build.config().features.has(Backend::Cuda), build.name().contains("cuda"));
        }
    }
}
