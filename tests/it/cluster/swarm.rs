//! `docker/stack.yaml` in a Swarm of three engines: a rolling update under load, the loss of a node, GPUs.

use llama_tests::docker;
use llama_tests::http;
use llama_tests::process::wait_for;
use llama_tests::workspace::root;
use serde_json::json;

use super::load::{self, KEY};
use super::{Network, Node};

/// How Swarm names the GPU of the third node.
const GPU: &str = "GPU-of-node3";

/// A manager and two workers with our image.
struct Swarm {
    nodes: Vec<Node>,
    image: String,
    _network: Network,
}

impl Swarm {
    fn start() -> Option<Self> {
        let (engine, image) = (docker::cluster()?, docker::image("cpu-minimal")?);
        let (network, models) = (Network::new(), docker::models());
        let files = format!("{}:/stack:ro", root().join("docker").display());
        let gpu = format!("--node-generic-resource=GPU={GPU}");
        let start = |name: &str| {
            let own = ["--privileged", "--volume", "/var/lib/docker", "--volume", &models];
            let run = ["--volume", &files, &engine, "dockerd"];
            let last = if name == "node3" { &[&*gpu][..] } else { &[] };
            Node::start(&network, name, &[&own, &run[..], last].concat())
        };
        let nodes: Vec<Node> = ["node1", "node2", "node3"].into_iter().map(start).collect();
        let swarm = Self { nodes, image, _network: network };
        let [manager, workers @ ..] = &swarm.nodes[..] else { unreachable!("three nodes") };
        for node in &swarm.nodes {
            wait_for("an engine", || {
                node.0.exec(&["docker", "info"]).status.success().then_some(())
            });
            node.load(&swarm.image);
        }
        manager.succeed(&["docker", "swarm", "init"]);
        let token = manager.succeed(&["docker", "swarm", "join-token", "--quiet", "worker"]);
        for worker in workers {
            worker.succeed(&["docker", "swarm", "join", "--token", &token, "node1:2377"]);
        }
        let keys = format!("echo {KEY} > /keys");
        manager.succeed(&["sh", "-c", &keys]);
        Some(swarm)
    }

    fn manager(&self) -> &Node {
        &self.nodes[0]
    }

    /// `docker stack deploy` as the heads of the files say, with these variables.
    fn deploy(&self, stack: &str, files: &[&str], environment: &[&str]) {
        let image = format!("IMAGE={}", self.image);
        let server = "LLAMA_ARGS=-m /models/llama-demo.gguf --offline --context-shift -t 1 -np 8";
        let own = ["env", "API_KEY_FILE=/keys", "MODELS=/models", &image, server];
        let deploy = ["docker", "stack", "deploy", "--resolve-image=never"];
        let files = files.iter().flat_map(|file| ["--compose-file", file]);
        let words: Vec<&str> =
            own.into_iter().chain(environment.iter().copied()).chain(deploy).chain(files).collect();
        self.manager().succeed(&[&words[..], &[stack]].concat());
    }

    /// Waits until so many servers of a stack are healthy.
    fn wait_for(&self, stack: &str, servers: &str) {
        let service = format!("{stack}_server");
        let ask = ["docker", "service", "ls", "--filter", &format!("name={service}"), "--format"];
        let last = std::cell::RefCell::new(String::new());
        wait_for(&format!("{servers} servers"), || {
            *last.borrow_mut() = self.manager().succeed(&[&ask[..], &["{{.Replicas}}"]].concat());
            last.borrow().starts_with(&format!("{servers} ")).then_some(())
        });
    }
}

#[test]
fn a_swarm_updates_its_servers_under_load_and_outlives_a_node() {
    let Some(swarm) = Swarm::start() else { return };
    swarm.deploy(
        "llama",
        &["/stack/stack.yaml"],
        &["REPLICAS=3", "LLAMA_SERVER_DRAIN=100", "STOP_GRACE_PERIOD=120s"],
    );
    swarm.wait_for("llama", "3/3");
    let urls: Vec<String> = swarm.nodes.iter().map(Node::url).collect();
    let question = json!({ "prompt": "Hello", "n_predict": 4 });
    assert_eq!(http::post(&format!("{}/completion", urls[0]), &question).status, 401);

    let whole = load::under_load(&urls, 100, 32, || {
        swarm.manager().succeed(&["docker", "service", "update", "--force", "llama_server"]);
    });
    eprintln!("{whole} streams whole, 0 cut");

    swarm.nodes[2].is_lost();
    for number in 0..100 {
        load::stream(&urls, number, 8);
    }
    let state = ["docker", "node", "inspect", "node3", "--format", "{{.Status.State}}"];
    wait_for("a node that is down", || (swarm.manager().succeed(&state) == "down").then_some(()));
    swarm.nodes[2].is_back();
    swarm.wait_for("llama", "3/3");
}

/// No engine here has a GPU. The one that says so gets the server.
#[test]
fn a_server_that_needs_a_gpu_starts_where_a_node_names_one() {
    let Some(swarm) = Swarm::start() else { return };
    swarm.deploy(
        "gpu",
        &["/stack/stack.yaml", "/stack/stack.gpu.yaml"],
        &["REPLICAS=1", "LLAMA_REQUIRE_GPU=0"],
    );
    swarm.wait_for("gpu", "1/1");
    let node = &swarm.nodes[2];
    let id = node.succeed(&["docker", "ps", "--quiet"]);
    let environment =
        node.succeed(&["docker", "inspect", "--format", "{{join .Config.Env \"\\n\"}}", &id]);
    assert!(environment.contains(&format!("\nDOCKER_RESOURCE_GPU={GPU}\n")), "{environment}");
}
