//! Our images in engines, and in the hands of other tools.

use std::path::Path;

use llama_tests::docker::{self, Container, read};
use llama_tests::manifest::Rendered;
use llama_tests::packer::Packer;
use llama_tests::pod::{Cluster, Pod};
use llama_tests::process::{command, finish, wait_for};
use llama_tests::registry::Registry;
use llama_tests::server::free_port;
use llama_tests::{http, needs};
use serde_json::json;

/// A model image with the demo model, pushed.
fn pushed(packer: &Packer, registry: &Registry, dir: &Path) -> String {
    std::fs::copy(needs::demo_model().unwrap(), dir.join("model.gguf")).unwrap();
    let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\", \"-c\", \"256\"]\n";
    std::fs::write(dir.join("GGUFPackerfile"), file).unwrap();
    let name = format!("{}/demo:1", registry.address);
    packer.does_in(dir, &["build", "--tag", &name, "--push", "."]);
    name
}

/// The document's `Dockerfile.infer`: a model that others begin from, with our server.
#[test]
fn an_image_that_begins_from_a_model_serves_it() {
    let Some(packer) = Packer::new() else { return };
    let (Some(server), Some(registry)) = (docker::image("cpu"), Registry::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let name = pushed(&packer, &registry, dir.path());
    let infer = dir.path().join("Dockerfile.infer");
    let text = format!(
        "ARG REPO\nFROM ${{REPO}}/demo:1 AS model\nFROM {server}\nCOPY --from=model / /\nWORKDIR /models\nCMD [\"-m\", \"model.gguf\", \"-c\", \"256\"]\n"
    );
    std::fs::write(&infer, text).unwrap();
    read(&["pull", "--quiet", &name]);
    let infer = infer.to_str().unwrap();
    let repo = format!("REPO={}", registry.address);
    let tag = format!("{}-infer", name);
    docker::build(&[
        "--file",
        infer,
        "--build-arg",
        &repo,
        "--tag",
        &tag,
        "--load",
        dir.path().to_str().unwrap(),
    ]);
    let container = Container::start(&["--publish", "127.0.0.1::8080", &tag]);
    container.wait_for_health("healthy");
    assert_eq!(http::get(&format!("{}/v1/models", container.url())).status, 200);
}

/// What is built for both platforms is one name.
#[test]
fn other_tools_read_what_we_push_and_load_what_we_save() {
    let (Some(packer), Some(registry)) = (Packer::new(), Registry::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let name = pushed(&packer, &registry, dir.path());
    let skopeo = registry
        .run(dir.path(), &["skopeo", "inspect", "--tls-verify=false", &format!("docker://{name}")]);
    assert!(skopeo.status.success(), "{}", skopeo.output);
    assert!(skopeo.output.contains("gguf.model.architecture"), "{}", skopeo.output);
    let oras = registry.run(dir.path(), &["oras", "manifest", "fetch", "--plain-http", &name]);
    assert!(oras.output.contains("application/vnd.oci.image.index.v1+json"), "{}", oras.output);
    for platform in ["linux/amd64", "linux/arm64"] {
        assert!(oras.output.contains(&format!("\"{}\"", &platform[6..])), "{}", oras.output);
        read(&["pull", "--quiet", "--platform", platform, &name]);
        read(&["image", "rm", "--force", &name]);
    }
    for kind in ["docker-archive", "oci-archive"] {
        let archive = dir.path().join(kind);
        packer.does(&["save", "--output", &format!("{kind}={}", archive.display()), &name]);
        let loaded = finish(&mut docker::docker(&["load", "--input", archive.to_str().unwrap()]));
        assert!(loaded.status.success(), "{kind}: {}", loaded.output);
        let labels = read(&["image", "inspect", "--format", "{{json .Config.Labels}}", &name]);
        assert!(labels.contains("gguf.model.architecture"), "{kind}: {labels}");
        read(&["image", "rm", "--force", &name]);
        let other = Packer::new().unwrap();
        other.does(&["load", archive.to_str().unwrap()]);
        assert_eq!(other.list()[0]["id"], packer.list()[0]["id"], "{kind}");
    }
    let layout = dir.path().join("layout");
    packer.does(&["save", "--output", &format!("oci-dir={}", layout.display()), &name]);
    let copied = registry.run(dir.path(), &["skopeo", "copy", "--all", "oci:layout", "oci:copy"]);
    assert!(copied.status.success(), "{}", copied.output);
}

/// A model on our server's image is a server: `docker run` and nothing else.
#[test]
fn a_model_on_an_image_of_the_server_is_a_server() {
    let Some(packer) = Packer::new() else { return };
    let (Some(server), Some(registry)) = (docker::image("cpu"), Registry::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let [base, name] = ["base:1", "served:1"].map(|name| format!("{}/{name}", registry.address));
    read(&["tag", &server, &base]);
    read(&["push", "--quiet", &base]);
    std::fs::copy(needs::demo_model().unwrap(), dir.path().join("model.gguf")).unwrap();
    let file = "ARG BASE\nFROM ${BASE}\nCOPY model.gguf /models/\n\
                CMD [\"-m\", \"/models/model.gguf\", \"-c\", \"256\"]\n";
    std::fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
    let argument = format!("BASE={base}");
    let words = ["build", "--build-arg", &argument, "--tag", &name, "--push", "."];
    packer.does_in(dir.path(), &words);
    let container = Container::start(&["--publish", "127.0.0.1::8080", &name]);
    container.wait_for_health("healthy");
    assert_eq!(http::get(&format!("{}/v1/models", container.url())).status, 200);
}

/// What `--print kube` says, started as a kubelet would, with the files of the pushed image as its volume.
#[test]
fn the_printed_deployment_serves_the_model_of_an_image_volume() {
    let Some(packer) = Packer::new() else { return };
    let (Some(server), Some(registry)) = (docker::image("cpu"), Registry::start()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let name = pushed(&packer, &registry, dir.path());
    let printed = packer.command(&["run", &name, "--print", "kube"]).output().unwrap();
    let rendered = Rendered::parse(&String::from_utf8(printed.stdout).unwrap());
    let pod = rendered.pod();
    let named: Vec<_> = pod.volumes.iter().filter_map(|volume| volume.image.as_ref()).collect();
    assert_eq!(named.len(), 1, "{pod:?}");
    let files = dir.path().join("image");
    read(&["pull", "--quiet", &name]);
    let container = read(&["create", &name]);
    read(&["cp", &format!("{container}:/"), files.to_str().unwrap()]);
    read(&["rm", &container]);
    read(&["image", "rm", "--force", &name]);
    let cluster = Cluster { image: server, environment: vec![], model: files, secrets: [].into() };
    let pod = Pod::start(&rendered, &cluster);
    pod.get_ready();
    let question = json!({ "prompt": "Hello", "max_tokens": 4 });
    let answer = http::post(&format!("{}/v1/completions", pod.url()), &question).ok();
    assert_eq!(answer["usage"]["completion_tokens"], 4, "{answer}");
    // The name of the image, and not the path, which is the same for every image.
    let (_, repository) = name.split_once('/').unwrap();
    assert_eq!(answer["model"], repository.split(':').next().unwrap(), "{answer}");
    pod.end();
}

/// `run --by IMAGE` starts a container with the model in it; its line can be typed as it is printed.
#[test]
fn a_model_runs_by_an_image() {
    let (Some(packer), Some(server)) = (Packer::new(), docker::image("cpu")) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(needs::demo_model().unwrap(), dir.path().join("model.gguf")).unwrap();
    let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\", \"-c\", \"256\"]\n";
    std::fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
    packer.does_in(dir.path(), &["build", "--tag", "demo:1", "."]);
    let port = free_port().to_string();
    let words = ["run", "demo:1", "--by", &server, "--dry-run", "--", "--port", &port];
    let line = packer.does(&words);
    let line = line.replace("docker run", "docker run --detach");
    let started = finish(command("sh").args(["-ec", line.trim()]));
    assert!(started.status.success(), "{line}: {}", started.output);
    let container = Container { id: started.output.trim().to_owned() };
    wait_for("the server", || {
        let answer = http::try_get(&format!("http://127.0.0.1:{port}/health"), None);
        answer.filter(|answer| answer.status == 200)
    });
    let models = http::get(&format!("http://127.0.0.1:{port}/v1/models")).ok();
    assert_eq!(models["data"][0]["id"], "demo", "{models}");
    drop(container);
}

/// What `--print quadlet` says, read by podman's own generator, which makes the service of it.
#[test]
fn podman_reads_the_printed_unit() {
    let (Some(packer), Some(tools)) = (Packer::new(), docker::tools()) else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(needs::demo_model().unwrap(), dir.path().join("model.gguf")).unwrap();
    let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\", \"--alias\", \"50 % \\\"x\\\"\"]\n";
    std::fs::write(dir.path().join("GGUFPackerfile"), file).unwrap();
    packer.does_in(dir.path(), &["build", "--tag", "demo:1", "."]);
    let printed = packer.command(&["run", "demo:1", "--print", "quadlet"]).output().unwrap();
    let units = dir.path().join("units");
    std::fs::create_dir(&units).unwrap();
    std::fs::write(units.join("demo.container"), printed.stdout).unwrap();
    let mount = format!("{}:/etc/containers/systemd:ro", units.display());
    let read = read(&[
        "run",
        "--rm",
        "--volume",
        &mount,
        &tools,
        "/usr/libexec/podman/quadlet",
        "-dryrun",
    ]);
    for words in [
        "ExecStart=/usr/bin/podman run --name demo ",
        "--mount type=image,source=docker.io/library/demo:1,destination=/model-image",
        "-m /model-image/models/model.gguf",
        "50 %%",
    ] {
        assert!(read.contains(words), "no {words} in\n{read}");
    }
}
