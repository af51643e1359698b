//! One build in several formats: each reader takes its own, and the weights are once in the store and once in the
//! registry.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use llama_tests::docker::docker;
use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::{command, finish};
use llama_tests::registry::Registry;
use serde_json::Value;

use super::ramalama::VERSION;
use super::refusals::names;

const FILE: &str = "FROM scratch\nCOPY m.gguf chat.jinja system.txt LICENSE ./\n\
    CMD [\"-m\", \"m.gguf\", \"-c\", \"256\", \"--chat-template-file\", \"chat.jinja\", \"-sysf\", \"system.txt\"]\n";

/// The files, in the order of the layers.
const FILES: [&str; 4] = ["m.gguf", "chat.jinja", "system.txt", "LICENSE"];

/// What RamaLama 0.25.0 makes of a manifest. It asks by HTTPS alone, and its download fails before a file is there.
const RAMALAMA: &str = "import sys
from ramalama.transports.oci import oci_artifact, spec
client = oci_artifact.OCIRegistryClient(*sys.argv[1:])
client.base_url = client.base_url.replace('https:', 'http:')
manifest, _ = client.get_manifest()
spec.Manifest.from_dict(manifest)
for file in oci_artifact._build_snapshot_files(client, manifest):
    print(file.type.name, file.name)
";

/// A model in a folder, and where it can be pushed to.
struct Bench {
    packer: Packer,
    registry: Registry,
    dir: tempfile::TempDir,
    /// Of the image.
    name: String,
}

impl Bench {
    fn new() -> Option<Self> {
        let (packer, registry) = (Packer::new()?, Registry::start()?);
        let dir = tempfile::tempdir().unwrap();
        fs::copy(needs::demo_model()?, dir.path().join("m.gguf")).unwrap();
        for (name, text) in [
            ("chat.jinja", "{{ messages[0].content }}"),
            ("system.txt", "Be kind."),
            ("LICENSE", "MIT"),
            ("GGUFPackerfile", FILE),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let name = format!("{}/demo:1", registry.address);
        Some(Self { packer, registry, dir, name })
    }

    /// Builds it and pushes it in all formats.
    fn ship(&self) -> String {
        let formats = ["--format", "image", "--format", "modelpack,docker"];
        let words = [&["build", "--tag", &self.name, "--push"], &formats[..], &["."]].concat();
        self.packer.does_in(self.dir.path(), &words)
    }

    /// Whether `folder` has the files, and nothing else.
    fn has_files(&self, folder: &Path) {
        let expected: BTreeSet<String> = FILES.map(str::to_owned).into();
        assert_eq!(BTreeSet::from_iter(names(folder)), expected);
        for name in FILES {
            let [here, there] = [self.dir.path(), folder].map(|dir| fs::read(dir.join(name)));
            assert!(here.unwrap() == there.unwrap(), "{name}");
        }
    }
}

#[test]
fn one_build_is_pushed_in_three_formats_and_its_files_are_stored_once() {
    let Some(bench) = Bench::new() else { return };
    let said = bench.ship();
    let count = |word: &str| said.lines().filter(|line| line.ends_with(word)).count();
    // Two layers of the image and four files, which the third format has in common with the second.
    assert_eq!((count(" pushed"), count(" already there")), (6, 4), "{said}");
    let warning = "warning: docker: Docker Model Runner ignores `-sysf /models/system.txt`";
    assert!(said.contains(warning), "{said}");
    let blobs = names(&bench.packer.store().join("blobs/sha256"));
    let images = bench.packer.list();
    assert_eq!(images.len(), 1, "{images:?}");
    // The same again, from the store.
    let again = ["push", "--format", "modelpack", "--format", "docker", &bench.name];
    let said = bench.packer.does(&again);
    assert_eq!(said.matches(" already there").count(), 8, "{said}");
    assert_eq!(names(&bench.packer.store().join("blobs/sha256")), blobs);
    for format in ["modelpack", "docker"] {
        let other = Packer::new().unwrap();
        let name = format!("{}-{format}", bench.name);
        other.does(&["pull", &name]);
        other.does(&["store", "check", "--deep"]);
        let id = other.list()[0]["id"].as_str().unwrap().to_owned();
        let files =
            other.store().join("models/layers/sha256").join(id.trim_start_matches("sha256:"));
        bench.has_files(&files.join("models"));
        let line = |packer: &Packer, name: &str| {
            let line = packer.does(&["inspect", name]);
            let config: Value = serde_json::from_str(&line).unwrap();
            config["config"]["Cmd"].clone()
        };
        assert_eq!(line(&other, &name), line(&bench.packer, &bench.name));
    }
}

#[test]
fn what_was_pulled_as_an_artifact_does_not_become_an_image_unsaid() {
    let Some(bench) = Bench::new() else { return };
    bench.ship();
    let (other, name) = (Packer::new().unwrap(), format!("{}-modelpack", bench.name));
    other.does(&["pull", &name]);
    let refused = format!("the registry has `{name}` as modelpack, not as an image");
    other.run(&["push", &name]).assert_refused("push", &refused);
    let said = other.does(&["push", "--format", "modelpack", &name]);
    assert!(said.contains(&format!("pushed {name} as sha256:")), "{said}");
    // Elsewhere it is what a push makes.
    let elsewhere = format!("{}/elsewhere:1", bench.registry.address);
    other.does(&["tag", &name, &elsewhere]);
    other.does(&["push", &elsewhere]);
    other.does(&["push", &elsewhere]);
    other.does(&["push", "--format", "image", &name]);
    let there = Packer::new().unwrap().does(&["inspect", &name]);
    assert!(there.contains("GGUFHeader"), "{there}");
}

#[test]
fn oras_skopeo_and_podman_take_artifacts_as_they_are() {
    let Some(bench) = Bench::new() else { return };
    let said = bench.ship();
    for format in ["modelpack", "docker"] {
        let (name, folder) = (format!("{}-{format}", bench.name), bench.dir.path().join(format));
        fs::create_dir(&folder).unwrap();
        let pulled = bench.registry.run(&folder, &["oras", "pull", "--plain-http", &name]);
        assert!(pulled.status.success(), "{}", pulled.output);
        bench.has_files(&folder);
        let (from, to) = (format!("docker://{name}"), format!("oci:{format}.copy"));
        let words = ["skopeo", "copy", "--src-tls-verify=false", &from, &to];
        let copied = bench.registry.run(bench.dir.path(), &words);
        assert!(copied.status.success(), "{}", copied.output);
        let loader = Packer::new().unwrap();
        let copy = bench.dir.path().join(format!("{format}.copy"));
        loader.does(&["load", "--tag", "copy:1", copy.to_str().unwrap()]);
        assert_eq!(loader.list()[0]["name"], "copy");
    }
    let name = format!("{}-modelpack", bench.name);
    let script =
        "podman artifact pull --quiet --tls-verify=false \"$1\"\npodman artifact inspect \"$1\"";
    let own =
        ["run", "--rm", "--privileged", "--network", "host", "--volume", "/var/lib/containers"];
    let words = [&bench.registry.tools, "sh", "-ec", script, "sh", &name];
    let podman = finish(&mut docker(&[&own[..], &words].concat()));
    assert!(podman.status.success(), "{}", podman.output);
    let pushed = said.lines().find(|line| line.starts_with(&format!("pushed {name} as sha256:")));
    let digest = pushed.unwrap().split([' ', ',']).nth(3).unwrap();
    assert!(podman.output.contains(digest), "no {digest} in {}", podman.output);
}

#[test]
fn ramalama_reads_the_manifest_of_a_model_pack() {
    let Some(bench) = Bench::new() else { return };
    let Some(ramalama) = needs::from_pypi("ramalama", VERSION) else { return };
    bench.ship();
    let (host, owner) = bench.registry.address.split_once('/').unwrap();
    let mut python = command(needs::program_of("python3", "python3").unwrap());
    python.args(["-c", RAMALAMA, host, &format!("{owner}/demo"), "1-modelpack"]);
    let done = finish(python.env("PYTHONPATH", &ramalama).env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(done.status.success(), "{}", done.output);
    let expected = "GGUFModel m.gguf\nOther chat.jinja\nOther system.txt\nOther LICENSE\n";
    assert!(done.output.ends_with(expected), "{}", done.output);
}
