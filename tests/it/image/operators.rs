//! The manifests for KServe, llm-d, LeaderWorkerSet and KEDA: their operators know each field, and each name in them
//! is one that something has.

use std::collections::BTreeSet;
use std::path::Path;

use llama_tests::docker;
use llama_tests::http;
use llama_tests::hub::Hub;
use llama_tests::manifest::operators::{
    EndpointPickerConfig, LeaderWorkerSet, RestartPolicy, RouterValues, ScaledObject,
};
use llama_tests::manifest::pod_spec::PodSpec;
use llama_tests::manifest::{Rendered, read, read_file};
use llama_tests::needs;
use llama_tests::pod::Pod;
use llama_tests::process::{Finished, command, finish};
use llama_tests::workspace::root;
use serde_json::{Value, json};

use super::kubernetes::{VALIDATE, VERSIONS, cluster, own};

#[test]
fn kserve_knows_every_field_of_its_manifests() {
    let python = needs::program_of("python3", "python3 python3-pip");
    let packages =
        (needs::wheel_from_pypi("kserve", "0.21.0"), needs::from_pypi(VALIDATE.0, VALIDATE.1));
    let (Some(python), (Some(kserve), Some(schemas))) = (python, packages) else { return };
    let check = |version: &str, file: &Path| {
        let mut check = command(&python);
        check.arg(root().join("tests/kubernetes/kserve_models.py")).arg(&kserve).arg(version);
        finish(check.arg(file).env("PYTHONPATH", &schemas))
    };
    let dir = tempfile::tempdir().unwrap();
    for (name, right, wrong) in
        [("runtime.yaml", "drop: [", "dorp: ["), ("model.yaml", "modelFormat:", "modelFromat:")]
    {
        let shipped = root().join("docker/k8s/kserve").join(name);
        let changed = dir.path().join(name);
        let text = std::fs::read_to_string(&shipped).unwrap().replace(right, wrong);
        std::fs::write(&changed, text).unwrap();
        for version in VERSIONS {
            let Finished { status, output } = check(version, &shipped);
            assert!(status.success() && output.contains(" is right"), "{version}: {output}");
        }
        check(VERSIONS[0], &changed)
            .assert_refused("KServe", wrong.split([':', ' ']).next().unwrap());
    }
}

/// The names that LeaderWorkerSet gives to pods: `SET-GROUP-WORKER` under the Service `SET`.
#[test]
fn a_head_knows_as_many_workers_as_its_group_has() {
    let Some(rendered) = Rendered::of("leaderworkerset") else { return };
    let set: LeaderWorkerSet = read(rendered.find("LeaderWorkerSet").unwrap());
    assert_eq!((&*set.api_version, &*set.kind), ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"));
    let (name, group) = (set.metadata.name, set.spec.leader_worker_template);
    assert_eq!(group.restart_policy, RestartPolicy::RecreateGroupOnPodRestart);
    let [head, worker] = [&group.leader_template, &group.worker_template];

    let port = worker["spec"]["containers"][0]["ports"][0]["containerPort"].as_u64().unwrap();
    let env = head["spec"]["containers"][0]["env"].as_array().unwrap();
    let rpc = env.iter().position(|variable| variable["name"] == "LLAMA_ARG_RPC").unwrap();
    let index = env.iter().position(|variable| variable["name"] == "GROUP").unwrap();
    assert!(index < rpc, "a variable knows only those before it: {env:?}");
    let workers = (1..group.size).map(|worker| format!("{name}-$(GROUP)-{worker}.{name}:{port}"));
    assert_eq!(env[rpc]["value"], workers.collect::<Vec<_>>().join(","));
    let args = &worker["spec"]["containers"][0]["args"];
    assert_eq!(args, &json!(["-H", "0.0.0.0", "-p", port.to_string(), "-c"]));

    // Each mount is a volume of the pod or a claim of the group.
    let claims = group.volume_claim_templates.iter().map(|claim| &claim["metadata"]["name"]);
    for pod in [head, worker] {
        let volumes = pod["spec"]["volumes"].as_array().unwrap();
        let names = volumes.iter().map(|volume| &volume["name"]).chain(claims.clone());
        let names: Vec<_> = names.collect();
        for mount in pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap() {
            assert!(names.contains(&&mount["name"]), "{mount}: {names:?}");
        }
    }
}

/// A group as LeaderWorkerSet starts it: each pod under its name, with its claim, and the head with its number.
#[test]
fn a_group_serves_one_model_from_all_its_pods() {
    let (Some(image), Some(rendered)) = (docker::image("cpu"), Rendered::of("leaderworkerset"))
    else {
        return;
    };
    let set: LeaderWorkerSet = read(rendered.find("LeaderWorkerSet").unwrap());
    let group = set.spec.leader_worker_template;
    let pod = |template: &Value| -> PodSpec {
        let mut spec = template["spec"].clone();
        for claim in &group.volume_claim_templates {
            let name = &claim["metadata"]["name"];
            let claim = json!({ "name": name, "persistentVolumeClaim": { "claimName": name } });
            spec["volumes"].as_array_mut().unwrap().push(claim);
        }
        read(&spec)
    };
    let (hub, dir) = (Hub::start(needs::demo_model().unwrap()), tempfile::tempdir().unwrap());
    let network = Network::new();
    let mut cluster = cluster(dir.path(), &hub, image);
    cluster.environment.push(("GROUP", "0".into()));
    let name = &set.metadata.name;
    let workers = (1..group.size).map(|worker| {
        let name = format!("{name}-0-{worker}.{name}");
        Pod::start_in(&network.0, &name, pod(&group.worker_template), &cluster)
    });
    let workers: Vec<Pod> = workers.collect();
    let head = Pod::start_in(
        &network.0,
        &format!("{name}-0.{name}"),
        pod(&group.leader_template),
        &cluster,
    );
    workers.iter().for_each(Pod::get_ready);
    head.get_ready();
    let question = json!({ "prompt": "Hello", "max_tokens": 4 });
    let answer = http::post(&format!("{}/v1/completions", head.url()), &question).ok();
    assert_eq!(answer["usage"]["completion_tokens"], 4, "{answer}");
    // It says which devices have the model.
    let healthy = head.starts().unwrap();
    for device in 0..group.size - 1 {
        assert!(healthy.contains(&format!("RPC{device}")), "{healthy}");
    }
    head.end();
}

/// A network of Docker's, gone when it is dropped.
struct Network(String);

impl Network {
    fn new() -> Self {
        Self(docker::read(&["network", "create", &format!("llama-it-{}", std::process::id())]))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = docker::docker(&["network", "rm", "--force", &self.0]).output();
    }
}

/// Whoever reaches a worker can use it: RPC has no key.
#[test]
fn only_pods_of_the_groups_reach_a_worker() {
    let Some(rendered) = Rendered::of("leaderworkerset") else { return };
    let set = rendered.find("LeaderWorkerSet").unwrap();
    let template = &set["spec"]["leaderWorkerTemplate"];
    let labels = |pod: &str| template[pod]["metadata"]["labels"].clone();
    let policies = rendered.all("NetworkPolicy");
    let policy = |labels: &Value| {
        let of = |one: &&Value| &one["spec"]["podSelector"]["matchLabels"] == labels;
        &policies.iter().find(|one| of(one)).unwrap_or_else(|| panic!("no policy for {labels}"))["spec"]
    };
    let worker = policy(&labels("workerTemplate"));
    let group = json!([{ "podSelector": { "matchLabels": { "leaderworkerset.sigs.k8s.io/name": set["metadata"]["name"] } } }]);
    let [ingress] = &worker["ingress"].as_array().unwrap()[..] else { panic!("{worker}") };
    assert_eq!((&worker["policyTypes"], &ingress["from"]), (&json!(["Ingress"]), &group));
    assert_eq!(ingress["ports"], json!([{ "port": "rpc" }, { "port": 51052 }]));
    // Clients reach heads, and no worker.
    let service = &rendered.find("Service").unwrap()["spec"]["selector"];
    assert_eq!(service, &labels("leaderTemplate"));
    policy(&labels("leaderTemplate"));
    assert_ne!(service, &labels("workerTemplate"));
}

#[test]
fn keda_takes_the_place_of_the_autoscaler() {
    let components = "../repository/docker/k8s/components";
    let folder = |components: &str| {
        own(&format!(
            "resources: [../repository/docker/k8s/overlays/cpu]\ncomponents: [{components}]\n"
        ))
    };
    let Some((rendered, output)) = folder(&format!("{components}/keda")) else { return };
    assert!(!rendered && output.contains("/spec/strategy/type"), "{output}");
    let both = format!("{components}/model-image, {components}/keda");
    let (is_rendered, output) = folder(&both).unwrap();
    assert!(is_rendered, "{output}");
    let rendered = Rendered::parse(&output);
    assert!(rendered.find("HorizontalPodAutoscaler").is_none(), "{output}");
    assert!(rendered.find("PodDisruptionBudget").is_some(), "{output}");
    let scaled: ScaledObject = read(rendered.find("ScaledObject").unwrap());
    assert_eq!((&*scaled.api_version, &*scaled.kind), ("keda.sh/v1alpha1", "ScaledObject"));
    let target = &rendered.find("Deployment").unwrap()["metadata"]["name"];
    assert_eq!(target, scaled.spec.scale_target_ref.name.as_str());
    let [trigger] = &scaled.spec.triggers[..] else { panic!("{scaled:?}") };
    assert_eq!(trigger.kind, "prometheus");
    assert!(trigger.metadata.threshold.parse::<u32>().is_ok(), "{trigger:?}");
    // Numbers that are missing would be 0 for KEDA, which would end servers, and `fallback` would not count them.
    assert_eq!(trigger.metadata.ignore_null_values, "false");
}

#[test]
fn the_router_of_llm_d_finds_its_plugins_and_the_servers() {
    let config: EndpointPickerConfig = read_file("llm-d/plugins.yaml");
    assert_eq!(
        (&*config.api_version, &*config.kind),
        ("llm-d.ai/v1alpha1", "EndpointPickerConfig")
    );
    let plugins: BTreeSet<&str> = config.plugins.iter().map(|plugin| &*plugin.kind).collect();
    let mut used = BTreeSet::new();
    for source in &config.data_layer.sources {
        used.insert(&*source.plugin_ref);
        used.extend(source.extractors.iter().map(|one| &*one.plugin_ref));
    }
    let profiles = config.scheduling_profiles.iter().flat_map(|profile| &profile.plugins);
    used.extend(profiles.map(|one| &*one.plugin_ref));
    // The router takes these two without a reference.
    used.extend(["approx-prefix-cache-producer", "single-profile-handler"]);
    assert_eq!(used, plugins);
    let [extractor] =
        &config.plugins.iter().filter_map(|one| one.parameters.as_ref()).collect::<Vec<_>>()[..]
    else {
        panic!("{config:?}")
    };
    assert_eq!(extractor.default_engine, extractor.engine_configs[0].name);

    let values: RouterValues = read_file("llm-d/values.yaml");
    let file = format!(
        "--set-file 'router.epp.pluginsCustomConfig.{}=docker/k8s/llm-d/plugins.yaml'",
        values.router.epp.plugins_config_file.replace('.', "\\.")
    );
    let page = std::fs::read_to_string(root().join("docs/scale.md")).unwrap();
    assert!(page.contains(&file), "docs/scale.md has no {file}");
    let Some(rendered) = Rendered::of("llm-d") else { return };
    let servers = values.router.model_servers;
    let template = &rendered.find("Deployment").unwrap()["spec"]["template"];
    assert_eq!(template["metadata"]["labels"], json!(servers.match_labels));
    let port = &template["spec"]["containers"][0]["ports"][0]["containerPort"];
    assert_eq!(port, servers.target_ports[0].number);
}
