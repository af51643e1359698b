//! `packaging/slurm` in a Slurm cluster of two nodes: a distribution is started, drained, and moved when a node is lost.

use std::path::Path;

use llama_tests::docker;
use llama_tests::http;
use llama_tests::needs;
use llama_tests::process::wait_for;
use llama_tests::server::greedy_tokens_of;
use llama_tests::workspace::root;

use super::{Network, Node, load};

/// Without cgroups, which the machine's own Slurm would manage. A lost node is noticed after half a minute; a busy
/// machine is silent for ten seconds, and its controller may take longer for an answer.
const CONFIG: &str = "\
ClusterName=it
SlurmctldHost=controller
SlurmUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
ReturnToService=2
SlurmdTimeout=30
MessageTimeout=100
NodeName=node[1-2] CPUs=1
PartitionName=all Nodes=ALL Default=YES
";

/// Slurm's daemons trust whoever has munge's key, which the image has.
const START: &str = "install -d -o munge /run/munge && runuser -u munge -- munged --force && exec";

/// The arguments of every server.
const SERVER: [&str; 9] = [
    "-m",
    "/models/llama-demo.gguf",
    "--offline",
    "--context-shift",
    "-t",
    "1",
    "-np",
    "4",
    "--slots",
];

/// A controller and two nodes, which see the distribution as `/dist`.
struct Slurm {
    nodes: [Node; 2],
    controller: Node,
    _network: Network,
    _config: tempfile::TempDir,
}

impl Slurm {
    fn start() -> Option<Self> {
        let (image, dist) = (docker::cluster()?, needs::dist()?);
        needs::demo_model()?;
        let config = tempfile::tempdir().unwrap();
        std::fs::write(config.path().join("slurm.conf"), CONFIG).unwrap();
        std::fs::write(config.path().join("cgroup.conf"), "CgroupPlugin=disabled\n").unwrap();
        let volumes = [
            volume(config.path(), "/etc/slurm:ro"),
            volume(&dist, "/dist:ro"),
            volume(&root().join("packaging/slurm"), "/slurm:ro"),
            docker::models(),
        ];
        let network = Network::new();
        let start = |name: &str, daemon: &str| {
            let line = format!("{START} {daemon} -D");
            let mut args: Vec<&str> = vec!["--workdir", "/tmp"];
            args.extend(volumes.iter().flat_map(|volume| ["--volume", volume]));
            Node::start(&network, name, &[&args, &[&*image, "sh", "-ec", &line][..]].concat())
        };
        let controller = start("controller", "slurmctld");
        let nodes = ["node1", "node2"].map(|name| start(name, "slurmd"));
        let slurm = Self { nodes, controller, _network: network, _config: config };
        slurm.name_nodes();
        wait_for("two idle nodes", || {
            let idle = slurm.controller.0.exec(&["sinfo", "-h", "-t", "idle", "-o", "%D"]);
            (idle.output.trim() == "2").then_some(())
        });
        Some(slurm)
    }

    /// Docker forgets the name of a lost node, and the controller, which looks for it, answers nobody meanwhile.
    fn name_nodes(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let line = format!("echo {} node{} >> /etc/hosts", node.address(), number + 1);
            self.controller.succeed(&["sh", "-c", &line]);
        }
    }

    /// `sbatch` of a file of ours; the job's number.
    fn submit(&self, file: &str, options: &[&str]) -> String {
        let file = format!("/slurm/{file}");
        let own = ["env", "LLAMA_DIST=/dist", "sbatch", "--parsable"];
        self.controller.succeed(&[&own, options, &[&file], &SERVER].concat())
    }

    fn cancel(&self, job: &str) {
        self.controller.succeed(&["scancel", job]);
        wait_for("the end of the job", || self.jobs().is_empty().then_some(()));
    }

    /// `NUMBER STATE` of each job, line by line.
    fn jobs(&self) -> String {
        self.controller.succeed(&["squeue", "-h", "-r", "-S", "i", "-o", "%i %T"])
    }

    fn wait_for_health(&self, node: usize) {
        let health = format!("{}/health", self.nodes[node].url());
        wait_for(&format!("a server on {}, {}", node + 1, self.logs()), || {
            http::try_get(&health, None).filter(|answer| answer.status == 200)
        });
    }

    /// What the jobs have printed.
    fn logs(&self) -> String {
        let print = ["sh", "-c", "tail -n 20 /tmp/*.log"];
        self.nodes.iter().map(|node| node.0.exec(&print).output).collect()
    }
}

fn volume(dir: &Path, at: &str) -> String {
    format!("{}:{at}", dir.display())
}

#[test]
fn slurm_serves_from_two_nodes_drains_and_replaces_what_a_lost_node_had() {
    let Some(slurm) = Slurm::start() else { return };
    let urls = slurm.nodes.each_ref().map(Node::url);
    let job = slurm.submit("llama-server.sbatch", &["--array=1-2"]);
    (0..2).for_each(|node| slurm.wait_for_health(node));
    // One of them ends, and its clients ask the other one.
    let whole = load::under_load(&urls, 8, 100, |_| {
        slurm.controller.succeed(&["scancel", &format!("{job}_1")]);
        wait_for("its end", || (slurm.jobs() == format!("{job}_2 RUNNING")).then_some(()));
    });
    eprintln!("{whole} streams whole, 0 cut");
    slurm.cancel(&job);
    let drained = slurm.nodes.each_ref().map(|node| {
        node.succeed(&["sh", "-c", "grep --no-filename --count 'drain: the end begins' /tmp/*.log"])
    });
    assert_eq!(drained, ["1", "1"], "{}", slurm.logs());

    let job = slurm.submit("llama-server.sbatch", &["--array=1-2"]);
    (0..2).for_each(|node| slurm.wait_for_health(node));
    slurm.nodes[1].kill();
    let pending = format!("{job}_2 PENDING");
    wait_for("a job that waits for a node", || {
        load::stream(&urls, 1, 10);
        slurm.jobs().contains(&pending).then_some(())
    });
    assert!(slurm.jobs().contains(&format!("{job}_1 RUNNING")), "{}", slurm.jobs());
    slurm.nodes[1].restart();
    // Slurm itself would wait for two minutes. At once is too soon: it ends what the node ran before when it comes back.
    let sooner = format!("JobId={job}_2");
    slurm.controller.succeed(&["scontrol", "update", &sooner, "StartTime=now+15"]);
    slurm.wait_for_health(1);
    slurm.cancel(&job);
}

#[test]
fn one_model_over_two_nodes_of_slurm_says_what_one_node_says() {
    let Some(dist) = needs::dist() else { return };
    let worker = Some(dist.join("bin/ggml-rpc-server")).filter(|path| path.is_file());
    let what = "bin/ggml-rpc-server in $LLAMA_TEST_DIST; run `cargo xtask test`";
    if needs::need(what, worker).is_none() {
        return;
    }
    let Some(slurm) = Slurm::start() else { return };
    let tokens = || {
        slurm.wait_for_health(0);
        greedy_tokens_of(&slurm.nodes[0].url(), "Hello, who are you?", 40)
    };
    let job = slurm.submit("llama-server.sbatch", &["--array=1", "--nodelist=node1"]);
    let alone = tokens();
    slurm.cancel(&job);

    let job = slurm.submit("llama-server-rpc.sbatch", &["--nodes=2"]);
    assert_eq!(tokens(), alone);
    // The server ends with its worker, and the job starts both again.
    slurm.nodes[1].succeed(&["pkill", "-KILL", "ggml-rpc-serve"]);
    let step = format!("{job}.3");
    wait_for("a second server", || {
        let steps = slurm.controller.succeed(&["squeue", "-h", "-s", "-o", "%i"]);
        steps.lines().any(|line| line == step).then_some(())
    });
    assert_eq!(tokens(), alone);

    // A server that drains needs its worker.
    let urls = [slurm.nodes[0].url()];
    load::under_load(&urls, 2, 500, |clients| {
        wait_for("two streams at a time", || {
            let slots = http::try_get(&format!("{}/slots", urls[0]), None)?.body;
            let busy = slots.as_array()?.iter().filter(|slot| slot["is_processing"] == true);
            (busy.count() == 2).then_some(())
        });
        clients.ask_no_more();
        slurm.cancel(&job);
    });
}
