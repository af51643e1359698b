//! Clusters on this machine. Each node is a container with a network, an engine and a disk of its own, so a test touches
//! nothing of the machine's, and its cluster is gone with the containers.

mod load;
mod slurm;
mod swarm;

use llama_tests::docker::{Container, docker, read};
use llama_tests::process::Finished;
use llama_tests::server::free_port;

/// A network in which containers know each other by name. It must be dropped after them.
struct Network(String);

impl Network {
    fn new() -> Self {
        // No other test has that port.
        let name = format!("llama-it-{}", free_port());
        read(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = docker(&["network", "rm", &self.0]).output();
    }
}

/// A machine of a cluster.
struct Node(Container);

impl Node {
    /// `args` are those of `docker run`.
    fn start(network: &Network, name: &str, args: &[&str]) -> Self {
        // `--init` for processes whose parent is gone: no daemon here reaps them.
        let own = ["--init", "--network", &network.0, "--hostname", name, "--network-alias", name];
        Self(Container::start(&[&own[..], args].concat()))
    }

    /// What a command prints, which must succeed.
    fn succeed(&self, words: &[&str]) -> String {
        let Finished { status, output } = self.0.exec(words);
        assert!(status.success(), "{words:?}: {output}\n{}", self.0.logs());
        output.trim().to_owned()
    }

    /// Its address in the network.
    fn address(&self) -> String {
        self.0.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
    }

    /// Where this machine reaches a server on it.
    fn url(&self) -> String {
        format!("http://{}:8080", self.address())
    }

    /// As if somebody pulled its plug.
    fn kill(&self) {
        self.0.signal("KILL");
    }

    /// Switches it on again, with its disk.
    fn restart(&self) {
        read(&["start", &self.0.id]);
    }
}
