//! `docker build` of our files by the frontend's image, in a real engine: the same layers as without Docker, the same
//! words when something is wrong.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use llama_tests::checkpoints::Checkpoint;
use llama_tests::docker::{self, REGISTRY};
use llama_tests::hub::{Hub, TOKEN};
use llama_tests::packer::Packer;
use llama_tests::process::{Finished, command, finish};
use llama_tests::{needs, workspace};
use serde_json::Value;

/// The document's file.
const QUICK_START: &str = include_str!("../../../gguf-packer/src/language/samples/quick-start");

/// The frontend's image with the packer under test; built once.
fn frontend() -> Option<String> {
    static BUILT: OnceLock<Option<String>> = OnceLock::new();
    let build = || {
        needs::docker()?;
        let program = needs::gguf_packer()?;
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(program, dir.path().join("gguf-packer")).unwrap();
        let context = format!("packer={}", dir.path().display());
        let image = format!("{REGISTRY}/gguf-packer:frontend");
        let (file, base) =
            ("docker/gguf-packer.Dockerfile", format!("BASE_IMAGE={}", docker::base()));
        let words = ["--file", file, "--build-context", &context, "--build-arg", &base];
        docker::build(&[&words[..], &["--load", "--tag", &image, "."]].concat());
        Some(image)
    };
    BUILT.get_or_init(build).clone()
}

/// A folder with a file, built both ways.
struct Bench {
    image: String,
    packer: Packer,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Option<Self> {
        let (image, packer) = (frontend()?, Packer::new()?);
        Some(Self { image, packer, dir: tempfile::tempdir().unwrap() })
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// `docker build` in the folder.
    fn docker(&self, words: &[&str]) -> Finished {
        let syntax = format!("BUILDKIT_SYNTAX={}", self.image);
        let all = ["buildx", "build", "--progress=plain", "--build-arg", &syntax];
        let mut command = docker::docker(&[&all[..], words].concat());
        finish(command.current_dir(self.dir.path()).env("BUILDX_EXPERIMENTAL", "1"))
    }

    /// `docker build` that does not fail; its output.
    fn builds(&self, words: &[&str]) -> String {
        let Finished { status, output } = self.docker(words);
        assert!(status.success(), "{output}");
        output
    }

    /// Builds both ways; the images' configs, Docker's first.
    fn both(&self, name: &str, words: &[&str]) -> (Value, Value) {
        let image = format!("{REGISTRY}/{name}:frontend");
        let more = ["--provenance=false", "--load", "--tag", &image];
        self.builds(&[&more[..], words, &["."]].concat());
        let archives = tempfile::tempdir().unwrap();
        let archive = |name: &str| archives.path().join(name).to_str().unwrap().to_owned();
        let (docker, own) = (archive("docker.tar"), archive("own.tar"));
        docker::read(&["save", "--output", &docker, &image]);
        docker::read(&["image", "rm", &image]);
        // Where containers reach the hub; we ask it ourselves.
        let words: Vec<&str> =
            words.chunks(2).filter(|pair| pair[0] != "--network").flatten().copied().collect();
        let output = format!("docker-archive={own}");
        let words = [&["build", "--tag", name, "--output", &output], &words[..], &["."]].concat();
        self.packer.does_in(self.dir.path(), &words);
        (config(docker.as_ref()), config(own.as_ref()))
    }
}

/// The config of the image of an archive.
fn config(archive: &Path) -> Value {
    let read = |wanted: &str| -> Value {
        let mut archive = tar::Archive::new(std::fs::File::open(archive).unwrap());
        let mut entries = archive.entries().unwrap().map(Result::unwrap);
        let found = entries.find(|entry| entry.path().unwrap().to_str() == Some(wanted));
        serde_json::from_reader(found.unwrap_or_else(|| panic!("no {wanted}"))).unwrap()
    };
    let manifest = read("manifest.json");
    read(manifest[0]["Config"].as_str().unwrap())
}

/// That two configs say the same of a model, but for the time.
fn agree((docker, own): &(Value, Value)) {
    assert_eq!(docker["rootfs"], own["rootfs"]);
    assert_eq!(docker["architecture"], own["architecture"]);
    let said = |config: &Value| {
        let mut config = config["config"].clone();
        if let Some(labels) = config["Labels"].as_object_mut() {
            labels.remove("org.opencontainers.image.created");
            // Docker names the base by its index, a loaded archive has none.
            labels.remove("org.opencontainers.image.base.digest");
        }
        config
    };
    assert_eq!(said(docker), said(own));
    let history = |config: &Value| -> Vec<(Value, Value)> {
        let lines = config["history"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| (line["created_by"].clone(), line["empty_layer"].clone())).collect()
    };
    assert_eq!(history(docker), history(own));
}

/// The document's quick start through Docker: converted and quantized in its containers.
#[test]
fn docker_builds_the_documents_file_as_we_do() {
    let Some(bench) = Bench::new() else { return };
    let files = tempfile::tempdir().unwrap();
    let source = workspace::root().join("vendor/llama.cpp");
    let hub = Hub::start(Checkpoint::named("Qwen2-0.5B-Instruct").write(files.path(), &source));
    bench.write("Dockerfile", QUICK_START);
    let endpoint = hub.endpoint("127.0.0.1");
    let bench = Bench { packer: bench.packer.env("HF_ENDPOINT", &endpoint), ..bench };
    let argument = format!("HF_ENDPOINT={endpoint}");
    let words = ["--network", "host", "--build-arg", &argument];
    let built = bench.both("quick-start", &words);
    agree(&built);
    assert_eq!(built.0["config"]["Labels"]["gguf.model.architecture"], "qwen2");

    // What has not changed is not done again, and the same image is the same bytes.
    let id = bench.at("id");
    let file = id.to_str().unwrap();
    let more = ["--provenance=false", "--iidfile", file, "--output", "type=image", "."];
    let again = || {
        bench.builds(&[&words[..], &more].concat());
        std::fs::read_to_string(&id).unwrap()
    };
    // The first one may do some of it again: with the image that was removed, the engine may have collected its parts.
    let first = again();
    let downloads = hub.downloads();
    assert_eq!(again(), first);
    assert_eq!(hub.downloads(), downloads);
}

/// A base, stages, patterns, owners, links, archives, texts, other folders, what is kept out.
#[test]
fn every_instruction_gives_the_same_layers() {
    let Some(bench) = Bench::new() else { return };
    let base = format!("{REGISTRY}/gguf-packer:base");
    bench.write("base/Dockerfile", "FROM scratch\nCOPY etc /etc\nWORKDIR /models/base\n");
    bench.write("base/etc/passwd", "llama:x:1234:4321::/:/bin/sh\n");
    bench.write("base/etc/group", "models:x:77:\n");
    let folder = bench.at("base");
    docker::build(&["--load", "--tag", &base, folder.to_str().unwrap()]);
    let layout = bench.at("base.tar");
    docker::read(&["save", "--output", layout.to_str().unwrap(), &base]);
    bench.packer.does(&["load", layout.to_str().unwrap()]);

    bench.write("GGUFPackerfile", include_str!("frontend/every"));
    bench.write(".dockerignore", "**/*.log\n!kept.log\nbase*\nother\n");
    for path in ["kept.log", "lost.log", "a/one.txt", "a/b/two.txt", "a/b/lost.log", "run.sh"] {
        bench.write(path, path);
    }
    let Some(model) = needs::demo_model() else { return };
    std::fs::copy(model, bench.at("model.gguf")).unwrap();
    bench.write("other/.dockerignore", "secret\n");
    bench.write("other/secret", "s");
    bench.write("other/there", "t");
    use std::os::unix::fs::{PermissionsExt, symlink};
    std::fs::set_permissions(bench.at("run.sh"), PermissionsExt::from_mode(0o777)).unwrap();
    symlink("one.txt", bench.at("a/link")).unwrap();
    let archive = bench.at("packed.tar.gz");
    let mut packed = command("tar");
    packed.args(["-czf", archive.to_str().unwrap(), "-C", bench.at("a").to_str().unwrap(), "."]);
    assert!(packed.status().unwrap().success());

    let other = "other=other";
    let argument = format!("BASE={base}");
    let words = ["--file", "GGUFPackerfile", "--build-context", other, "--build-arg", &argument];
    agree(&bench.both("every", &words));
    docker::read(&["image", "rm", &base]);
}

/// What is wrong is said in our words, with its place and with the line as Docker shows it.
#[test]
fn errors_are_the_same_through_docker() {
    let Some(bench) = Bench::new() else { return };
    bench.write("broken.gguf", "no model");
    let files = [
        ("COPY missing.gguf .", "GGUFPackerfile:3:1: no file or folder `missing.gguf`"),
        ("RUN true", "GGUFPackerfile:3:1: RUN is for containers: nothing runs in a model's build"),
        ("COPY broken.gguf .\nCMD [\"-m\", \"broken.gguf\"]", "GGUFPackerfile:4:1: "),
        ("ADD --checksum=sha256:12 https://localhost/x .", "GGUFPackerfile:3:"),
        ("COPY --from=nothing:1 /x .", "GGUFPackerfile:3:1: "),
        ("LABEL a=b\nCOPY --chmod=99 broken.gguf .", "GGUFPackerfile:4:"),
        ("QUANTIZE a.gguf", "GGUFPackerfile:3:10: "),
    ];
    for (lines, message) in files {
        bench.write("GGUFPackerfile", format!("# syntax=x/gguf-packer\nFROM scratch\n{lines}\n"));
        let own = bench.packer.run_in(bench.dir.path(), &["build", "-f", "GGUFPackerfile", "."]);
        let docker = bench.docker(&["-f", "GGUFPackerfile", "."]);
        own.assert_refused("gguf-packer", message);
        docker.assert_refused("docker build", message);
        let line = message.split(':').nth(1).unwrap();
        let marked = format!("{line:>4} | >>> ");
        assert!(docker.output.contains(&marked), "{lines}: no `{marked}` in\n{}", docker.output);
        // A registry that cannot be asked is BuildKit's to tell of.
        if !lines.contains("--from=nothing") {
            let said = own.output[own.output.find("error: ").unwrap() + 7..].trim();
            assert!(
                docker.output.contains(said),
                "docker does not say\n{said}\nbut\n{}",
                docker.output
            );
        }
    }
}

/// What a tool says in a container is in its log, and Docker marks its line.
#[test]
fn a_tools_error_is_told_with_its_line() {
    let Some(bench) = Bench::new() else { return };
    bench.write("broken.gguf", "no model");
    let file = "FROM scratch\nCOPY broken.gguf .\nQUANTIZE --type=Q4_0 broken.gguf small.gguf\n\
                CMD [\"-m\", \"small.gguf\"]\n";
    bench.write("Dockerfile", file);
    let docker = bench.docker(&["."]);
    docker.assert_refused("docker build", "error: quantizing to Q4_0 failed: ");
    docker.assert_refused("docker build", "   3 | >>> QUANTIZE --type=Q4_0 broken.gguf small.gguf");
    assert!(!docker.output.contains(">>> CMD"), "it is not about the command: {}", docker.output);
}

/// A private repository is read with the client's secret, which is nowhere afterwards.
#[test]
fn a_private_repository_takes_the_clients_secret() {
    let Some(bench) = Bench::new() else { return };
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("config.json"), "{}").unwrap();
    let hub = Hub::start(files.path().to_owned());
    bench.write("Dockerfile", "FROM scratch\nADD https://huggingface.co/private/model model\n");
    let endpoint = format!("HF_ENDPOINT={}", hub.endpoint("127.0.0.1"));
    let words = ["--network", "host", "--build-arg", &endpoint];
    let refused = bench.docker(&[&words[..], &["."]].concat());
    refused.assert_refused("docker build", "   2 | >>> ADD https://huggingface.co/private/model");
    refused.assert_refused("docker build", "HF_TOKEN");
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("token");
    std::fs::write(&secret, TOKEN).unwrap();
    let (out, secret) = (bench.at("out"), format!("id=HF_TOKEN,src={}", secret.display()));
    let output = format!("type=oci,tar=false,dest={}", out.display());
    let more = ["--secret", &secret, "--output", &output, "."];
    let said = bench.builds(&[&words[..], &more].concat());
    assert!(!said.contains(TOKEN), "{said}");
    let grep = command("grep").args(["-r", TOKEN]).arg(&out).output().unwrap();
    assert_eq!(grep.status.code(), Some(1), "{}", String::from_utf8_lossy(&grep.stdout));
}

/// Arguments, targets and rules, as `docker buildx build --print` asks for them.
#[test]
fn docker_shows_what_a_file_offers() {
    let Some(bench) = Bench::new() else { return };
    bench.write("Dockerfile", QUICK_START);
    let print = |what: &str| bench.docker(&[&format!("--print={what}"), "."]).output;
    let outline = print("outline");
    assert!(outline.contains("QUANTIZE_TYPE") && outline.contains("Q5_K_M"), "{outline}");
    let targets = print("targets");
    assert!(targets.contains("f16") && targets.contains("(default)"), "{targets}");
    let described = print("subrequests.describe");
    assert!(described.contains("outline") && described.contains("lint"), "{described}");
    bench.write("Dockerfile", "FROM scratch AS Upper\nCOPY Dockerfile .\n");
    let lint = print("lint");
    assert!(lint.contains("StageNameCasing") && lint.contains("Dockerfile:1"), "{lint}");
    let built = bench.docker(&["."]);
    assert!(built.output.contains("StageNameCasing"), "{}", built.output);
}

/// One build for two platforms does its work once.
#[test]
fn two_platforms_are_one_index_of_the_same_layers() {
    let Some(bench) = Bench::new() else { return };
    bench.write("Dockerfile", "FROM scratch\nCOPY Dockerfile file\nLABEL of=both\n");
    let out = bench.at("out");
    let output = format!("type=oci,tar=false,dest={}", out.display());
    let words =
        ["--platform=linux/amd64,linux/arm64", "--provenance=false", "--output", &output, "."];
    let said = bench.builds(&words);
    assert_eq!(
        said.matches("COPY Dockerfile file\n").count(),
        1 + said.matches("plan of COPY").count(),
        "{said}"
    );
    let read = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(out.join(path)).unwrap()).unwrap()
    };
    let blob = |of: &Value| {
        let digest = of["digest"].as_str().unwrap();
        read(&format!("blobs/{}", digest.replace(':', "/")))
    };
    let mut index = read("index.json");
    if index["manifests"].as_array().unwrap().len() == 1 {
        index = blob(&index["manifests"][0]);
    }
    let manifests = index["manifests"].as_array().unwrap();
    let of = |manifest: &Value| {
        (manifest["platform"]["architecture"].clone(), blob(manifest)["layers"].clone())
    };
    let all: Vec<_> = manifests.iter().map(of).collect();
    assert_eq!(
        all.iter().map(|(name, _)| name.as_str().unwrap()).collect::<Vec<_>>(),
        ["amd64", "arm64"]
    );
    assert_eq!(all[0].1, all[1].1);
}
