//! The components of `docker/k8s` that fit a server to a cluster: what they render, and how OpenShift starts it.

use llama_tests::docker::image;
use llama_tests::http;
use llama_tests::hub::Hub;
use llama_tests::manifest::operators::PodMonitor;
use llama_tests::manifest::pod_spec::PodSpec;
use llama_tests::manifest::{Rendered, read};
use llama_tests::needs;
use llama_tests::pod::Pod;
use llama_tests::workspace::root;
use serde_json::json;

use super::kubernetes::{cluster, own};

/// The overlay `overlay` with `components`.
fn with(overlay: &str, components: &[&str]) -> Option<Rendered> {
    let folder = "../repository/docker/k8s";
    let all = components.iter().map(|name| format!("{folder}/components/{name}"));
    let all = all.collect::<Vec<_>>().join(", ");
    let (is_rendered, output) =
        own(&format!("resources: [{folder}/overlays/{overlay}]\ncomponents: [{all}]\n"))?;
    assert!(is_rendered, "{components:?}: {output}");
    Some(Rendered::parse(&output))
}

#[test]
fn a_pod_gets_its_gpu_through_the_runtime_class_where_a_cluster_wants_it() {
    let Some(rendered) = with("cuda", &["nvidia-runtime"]) else { return };
    let pod = rendered.pod();
    assert_eq!(pod.runtime_class_name.as_deref(), Some("nvidia"));
    assert_eq!(pod.containers[0].resources.limits["nvidia.com/gpu"], "1");
    // Nobody else gets a class that the cluster may lack.
    assert_eq!(with("cuda", &[]).unwrap().pod().runtime_class_name, None);
}

#[test]
fn intels_gpus_have_the_name_of_their_driver() {
    let Some(rendered) = with("vulkan", &["intel-xe"]) else { return };
    let limits = &rendered.pod().containers[0].resources.limits;
    assert_eq!(limits["gpu.intel.com/xe"], "1");
    assert!(!limits.contains_key("gpu.intel.com/i915"), "{limits:?}");
}

#[test]
fn the_prometheus_operator_finds_the_port_and_the_pods() {
    let Some(rendered) = with("cpu", &["pod-monitor"]) else { return };
    let monitor: PodMonitor = read(rendered.find("PodMonitor").unwrap());
    assert_eq!((&*monitor.api_version, &*monitor.kind), ("monitoring.coreos.com/v1", "PodMonitor"));
    let labels = &rendered.find("Deployment").unwrap()["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels, &json!(monitor.spec.selector.match_labels));
    let [endpoint] = &monitor.spec.pod_metrics_endpoints[..] else { panic!("{monitor:?}") };
    let pod = rendered.pod();
    let ports: Vec<&str> = pod.containers[0].ports.iter().map(|port| &*port.name).collect();
    assert!(ports.contains(&&*endpoint.port), "{ports:?}");
    assert_eq!(endpoint.path, "/metrics");
}

/// The example of docs/production.md lets addresses in, and asks them for a key.
#[test]
fn who_comes_from_outside_is_let_in_by_address_and_key() {
    let page = std::fs::read_to_string(root().join("docs/production.md")).unwrap();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = example.unwrap().replace("github.com/ORG/REPO//", "../repository/");
    let Some((is_rendered, output)) = own(&example) else { return };
    assert!(is_rendered, "{output}");
    let rendered = Rendered::parse(&output);
    let from = &rendered.find("NetworkPolicy").unwrap()["spec"]["ingress"][0]["from"];
    let peers = from.as_array().unwrap();
    assert!(peers.contains(&json!({ "ipBlock": { "cidr": "192.0.2.0/24" } })), "{from}");
    // Those of the base stay.
    assert_eq!(peers.len(), 4, "{from}");
    assert!(rendered.pod().volumes.iter().any(|volume| volume.secret.is_some()), "{output}");
}

/// A kubelet that asked for `/health` itself would never find it.
#[test]
fn a_server_below_a_prefix_gets_ready() {
    let Some(image) = image("cpu") else { return };
    let hub = Hub::start(needs::demo_model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = cluster(dir.path(), &hub, image);
    cluster.environment.push(("LLAMA_ARG_API_PREFIX", "/below".into()));
    let pod = Pod::start(&with("cpu", &[]).unwrap(), &cluster);
    pod.get_ready();
    assert_eq!(http::get(&format!("{}/below/health", pod.url())).status, 200);
    assert_eq!(http::get(&format!("{}/health", pod.url())).status, 404);
}

/// What the security context constraint `restricted-v2` makes of a pod: a user of the project's range, in the group of
/// root, with a group for the volumes. It refuses a pod that names others.
fn admitted(mut pod: PodSpec) -> PodSpec {
    const PROJECT: u32 = 1_000_650_000;
    let rights = &mut pod.security_context;
    assert_eq!((rights.run_as_user, rights.run_as_group, rights.fs_group), (None, 0, None));
    rights.run_as_user = Some(PROJECT);
    rights.fs_group = Some(PROJECT);
    pod
}

/// It downloads into its claim, and reads its keys.
#[test]
fn openshift_starts_a_server_as_its_own_user() {
    let Some(image) = image("cpu") else { return };
    let hub = Hub::start(needs::demo_model().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let rendered = with("cpu", &["api-key", "openshift"]).unwrap();
    let pod = Pod::start_as(admitted(rendered.pod()), &cluster(dir.path(), &hub, image));
    pod.get_ready();
    let (url, question) =
        (format!("{}/v1/completions", pod.url()), json!({ "prompt": "Hello", "max_tokens": 4 }));
    assert_eq!(http::post(&url, &question).status, 401);
    http::post_with_key(&url, &question, Some("sesame")).ok();
    pod.end();
}
