//! Models in Kubernetes: what is printed and what is in `docker/k8s`, started by podman and as KServe starts it.

use std::path::Path;

use llama_tests::docker::{self, Container};
use llama_tests::http;
use llama_tests::manifest::Rendered;
use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::pod::{Cluster, Pod};
use llama_tests::process::{Finished, command, wait_for};
use llama_tests::workspace::root;
use serde::Deserialize;
use serde_json::{Value, json};

/// A folder with the demo model as `model.gguf`, and a file that packs it.
pub(super) fn context(dir: &Path) {
    std::fs::copy(needs::demo_model().unwrap(), dir.join("model.gguf")).unwrap();
    let file = "FROM scratch\nCOPY model.gguf .\nCMD [\"-m\", \"model.gguf\", \"-c\", \"256\"]\n";
    std::fs::write(dir.join("GGUFPackerfile"), file).unwrap();
}

/// `--print kube` is played by an engine that is not ours, image volume included.
#[test]
fn podman_plays_the_printed_pod() {
    let (Some(packer), Some(tools)) = (Packer::new(), docker::tools()) else { return };
    let Some(server) = docker::image("cpu-minimal") else { return };
    let dir = tempfile::tempdir().unwrap();
    context(dir.path());
    let archive = format!("docker-archive={}", dir.path().join("model.tar").display());
    packer
        .does_in(dir.path(), &["build", "--tag", "example.test/demo:1", "--output", &archive, "."]);
    let words = ["run", "example.test/demo:1", "--by", &server, "--print", "kube"];
    let printed = packer.command(&words).output().unwrap();
    std::fs::write(dir.path().join("kube.yaml"), printed.stdout).unwrap();

    let here = format!("{}:/here:ro", dir.path().display());
    let own = ["--privileged", "--volume", "/var/lib/containers", "--volume", &here];
    let quiet = ["--env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", &tools, "sleep", "infinity"];
    let podman = Container::start(&[&own[..], &quiet].concat());
    let load = format!("docker save {server} | docker exec -i {} podman load --quiet", podman.id);
    let loaded = command("sh").args(["-ec", &load]).output().unwrap();
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    let succeed = |line: &str| {
        let Finished { status, output } = podman.exec(&["bash", "-ec", line]);
        assert!(status.success(), "{line}: {output}");
        output
    };
    succeed("podman load --quiet --input /here/model.tar && podman kube play /here/kube.yaml");
    let check = "podman exec demo-pod-llama-server /app/bin/llama-healthcheck";
    wait_for("the played pod", || {
        podman.exec(&["bash", "-c", check]).status.success().then_some(())
    });
    let logs = succeed("podman logs demo-pod-llama-server 2>&1");
    assert!(logs.contains("/model-image/models/model.gguf"), "{logs}");
    succeed("podman kube down /here/kube.yaml");
}

/// The documents of `docker/k8s/kserve/NAME`.
fn kserve(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("docker/k8s/kserve").join(name)).unwrap();
    Value::deserialize(serde_norway::Deserializer::from_str(&text)).unwrap()
}

/// The runtime's container, with the model where KServe mounts it: the folder `models` of the image at `/mnt/models`
/// (kserve/kserve#5558), under the pod's rights that KServe takes from the container.
#[test]
fn kserves_runtime_serves_the_model_of_an_image() {
    let Some(server) = docker::image("cpu") else { return };
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("models")).unwrap();
    let model = dir.path().join("models/model.gguf");
    std::fs::copy(needs::demo_model().unwrap(), model).unwrap();
    let (runtime, service) = (kserve("runtime.yaml"), kserve("model.yaml"));
    let predictor = &service["spec"]["predictor"]["model"];
    let formats = runtime["spec"]["supportedModelFormats"].as_array().unwrap();
    assert!(formats.iter().any(|format| format["name"] == predictor["modelFormat"]["name"]));
    let reference =
        predictor["storageUri"].as_str().unwrap().strip_prefix("oci+native://").unwrap();

    let mut container = runtime["spec"]["containers"][0].clone();
    assert_eq!(container["name"], "kserve-container", "KServe knows it by that name");
    // Knative refuses hooks: knative/serving#687.
    let annotations = &service["metadata"]["annotations"];
    assert!(container["lifecycle"].is_object());
    assert_eq!(annotations["serving.kserve.io/deploymentMode"], "Standard");
    for arg in container["args"].as_array_mut().unwrap() {
        *arg = arg.as_str().unwrap().replace("{{.Name}}", "chat").into();
    }
    container["resources"] = predictor["resources"].clone();
    container["volumeMounts"] = json!([
        { "name": "kserve", "mountPath": "/mnt/models", "subPath": "models", "readOnly": true },
        { "name": "tmp", "mountPath": "/tmp" },
    ]);
    // A pod of ours says this for all its containers.
    let rights = container["securityContext"].as_object_mut().unwrap();
    assert_eq!(rights.remove("runAsNonRoot"), Some(true.into()));
    assert!(!rights.contains_key("runAsUser"), "OpenShift chooses the user: {rights:?}");
    let spec = json!({
        "containers": [container],
        "volumes": [
            { "name": "kserve", "image": { "reference": reference, "pullPolicy": "IfNotPresent" } },
            { "name": "tmp", "emptyDir": {} },
        ],
        "securityContext": {
            "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" },
        },
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": false,
    });
    let deployment = json!({ "kind": "Deployment", "spec": { "template": { "spec": spec } } });
    let rendered = Rendered::parse(&deployment.to_string());
    let model = dir.path().to_owned();
    let cluster = Cluster { image: server, environment: vec![], model, secrets: [].into() };
    let pod = Pod::start(&rendered, &cluster);
    pod.get_ready();
    let models = http::get(&format!("{}/v1/models", pod.url())).ok();
    assert_eq!(models["data"][0]["id"], "chat", "{models}");
    assert_eq!(http::get(&format!("{}/metrics", pod.url())).status, 200);
    pod.end();
}
