//! How others use an image: building on it, and copying out of it.

use std::path::{Path, PathBuf};

use llama_tests::docker::{self, REGISTRY, image, read};
use llama_tests::needs;
use llama_tests::server::build_number;
use llama_tests::workspace::{root, xtask};

/// An application that asks the server who it is.
const APP: &str = "#!/bin/sh\necho \"app $*\"\nexec \"$LLAMA_SERVER\" --version 2>&1\n";

#[test]
fn an_application_inherits_from_an_image() {
    let Some(llama) = image("cpu") else { return };
    let dir = tempfile::tempdir().unwrap();
    program(&dir.path().join("app"), APP);
    let name = format!("{REGISTRY}/inherits");
    build(
        "docker/examples/inherit.Dockerfile",
        &name,
        &[
            &format!("--build-arg=LLAMA_IMAGE={llama}"),
            &format!("--build-context=app={}", dir.path().display()),
        ],
    );
    let said = read(&["run", "--rm", &name, "serve"]);
    assert!(said.starts_with("app serve\n") && said.contains(&build_number()), "{said}");
}

#[test]
fn the_server_is_copied_out_of_an_image() {
    let Some(llama) = image("cpu") else { return };
    let name = format!("{REGISTRY}/copies");
    build(
        "docker/examples/copy.Dockerfile",
        &name,
        &[
            &format!("--build-arg=LLAMA_IMAGE={llama}"),
            &format!("--build-arg=BASE_IMAGE={}", docker::base()),
        ],
    );
    serves(&name);
}

/// Upstream's own is one file too; what it needs of the system has to come from somewhere.
#[test]
fn a_static_server_runs_in_a_slim_image_with_the_packages_that_the_documents_name() {
    let (Some(server), Some(())) = (needs::server(), needs::docker()) else { return };
    for file in ["docs/build.md", "docker/examples/static.Dockerfile"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for package in ["libgomp1", "libssl3", "libstdc++6", "ca-certificates"] {
            assert!(text.contains(package), "{file} names {package}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(server, dir.path().join("llama-server")).unwrap();
    let name = format!("{REGISTRY}/static");
    build(
        "docker/examples/static.Dockerfile",
        &name,
        &[
            &format!("--build-context=server={}", dir.path().display()),
            &format!("--build-arg=BASE_IMAGE={}", docker::base()),
        ],
    );
    serves(&name);
}

/// Packages that are asked for come into the image that has no shell, and nothing else does.
#[test]
fn a_minimal_image_gets_the_programs_that_are_asked_for() {
    let (Some(dist), Some(())) = (needs::dist(), needs::docker()) else { return };
    let name = format!("{REGISTRY}/minimal-with-shell");
    let args = ["image", "build", "cpu", "--minimal", "--tag", &name];
    let more = ["--build-arg", "EXTRA_PACKAGES=dash coreutils", "--from-dist"];
    xtask(&[&args[..], &more, &[dist.to_str().unwrap()]].concat()).succeed();
    let script = "/app/bin/llama-server --version 2>&1; type apt-get; du -sx --block-size=1MB /";
    let said = read(&["run", "--rm", "--entrypoint", "/bin/sh", &name, "-c", script]);
    let lines: Vec<&str> = said.lines().collect();
    assert!(said.contains(&build_number()) && said.contains("apt-get: not found"), "{said}");
    let size = lines.last().unwrap().split_whitespace().next().unwrap();
    // With the shell and the package manager of Debian it is 117.
    assert!(size.parse::<u32>().unwrap() < 80, "{said}");
}

/// What others write on the published images builds on ours without a change.
#[test]
fn an_application_of_others_builds_unchanged() {
    let Some(llama) = image("cpu") else { return };
    let dir = tempfile::tempdir().unwrap();
    let app = dir.path().join("build/target/release/app");
    std::fs::create_dir_all(app.parent().unwrap()).unwrap();
    program(&app, &APP.replace("LLAMA_SERVER", "APP_LLAMA_SERVER"));
    let name = format!("{REGISTRY}/application");
    // The stage with the compiler has what its build would have made.
    build(
        "docker/tests/application.Dockerfile",
        &name,
        &[
            &format!("--build-context=ghcr.io/example/llama-cpp-cpu:latest=docker-image://{llama}"),
            &format!("--build-context=rust:1.87.0-bookworm={}", dir.path().display()),
        ],
    );
    let said = read(&["run", "--rm", &name]);
    assert!(said.starts_with("app serve\n") && said.contains(&build_number()), "{said}");
}

#[test]
fn what_copies_out_of_upstream_s_image_copies_out_of_ours() {
    let Some(llama) = image("cpu") else { return };
    let name = format!("{REGISTRY}/copied");
    build(
        "docker/tests/copied.Dockerfile",
        &name,
        &[
            &format!("--build-context=ghcr.io/ggml-org/llama.cpp:server=docker-image://{llama}"),
            &format!("--build-arg=BASE_IMAGE={}", docker::base()),
        ],
    );
    serves(&name);
}

/// It finds its libraries and its backends.
fn serves(image: &str) {
    let version =
        read(&["run", "--rm", "--entrypoint", "sh", image, "-c", "llama-server --version 2>&1"]);
    assert!(version.contains(&build_number()), "{version}");
    let server = docker::Container::serve(
        image,
        &["--publish", "127.0.0.1::8080"],
        &["--host", "0.0.0.0", "--port", "8080"],
    );
    let url = server.url();
    llama_tests::process::wait_for("the copied server", || {
        let answer = llama_tests::http::try_get(&format!("{url}/health"), None)?;
        (answer.status == 200).then_some(())
    });
    assert_eq!(llama_tests::server::greedy_tokens_of(&url, "Hello", 8).len(), 8);
}

fn build(file: &str, name: &str, more: &[&str]) {
    docker::build(
        &[&["--file", file, "--load", "--tag", name], more, &["docker/examples"]].concat(),
    );
}

fn program(path: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}
