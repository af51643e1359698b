//! `docker/stack.yaml` in a Swarm of three engines: a rolling update under load, the loss of a node, GPUs.

use llama_tests::docker;
use llama_tests::http;
use llama_tests::process::{finish, wait_for};
use llama_tests::workspace::root;
use serde_json::json;

use super::load::{self, KEY};
use super::{Network, Node};

/// How Swarm names the GPU of the third node.
const GPU: &str = "GPU-of-node3";

/// Our image, as the nodes pull it.
const IMAGE: &str = "registry:5000/llama-cpp-cpu:1";

const SERVER: &str = "-m /models/llama-demo.gguf --offline --context-shift -t 1 -np 8";

/// A manager, two workers, and a registry with our image.
struct Swarm {
    nodes: Vec<Node>,
    _registry: Node,
    _network: Network,
}

impl Swarm {
    fn start() -> Option<Self> {
        let (engine, models) = (docker::cluster()?, docker::models());
        let network = Network::new();
        let registry = registry(&network)?;
        let files = format!("{}:/stack:ro", root().join("docker").display());
        let gpu = format!("--node-generic-resource=GPU={GPU}");
        let start = |name: &str| {
            let own = ["--privileged", "--volume", "/var/lib/docker", "--volume", &models];
            let run = ["--volume", &files, &engine, "dockerd", "--insecure-registry=registry:5000"];
            let last = if name == "node3" { &[&*gpu][..] } else { &[] };
            Node::start(&network, name, &[&own, &run[..], last].concat())
        };
        let nodes: Vec<Node> = ["node1", "node2", "node3"].into_iter().map(start).collect();
        for node in &nodes {
            let info = ["docker", "info"];
            wait_for("an engine", || node.0.exec(&info).status.success().then_some(()));
        }
        let [manager, workers @ ..] = &nodes[..] else { unreachable!("three nodes") };
        manager.succeed(&["docker", "swarm", "init"]);
        let token = manager.succeed(&["docker", "swarm", "join-token", "--quiet", "worker"]);
        for worker in workers {
            worker.succeed(&["docker", "swarm", "join", "--token", &token, "node1:2377"]);
        }
        manager.succeed(&["sh", "-c", &format!("echo {KEY} > /keys")]);
        Some(Self { nodes, _registry: registry, _network: network })
    }

    fn manager(&self) -> &Node {
        &self.nodes[0]
    }

    /// `docker stack deploy` as the heads of the files say, with these variables.
    fn deploy(&self, stack: &str, files: &[&str], environment: &[&str]) {
        let (image, server) = (format!("IMAGE={IMAGE}"), format!("LLAMA_ARGS={SERVER}"));
        let mut words = vec!["env", "API_KEY_FILE=/keys", "MODELS=/models", &image, &server];
        words.extend(environment);
        words.extend(["docker", "stack", "deploy"]);
        words.extend(files.iter().flat_map(|file| ["--compose-file", file]));
        words.push(stack);
        self.manager().succeed(&words);
    }

    /// Waits until so many servers of a stack are healthy, as in `3/3`.
    fn wait_for(&self, stack: &str, servers: &str) {
        let name = format!("name={stack}_server");
        let list = ["docker", "service", "ls", "--filter", &name, "--format", "{{.Replicas}} "];
        wait_for(&format!("{servers} servers"), || {
            self.manager().succeed(&list).starts_with(servers).then_some(())
        });
    }

    /// Waits until the update of a stack has ended like this.
    fn wait_for_update(&self, stack: &str, wanted: &str) {
        // A service has no such status before its first update begins.
        let format = "{{with .UpdateStatus}}{{.State}}{{end}}";
        let inspect = ["docker", "service", "inspect", "--format", format];
        let service = format!("{stack}_server");
        let state = [&inspect[..], &[&*service]].concat();
        wait_for(&format!("update {wanted}"), || {
            (self.manager().succeed(&state) == wanted).then_some(())
        });
    }
}

/// A registry with our image.
fn registry(network: &Network) -> Option<Node> {
    let (image, tools) = (docker::image("cpu-minimal")?, docker::tools()?);
    let run = ["docker-registry", "serve", "/etc/docker/registry/config.yml"];
    let args = [&["--publish", "127.0.0.1::5000", &*tools], &run[..]].concat();
    let registry = Node::start(network, "registry", &args);
    let address = docker::read(&["port", &registry.0.id, "5000/tcp"]);
    wait_for("the registry", || http::try_get(&format!("http://{address}/v2/"), None));
    let name = format!("{address}/{}", IMAGE.split_once('/').unwrap().1);
    docker::read(&["tag", &image, &name]);
    let pushed = finish(&mut docker::docker(&["push", "--quiet", &name]));
    docker::read(&["image", "rm", &name]);
    assert!(pushed.status.success(), "{}", pushed.output);
    Some(registry)
}

#[test]
fn a_swarm_updates_its_servers_under_load_and_outlives_a_node() {
    let Some(swarm) = Swarm::start() else { return };
    let stack = ["/stack/stack.yaml"];
    let mut values = vec!["REPLICAS=3", "LLAMA_SERVER_DRAIN=100", "STOP_GRACE_PERIOD=120s"];
    swarm.deploy("llama", &stack, &values);
    swarm.wait_for("llama", "3/3");
    let urls: Vec<String> = swarm.nodes.iter().map(Node::url).collect();
    let question = json!({ "prompt": "Hello", "n_predict": 4 });
    assert_eq!(http::post(&format!("{}/completion", urls[0]), &question).status, 401);

    let start = std::time::Instant::now();
    let whole = load::under_load(&urls, 100, 16, |_| {
        swarm.manager().succeed(&["sh", "-c", "echo friend >> /keys"]);
        values.push("API_KEY_VERSION=2");
        swarm.deploy("llama", &stack, &values);
        swarm.wait_for_update("llama", "completed");
    });
    eprintln!("{whole} streams whole, 0 cut; updated in {:?}", start.elapsed());

    swarm.manager().succeed(&["docker", "secret", "rm", "llama-server-keys-1"]);
    http::post_with_key(&format!("{}/completion", urls[0]), &question, Some("friend")).ok();

    swarm.nodes[2].kill();
    std::thread::scope(|scope| {
        for number in 0..100 {
            let urls = &urls;
            scope.spawn(move || load::stream(urls, number, 8));
        }
    });
    let state = ["docker", "node", "inspect", "node3", "--format", "{{.Status.State}}"];
    wait_for("a node that is down", || (swarm.manager().succeed(&state) == "down").then_some(()));
    swarm.nodes[2].restart();
    swarm.wait_for("llama", "3/3");
}

/// No engine here has a GPU. The one that says so gets the server, and keeps it when an update fails.
#[test]
fn a_swarm_finds_the_gpu_and_takes_back_an_update_that_fails() {
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

    let update = ["docker", "service", "update", "--detach", "--args=--no-such-option"];
    swarm.manager().succeed(&[&update[..], &["gpu_server"]].concat());
    swarm.wait_for_update("gpu", "rollback_completed");
    swarm.wait_for("gpu", "1/1");
    load::stream(&[node.url()], 0, 4);
}
