//! Docker as the tests use it: images that are built once, containers and registries that are gone when
//! they are dropped.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::engine::found_base;
use crate::needs;
use crate::process::{Finished, command, finish, wait_for};
use crate::workspace::{root, xtask};

pub use crate::engine::docker;

/// What the names of the tests' images begin with; nobody's images are overwritten.
pub const REGISTRY: &str = "llama-it";

/// What the engine says now and then when its collector has taken a layer that the image stands on
/// (<https://github.com/moby/buildkit/issues/6521>); asked again, it has it.
const COLLECTED: &str = "parent snapshot sha256:";

/// The Debian that images stand on, as `cargo xtask image base` finds it.
///
/// # Panics
/// When there is none; [`needs::docker`] makes sure of it.
pub fn base() -> &'static str {
    found_base().expect("a test that needs the base has asked for Docker")
}

/// The names of the variants, from the release matrix.
///
/// # Panics
/// When the command that prints it fails.
pub fn variants() -> BTreeSet<String> {
    let matrix = xtask(&["variants", "--json"]).output().stdout;
    let matrix: Vec<Value> = serde_json::from_slice(&matrix).expect("a matrix in JSON");
    let names = matrix.iter().map(|row| row["variant"].as_str().expect("a name").to_owned());
    names.collect()
}

/// What `docker` with these arguments prints, without the last line break.
///
/// # Panics
/// With all that it says when it fails.
pub fn read(args: &[&str]) -> String {
    let output = docker(args).output().expect("docker can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {}\n{stderr}", args.join(" "), output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// `docker buildx build` with these arguments; for as long as it takes.
///
/// # Panics
/// With all that it says when it fails.
pub fn build(args: &[&str]) {
    let own = ["buildx", "build", "--progress=plain", "--provenance=false"];
    build_with(&mut docker(&[&own, args].concat()));
}

/// The same with a command of the caller's.
///
/// # Panics
/// With all that it says when it fails.
pub fn build_with(command: &mut Command) {
    let mut output = command.output().expect("docker can be started");
    if String::from_utf8_lossy(&output.stderr).contains(COLLECTED) {
        output = command.output().expect("docker can be started");
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The image of `variant` (as in `cpu`, `cpu-minimal`, `vulkan`), from the distribution that was built for the
/// tests; built once. `None` where something for it is missing.
///
/// # Panics
/// When it cannot be built.
pub fn image(variant: &str) -> Option<String> {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    needs::docker()?;
    let (name, minimal) = match variant.strip_suffix("-minimal") {
        Some(name) => (name, true),
        None => (variant, false),
    };
    let dist = if name == "cpu" { needs::dist()? } else { needs::vulkan_dist()? };
    let flavour = if minimal { "minimal" } else { "runtime" };
    let image = format!("{REGISTRY}/llama-cpp-{name}:{flavour}");
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !built.contains(&image) {
        let dist = dist.to_str().expect("the tests' paths are text");
        let mut args = vec!["image", "build", name, "--from-dist", dist, "--tag", &image];
        args.extend(minimal.then_some("--minimal"));
        xtask(&args).succeed();
        built.insert(image.clone());
    }
    Some(image)
}

/// The folder of the demo model, as `docker run --volume` takes it.
pub fn models() -> String {
    format!("{}:/models:ro", root().join("tests/models").display())
}

/// Where containers reach this machine.
///
/// # Panics
/// When the engine has no network.
pub fn gateway() -> String {
    read(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"])
}

/// A container, removed when it is no longer looked at.
#[derive(Debug)]
pub struct Container {
    /// Docker's name of it.
    pub id: String,
}

impl Container {
    /// `docker run --detach` with these arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(args: &[&str]) -> Self {
        Self { id: read(&[&["run", "--detach"], args].concat()) }
    }

    /// A server with the demo model; `args` are Docker's, `server` are those of `llama-server`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn serve(image: &str, args: &[&str], server: &[&str]) -> Self {
        let models = models();
        let own = ["--health-interval", "1s", "--volume", &models];
        let model = ["--model", "/models/llama-demo.gguf", "--offline"];
        Self::start(&[&own, args, &[image], &model, server].concat())
    }

    /// `docker exec`.
    ///
    /// # Panics
    /// When Docker cannot be started.
    pub fn exec(&self, words: &[&str]) -> Finished {
        finish(&mut docker(&[&["exec", &self.id], words].concat()))
    }

    /// What `docker inspect` has under this format.
    ///
    /// # Panics
    /// When the container is gone.
    pub fn inspect(&self, format: &str) -> String {
        read(&["inspect", "--format", format, &self.id])
    }

    /// Sends a signal to the main process.
    ///
    /// # Panics
    /// When the container is gone.
    pub fn signal(&self, name: &str) {
        read(&["kill", "--signal", name, &self.id]);
    }

    /// Waits until its health is `wanted`; what the last check said then.
    ///
    /// # Panics
    /// When it does not get there.
    pub fn wait_for_health(&self, wanted: &str) -> String {
        let said = "{{range .State.Health.Log}}{{println .Output}}{{end}}";
        let state = "{{.State.Health.Status}}";
        let get = || (self.inspect(state) == wanted).then(|| self.inspect(said));
        let said = wait_for(&format!("health `{wanted}`, {}", self.logs()), get);
        said.trim_end().lines().last().unwrap_or_default().to_owned()
    }

    /// What is at its port 8080, seen from here.
    ///
    /// # Panics
    /// When that port is not published.
    pub fn url(&self) -> String {
        let ports = read(&["port", &self.id, "8080/tcp"]);
        format!("http://{}", ports.lines().next().expect("it is published"))
    }

    /// What it has printed.
    ///
    /// # Panics
    /// When Docker cannot be started.
    pub fn logs(&self) -> String {
        finish(&mut docker(&["logs", "--tail", "20", &self.id])).output
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Also while another panic is on its way.
        let _ = docker(&["rm", "--force", "--volumes", &self.id]).output();
    }
}

/// An image archive of `docker buildx build --output type=oci`.
#[derive(Debug, PartialEq, Eq)]
pub struct Archive {
    /// Of its image.
    pub digest: String,
    /// Digests of its layers, the base first.
    pub layers: Vec<String>,
}

impl Archive {
    /// Reads `file`.
    ///
    /// # Panics
    /// When it is no archive of one image.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let digest = |value: &serde_json::Value| {
            value["digest"].as_str().expect("a descriptor has a digest").to_owned()
        };
        let index = json(file, "index.json");
        let [image] = &index["manifests"].as_array().expect("an index names images")[..] else {
            panic!("one image, not {index}");
        };
        let image = digest(image);
        let manifest = json(file, &format!("blobs/{}", image.replace(':', "/")));
        let layers = manifest["layers"].as_array().unwrap_or_else(|| panic!("{manifest}"));
        Self { layers: layers.iter().map(digest).collect(), digest: image }
    }
}

fn json(file: &Path, entry: &str) -> serde_json::Value {
    let mut tar = command("tar");
    let output = tar.args(["-xOf".as_ref(), file.as_os_str(), entry.as_ref()]).output();
    let output = output.expect("tar can be started");
    assert!(output.status.success(), "{} has no {entry}", file.display());
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// Programs of Debian's for the tests, in an image of their own: cosign, docker-registry, kubectl, podman. Built once.
///
/// # Panics
/// When it cannot be built.
pub fn tools() -> Option<String> {
    from_debian("tools")
}

/// Programs of Debian's that the nodes of a cluster run: Docker's engine and Slurm. Built once.
///
/// # Panics
/// When it cannot be built.
pub fn cluster() -> Option<String> {
    from_debian("cluster")
}

/// The image of `docker/tests/NAME.Dockerfile`.
fn from_debian(name: &'static str) -> Option<String> {
    static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    needs::docker()?;
    let image = format!("{REGISTRY}/{name}");
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !built.contains(name) {
        let file = format!("docker/tests/{name}.Dockerfile");
        let base = format!("BASE_IMAGE={}", base());
        build(&["--file", &file, "--build-arg", &base, "--tag", &image, "--load", "docker/tests"]);
        built.insert(name);
    }
    Some(image)
}
