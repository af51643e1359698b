//! Compose: up, healthy, a chat; for this machine alone, with keys, behind somebody's own hub.

use std::path::Path;

use llama_tests::docker::{self, docker, image};
use llama_tests::hub::Hub;
use llama_tests::process::{Finished, finish};
use llama_tests::server::free_port;
use llama_tests::workspace::root;
use llama_tests::{http, needs};
use serde_json::{Value, json};

/// Its containers, network and volume are gone when this is dropped.
struct Project {
    name: &'static str,
    profile: String,
    files: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Project {
    fn new(name: &'static str, profile: &str, environment: &[(&'static str, String)]) -> Self {
        let own = [("REGISTRY", format!("{}/", docker::REGISTRY)), ("TAG", "runtime".to_owned())];
        let environment = own.iter().chain(environment).cloned().collect();
        let profile = profile.to_owned();
        Self { name, profile, files: vec!["docker/compose.yaml".into()], environment }
    }

    fn compose(&self, words: &[&str]) -> Finished {
        let mut own = vec!["compose", "--project-name", self.name, "--profile", &self.profile];
        own.extend(self.files.iter().flat_map(|file| ["--file", file]));
        let mut compose = docker(&[&own, words].concat());
        finish(compose.envs(self.environment.iter().cloned()))
    }

    /// `up --wait`, as the head of the file says.
    fn up(&self) {
        let Finished { status, output } = self.compose(&["up", "--wait", "--no-build"]);
        assert!(status.success(), "{output}\n{}", self.compose(&["logs"]).output);
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut down = docker(&["compose", "--project-name", self.name, "down", "--volumes"]);
        let _ = down.output();
    }
}

/// The image of `profile`; where it takes a toolkit of gigabytes, the CPU's under its name.
fn image_of(profile: &str) -> Option<()> {
    if profile == "vulkan" {
        return image("vulkan").map(drop);
    }
    let cpu = image("cpu")?;
    let name = format!("{}/llama-cpp-{profile}:runtime", docker::REGISTRY);
    (profile != "cpu").then(|| docker::read(&["tag", &cpu, &name]));
    Some(())
}

/// Without a word about a model, the small one is downloaded. Nothing else is in the way of a GPU's profile on this
/// machine than its devices.
#[test]
fn every_profile_starts_as_it_stands_and_ends() {
    let hub = Hub::start(needs::demo_model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    for profile in &docker::variants() {
        if image_of(profile).is_none() {
            return;
        }
        let port = free_port().to_string();
        let mut project = Project::new(
            "llama-it-profiles",
            profile,
            &[
                ("PORT", port.clone()),
                ("MODELS", dir.path().display().to_string()),
                ("HF_ENDPOINT", hub.endpoint(&docker::gateway())),
                ("LLAMA_REQUIRE_GPU", "0".into()),
            ],
        );
        if profile != "cpu" {
            let without = dir.path().join("without-devices.yaml");
            let reset = "{resources: {reservations: !reset null}}";
            let text =
                format!("services: {{{profile}: {{devices: !reset null, deploy: {reset}}}}}\n");
            std::fs::write(&without, text).unwrap();
            project.files.push(without.display().to_string());
        }
        project.up();
        let question =
            json!({ "messages": [{ "role": "user", "content": "Hello, who are you?" }] });
        let url = format!("http://127.0.0.1:{port}/v1/chat/completions");
        let answer = http::post(&url, &question).ok();
        let words = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(words.split_whitespace().count() > 2, "{answer}");
        project.compose(&["stop"]);
        let ended = project.compose(&["ps", "--all", "--format", "{{.ExitCode}}"]).output;
        assert_eq!(ended.trim(), "0", "{profile}: {}", project.compose(&["logs"]).output);
    }
}

/// What compose makes of its file in this environment.
fn configured(environment: &[(&'static str, String)]) -> Value {
    let mut config = docker(&["compose", "--file", "docker/compose.yaml", "--profile", "*"]);
    config.args(["config", "--format", "json"]).envs(environment.iter().cloned());
    let output = config.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["services"].take()
}

#[test]
fn a_service_is_for_this_machine_alone_unless_it_is_told_otherwise() {
    if needs::docker().is_none() {
        return;
    }
    for (environment, address) in
        [(vec![], "127.0.0.1"), (vec![("BIND", "0.0.0.0".to_owned())], "0.0.0.0")]
    {
        for (name, service) in configured(&environment).as_object().unwrap() {
            let ports = service["ports"].as_array().unwrap();
            assert!(ports.iter().all(|port| port["host_ip"] == address), "{name}: {ports:?}");
            // A model that is refused is not loaded for ever.
            assert_eq!(service["restart"], "on-failure:5", "{name}");
        }
    }
}

/// On a GPU no batch takes as long; on a CPU nobody knows.
#[test]
fn a_driver_that_hangs_makes_a_server_unhealthy() {
    if needs::docker().is_none() {
        return;
    }
    let stall = |environment: &[(&'static str, String)], service: &str| {
        configured(environment)[service]["environment"]["LLAMA_HEALTHCHECK_STALL"].take()
    };
    let chosen = [("LLAMA_HEALTHCHECK_STALL", "60".to_owned())];
    for (service, default) in [
        ("cpu", Value::Null),
        ("cuda", "300".into()),
        ("rocm", "300".into()),
        ("vulkan", "300".into()),
    ] {
        assert_eq!(stall(&[], service), default, "{service}");
        assert_eq!(stall(&chosen, service), "60", "{service}");
    }
}

#[test]
fn selinux_can_be_told_to_label_the_models() {
    if needs::docker().is_none() {
        return;
    }
    let chosen = [("MODELS_MODE", "ro,z".to_owned())];
    for (environment, label) in [(&[][..], Value::Null), (&chosen[..], "z".into())] {
        let mount = configured(environment)["cpu"]["volumes"][0].take();
        assert_eq!((&mount["read_only"], &mount["target"]), (&json!(true), &json!("/models")));
        assert_eq!(mount["bind"]["selinux"], label, "{mount}");
    }
}

#[test]
fn hubs_and_proxies_are_handed_on() {
    if needs::docker().is_none() {
        return;
    }
    let names =
        ["HF_TOKEN", "HF_ENDPOINT", "MODEL_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];
    let lower = ["https_proxy", "http_proxy", "no_proxy"];
    let set = names.into_iter().chain(lower).map(|name| (name, format!("of {name}")));
    for (service, said) in configured(&set.clone().collect::<Vec<_>>()).as_object().unwrap() {
        for (name, value) in set.clone() {
            assert_eq!(said["environment"][name], value, "{service}");
        }
    }
}

/// Whose file nobody else may read: the server runs as its owner.
#[test]
fn a_key_comes_from_a_file_of_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    if image("cpu").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    std::fs::write(&keys, "sesame\n").unwrap();
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    let port = free_port().to_string();
    let project = Project::new(
        "llama-it-keys",
        "cpu",
        &[
            ("PORT", port.clone()),
            ("MODELS", root().join("tests/models").display().to_string()),
            ("LLAMA_ARGS", "-m /models/llama-demo.gguf".into()),
            ("API_KEY_FILE", keys.display().to_string()),
            ("RUN_AS", owner(&keys)),
        ],
    );
    project.up();
    let (url, question) = (
        format!("http://127.0.0.1:{port}/completion"),
        json!({ "prompt": "Hello", "n_predict": 4 }),
    );
    assert_eq!(http::post(&url, &question).status, 401);
    http::post_with_key(&url, &question, Some("sesame")).ok();
    let logs = project.compose(&["logs"]).output;
    assert!(logs.contains("listening") && !logs.contains("sesame"), "{logs}");
}

fn owner(file: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata().unwrap();
    format!("{}:{}", file.uid(), file.gid())
}
