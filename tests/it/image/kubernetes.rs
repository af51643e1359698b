//! Kubernetes: what `kubectl kustomize` renders is started as it is, serves, and ends well.

use std::path::Path;

use llama_tests::docker::{self, image};
use llama_tests::http;
use llama_tests::hub::Hub;
use llama_tests::manifest::{Rendered, kustomize, rendered};
use llama_tests::needs;
use llama_tests::pod::{Cluster, Pod};
use llama_tests::process::{Finished, command, finish, wait_for};
use llama_tests::workspace::root;
use serde_json::{Value, json};

/// Folders below `docker/k8s` that a person applies, with a Deployment each.
fn applied() -> Vec<String> {
    let folders = ["overlays", "examples"].into_iter().flat_map(|kind| {
        let entries = std::fs::read_dir(root().join("docker/k8s").join(kind)).unwrap();
        entries.map(move |entry| format!("{kind}/{}", entry.unwrap().file_name().to_string_lossy()))
    });
    let mut folders: Vec<String> = folders.chain(["llm-d".to_owned()]).collect();
    folders.sort();
    folders
}

/// With the model on a hub and in a folder, and with keys.
pub(super) fn cluster(dir: &Path, hub: &Hub, image: String) -> Cluster {
    let [model, keys] = ["model", "keys"].map(|name| dir.join(name));
    for dir in [&model, &keys] {
        std::fs::create_dir_all(dir).unwrap();
    }
    // As an image has it.
    std::fs::create_dir_all(model.join("models")).unwrap();
    std::fs::copy(needs::demo_model().unwrap(), model.join("models/model.gguf")).unwrap();
    std::fs::write(keys.join("api-keys"), "# of the tests\nsesame\n").unwrap();
    Cluster {
        image,
        environment: vec![
            ("HF_ENDPOINT", hub.endpoint(&docker::gateway())),
            ("LLAMA_REQUIRE_GPU", "0".into()),
        ],
        model,
        secrets: [("llama-server-keys", keys)].into(),
    }
}

/// Nothing is changed but the image's name, devices, and where the hub is; and on a machine without a GPU what
/// wants one is told to do without. All at once: each one waits in its preStop hook.
#[test]
fn every_manifest_starts_serves_and_ends_as_it_is_rendered() {
    let hub = Hub::start(needs::demo_model().unwrap());
    std::thread::scope(|scope| {
        for name in applied() {
            let Some(image) = image(if name.ends_with("/vulkan") { "vulkan" } else { "cpu" })
            else {
                continue;
            };
            let hub = &hub;
            scope.spawn(move || starts_serves_and_ends(&name, hub, image));
        }
    });
}

fn starts_serves_and_ends(name: &str, hub: &Hub, image: String) {
    let dir = tempfile::tempdir().unwrap();
    let rendered = Rendered::of(name).unwrap();
    let pod = Pod::start(&rendered, &cluster(dir.path(), hub, image));
    pod.get_ready();
    let with_keys = rendered.pod().volumes.iter().any(|volume| volume.secret.is_some());
    let url = format!("{}/v1/completions", pod.url());
    let question = json!({ "prompt": "Hello", "max_tokens": 4 });
    let wanted = if with_keys { 401 } else { 200 };
    assert_eq!(http::post(&url, &question).status, wanted, "{name}");
    let answer = http::post_with_key(&url, &question, Some("sesame")).ok();
    assert_eq!(answer["usage"]["completion_tokens"], 4, "{name}: {answer}");
    // Clients tell one model from another.
    let model = answer["model"].as_str().unwrap();
    assert!(!model.is_empty() && !model.starts_with('/'), "{name}: {answer}");
    // The scrape and the autoscaler name no key.
    assert_eq!(http::get(&format!("{}/metrics", pod.url())).status, 200, "{name}");
    pod.end();
}

/// A pod that gets no GPU does not count as started, and says why.
#[test]
fn a_pod_without_its_gpu_does_not_start() {
    let Some(image) = image("vulkan") else { return };
    let hub = Hub::start(needs::demo_model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = cluster(dir.path(), &hub, image);
    cluster.environment.retain(|(name, _)| *name != "LLAMA_REQUIRE_GPU");
    let pod = Pod::start(&Rendered::of("overlays/vulkan").unwrap(), &cluster);
    let said = wait_for("the probe to say why", || {
        let said = pod.starts().unwrap_err();
        said.contains("LLAMA_REQUIRE_GPU=1").then_some(said)
    });
    assert!(said.starts_with("unhealthy: "), "{said}");
}

/// Those that have image volumes without a gate, which the components use.
pub(crate) const VERSIONS: [&str; 3] = ["1.35", "1.36", "1.37"];
/// The package of PyPI's that has their schemas.
pub(crate) const VALIDATE: (&str, &str) = ("kubernetes-validate", "1.37.0");

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let Some(tool) = needs::from_pypi(VALIDATE.0, VALIDATE.1) else { return };
    let dir = tempfile::tempdir().unwrap();
    let validate = |version: &str| {
        let mut validate = command(tool.join("bin/kubernetes-validate"));
        validate.args(["--strict", "--no-warn", "--kubernetes-version", version]);
        validate.env("PYTHONPATH", &tool).current_dir(dir.path());
        validate
    };
    let mut files: Vec<String> = applied().iter().map(|name| name.replace('/', "-")).collect();
    for (name, file) in applied().iter().zip(&files) {
        let Some(rendered) = rendered(name) else { return };
        std::fs::write(dir.path().join(file), rendered).unwrap();
    }
    let Some(group) = Rendered::of("leaderworkerset") else { return };
    for (number, object) in without_operators(&group).iter().enumerate() {
        files.push(format!("group-{number}"));
        std::fs::write(dir.path().join(&files[files.len() - 1]), object.to_string()).unwrap();
    }
    // It would say nothing of a field that nobody knows if it did not look.
    let wrong = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {prots: []}\n";
    std::fs::write(dir.path().join("wrong"), wrong).unwrap();
    for version in VERSIONS {
        let Finished { status, output } = finish(validate(version).args(&files));
        assert!(status.success(), "{version}: {output}");
        let Finished { status, output } = finish(validate(version).arg("wrong"));
        assert!(!status.success() && output.contains("prots"), "{version}: {output}");
    }
}

/// The objects of Kubernetes' own kinds; in place of groups the pods and claims that they make.
fn without_operators(rendered: &Rendered) -> Vec<Value> {
    let of_group = |set: &Value| {
        let group = &set["spec"]["leaderWorkerTemplate"];
        let object = |kind: &str, template: &Value| {
            let mut object = template.clone();
            object["apiVersion"] = "v1".into();
            object["kind"] = kind.into();
            object["metadata"]["name"] = "made".into();
            object
        };
        let pods = ["leaderTemplate", "workerTemplate"].map(|name| object("Pod", &group[name]));
        let claims = group["volumeClaimTemplates"].as_array().unwrap();
        let claims = claims.iter().map(|claim| object("PersistentVolumeClaim", claim));
        pods.into_iter().chain(claims).collect()
    };
    let objects = rendered.objects().iter();
    objects
        .flat_map(|object| match object["kind"].as_str() {
            Some("LeaderWorkerSet") => of_group(object),
            _ => vec![object.clone()],
        })
        .collect()
}

/// A claim that one node can write and the only GPU are let go of before another server wants them.
#[test]
fn no_rollout_waits_for_itself() {
    for name in applied() {
        let Some(rendered) = Rendered::of(&name) else { return };
        let strategy = &rendered.find("Deployment").unwrap()["spec"]["strategy"];
        let pod = rendered.pod();
        let gpu = pod.containers[0].resources.limits.keys().any(|name| name.contains(".com/"));
        let claim = pod.volumes.iter().any(|volume| volume.persistent_volume_claim.is_some());
        let first_ends = strategy["type"] == "Recreate"
            || (!claim && strategy["rollingUpdate"] == json!({"maxSurge": 0, "maxUnavailable": 1}));
        assert!(first_ends || !(gpu || claim), "{name}: {strategy}");
    }
}

/// A folder of a user's that stands on ours.
pub(super) fn own(kustomization: &str) -> Option<(bool, String)> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("kustomization.yaml"), kustomization).unwrap();
    let finished = kustomize(dir.path(), ".")?;
    Some((finished.status.success(), finished.output))
}

#[test]
fn more_servers_are_refused_where_a_second_one_could_not_start() {
    let folder = |components: &str| {
        own(&format!(
            "resources: [../repository/docker/k8s/overlays/cpu]\ncomponents: [{components}]\n"
        ))
    };
    let autoscaling = "../repository/docker/k8s/components/autoscaling";
    let Some((rendered, output)) = folder(autoscaling) else { return };
    assert!(!rendered && output.contains("/spec/strategy/type"), "{output}");
    let both = format!("../repository/docker/k8s/components/model-image, {autoscaling}");
    let (rendered, output) = folder(&both).unwrap();
    assert!(rendered && output.contains("kind: HorizontalPodAutoscaler"), "{output}");
}

/// Without a key in front of it, whoever reaches it is answered.
#[test]
fn nobody_but_neighbours_and_prometheus_reaches_a_server_in_a_cluster() {
    for name in applied() {
        let Some(rendered) = Rendered::of(&name) else { return };
        let policy = &rendered.find("NetworkPolicy").unwrap()["spec"];
        let labels = &rendered.find("Deployment").unwrap()["spec"]["selector"]["matchLabels"];
        // Its own pods, and none of others in the namespace.
        assert_eq!(&policy["podSelector"]["matchLabels"], labels, "{name}");
        assert_eq!(policy["policyTypes"], json!(["Ingress"]), "{name}");
        let [ingress] = &policy["ingress"].as_array().unwrap()[..] else { panic!("{policy}") };
        assert_eq!(ingress["ports"], json!([{ "port": "http" }]), "{name}");
        let from = ingress["from"].as_array().unwrap();
        let everybody = from
            .iter()
            .any(|peer| peer["namespaceSelector"] == json!({}) && peer["podSelector"].is_null());
        assert!(!from.is_empty() && !everybody, "{name}: {from:?}");
        let service = &rendered.find("Service").unwrap()["spec"];
        assert!(service["type"].is_null() || service["type"] == "ClusterIP", "{name}: {service}");
    }
}
