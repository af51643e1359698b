//! Lines of `docker buildx build`: golden files for the release matrix, and what else can be asked for.

use super::*;
use crate::tags::Naming;
use product::identity::Identity;
use product::variant::{Variant, matrix};

fn identity() -> Identity {
    Identity {
        version: "2508201420-abc1234".into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: "main".into(),
        epoch: 1_755_699_600,
    }
}

fn facts(identity: &Identity) -> Facts<'_> {
    Facts {
        identity,
        llama_cpp: "b1",
        source: Some("https://github.com/owner/llama-sys"),
        base: "debian:trixie-slim@sha256:0a1b",
        cpu_variants: &[],
    }
}

fn manner(tags: &[&str], output: Output) -> Manner<'static> {
    Manner {
        base_image: None,
        rust_image: None,
        epoch: 1_755_000_000,
        build_args: &[],
        ca: None,
        from_dist: None,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        output,
        cache: None,
        rewrites: true,
        attest: false,
        no_cache: false,
    }
}

#[test]
fn lines_of_the_whole_matrix_are_as_checked_in() {
    let golden = workspace::cargo::root().join("tools/image/tests/golden");
    #[expect(clippy::disallowed_methods, reason = "how golden files are written anew")]
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let mut names = Vec::new();
    for row in matrix() {
        let subject = Subject {
            toolkit: row.toolkit.map(str::to_owned),
            platforms: vec![row.platform],
            ..Subject::new(row.variant)
        };
        let identity = identity();
        let naming = Naming { identity: &identity, registry: None, semver: None };
        let tag = naming.local_tag(&subject);
        let plan =
            Plan::new(&subject, &facts(&identity), &manner(&[&tag], Output::Load)).to_string();
        let toolkit = row.toolkit.map(|version| format!("-{version}")).unwrap_or_default();
        let name = format!("{}{toolkit}-{}.txt", row.variant, architecture(row.platform));
        let path = golden.join(&name);
        if update {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &plan).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != plan {
            wrong.push(name.clone());
        }
        names.push(name);
    }
    for file in std::fs::read_dir(&golden).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is of no row");
    }
    assert!(
        wrong.is_empty(),
        "lines changed: {wrong:?}; look at them, then UPDATE=1 cargo test -p image lines"
    );
}

/// The lines of a plan that those without anything asked for do not have.
fn added(subject: &Subject, manner: &Manner<'_>) -> Vec<String> {
    let identity = identity();
    let plain = self::manner(&["x:1"], Output::Load);
    let plain = Plan::new(&Subject::new(Variant::Cuda), &facts(&identity), &plain).to_string();
    let plan = Plan::new(subject, &facts(&identity), manner).to_string();
    let newest = format!("-{}-amd64", Variant::Cuda.toolkits()[0]);
    let line = |line: &str| line.trim_end_matches(" \\").trim().replace(&newest, "-13.0-amd64");
    plan.lines().filter(|line| !plain.contains(line)).map(line).collect()
}

#[test]
fn everything_that_can_be_asked_for_is_in_the_line() {
    let subject = Subject {
        architectures: Some("90;100".into()),
        minimal: true,
        ..Subject::new(Variant::Cuda)
    };
    let manner = Manner {
        base_image: Some("debian:trixie"),
        rust_image: Some("rust:1.85"),
        build_args: &["TOOLKIT_IMAGE=cuda:12".to_owned()],
        ca: Some(Path::new("/ca.crt")),
        from_dist: Some(Path::new("/d i s t")),
        cache: Some(Cache::Gha),
        attest: true,
        no_cache: true,
        ..manner(&["x:1"], Output::Load)
    };
    assert_eq!(
        added(&subject, &manner),
        [
            "--target minimal",
            "--build-arg TOOLKIT_IMAGE=scratch",
            "--build-arg 'ARCHITECTURES=90;100'",
            "--build-arg BASE_IMAGE=debian:trixie",
            "--build-arg RUST_IMAGE=rust:1.85",
            "--build-arg TOOLKIT_IMAGE=cuda:12",
            "--build-context 'dist=/d i s t'",
            "--secret id=ca,src=/ca.crt",
            "--label 'org.opencontainers.image.description=llama.cpp'\\''s HTTP server with its web UI; runs \
             on any CPU, NVIDIA GPUs; no shell, no package manager'",
            "--label llama-server.target=minimal",
            "--label 'llama-server.gpu-architectures=90 100'",
            "--no-cache",
            "--cache-to type=gha,scope=cuda-13.0-amd64,mode=max",
            "--cache-from type=gha,scope=cuda-13.0-amd64",
            "--provenance mode=max",
        ]
    );
}

#[test]
fn what_leaves_the_engine_has_annotations_and_the_times_of_the_commit() {
    let subject = Subject::new(Variant::Cuda);
    let lines = |output: Output| added(&subject, &manner(&["x:1"], output));
    let pushed = lines(Output::Push);
    assert_eq!(pushed[0], "--annotation org.opencontainers.image.created=2025-08-20T14:20:00Z");
    assert_eq!(
        pushed.last().unwrap(),
        "--output type=registry,oci-mediatypes=true,compression=gzip,compression-level=9,rewrite-timestamp=true"
    );
    let engine = Manner { rewrites: false, ..manner(&["x:1"], Output::Push) };
    assert_eq!(
        added(&subject, &engine).last().unwrap(),
        "--output type=registry,oci-mediatypes=true,compression=gzip,compression-level=9"
    );
    let archive = lines(Output::Archive("/x.tar".into()));
    assert_eq!(
        archive.last().unwrap(),
        "--output type=oci,dest=/x.tar,compression=gzip,compression-level=9,rewrite-timestamp=true"
    );
}

#[test]
fn a_distribution_alone_is_files_in_a_folder_without_names_and_labels() {
    let identity = identity();
    let manner = manner(&["x:1"], Output::Folder("/d".into()));
    let plan = Plan::new(&Subject::new(Variant::Cuda), &facts(&identity), &manner).to_string();
    assert!(
        plan.contains("--target dist \\\n") && plan.contains("--output type=local,dest=/d \\\n")
    );
    for option in ["--tag", "--label", "--annotation"] {
        assert!(!plan.contains(option), "{plan}");
    }
}

#[test]
fn a_line_is_run_as_it_is_shown() {
    let identity = identity();
    let manner = Manner { no_cache: true, ..manner(&["x:1"], Output::Load) };
    let plan = Plan::new(&Subject::new(Variant::Vulkan), &facts(&identity), &manner);
    let shown = plan.to_string().replace(" \\\n ", "");
    assert_eq!(format!("{}\n", plan.cmd()), shown);
}

#[test]
fn layers_are_kept_by_variant_toolkit_and_platform() {
    let manner = Manner {
        cache: Some(Cache::Registry("ghcr.io/me".into())),
        ..manner(&["x:1"], Output::Load)
    };
    assert_eq!(
        added(&Subject::new(Variant::Cuda), &manner),
        [
            "--cache-to type=registry,ref=ghcr.io/me/llama-cpp-cuda:buildcache-13.0-amd64,mode=max",
            "--cache-from type=registry,ref=ghcr.io/me/llama-cpp-cuda:buildcache-13.0-amd64",
        ]
    );
}
