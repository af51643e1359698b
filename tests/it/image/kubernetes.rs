//! Kubernetes: what `kubectl kustomize` renders.

use llama_tests::manifest::{Rendered, kustomize, rendered};
use llama_tests::needs;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::root;
use serde_json::json;

/// Folders below `docker/k8s` that a person applies.
fn applied() -> Vec<String> {
    let folders = ["overlays", "examples"].into_iter().flat_map(|kind| {
        let entries = std::fs::read_dir(root().join("docker/k8s").join(kind)).unwrap();
        entries.map(move |entry| format!("{kind}/{}", entry.unwrap().file_name().to_string_lossy()))
    });
    let mut folders: Vec<String> = folders.collect();
    folders.sort();
    folders
}

/// Those that have image volumes without a gate, which the components use.
const VERSIONS: [&str; 3] = ["1.35", "1.36", "1.37"];

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let Some(tool) = needs::from_pypi("kubernetes-validate", "1.37.0") else { return };
    let dir = tempfile::tempdir().unwrap();
    let validate = |version: &str| {
        let mut validate = command(tool.join("bin/kubernetes-validate"));
        validate.args(["--strict", "--no-warn", "--kubernetes-version", version]);
        validate.env("PYTHONPATH", &tool).current_dir(dir.path());
        validate
    };
    let files: Vec<String> = applied().iter().map(|name| name.replace('/', "-")).collect();
    for (name, file) in applied().iter().zip(&files) {
        let Some(rendered) = rendered(name) else { return };
        std::fs::write(dir.path().join(file), rendered).unwrap();
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
fn own(kustomization: &str) -> Option<(bool, String)> {
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
