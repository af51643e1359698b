//! Starts what a Kubernetes manifest says as a kubelet would: the same words, environment, user, mounts, limits and
//! rights, its own probes with their own thresholds, its own end. The engine is Docker.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::docker::{self, docker, read};
use crate::http;
use crate::manifest::Rendered;
use crate::manifest::pod_spec::{Container, Mount, PodSpec, Probe, Volume};
use crate::process::PATIENCE;

/// What a cluster has that a manifest only names.
#[derive(Debug)]
pub struct Cluster {
    /// In place of the images that the manifests name.
    pub image: String,
    /// Set besides, or in place of, what the manifest sets.
    pub environment: Vec<(&'static str, String)>,
    /// In place of every image volume.
    pub model: PathBuf,
    /// Folders with the files of Secrets, by name.
    pub secrets: BTreeMap<&'static str, PathBuf>,
}

/// A started pod, gone when it is dropped, with its volumes.
#[derive(Debug)]
pub struct Pod {
    spec: PodSpec,
    container: docker::Container,
    _volumes: Vec<DockerVolume>,
}

#[derive(Debug)]
struct DockerVolume(String);

impl Drop for DockerVolume {
    fn drop(&mut self) {
        let _ = docker(&["volume", "rm", "--force", &self.0]).output();
    }
}

impl Pod {
    /// Starts it.
    ///
    /// # Panics
    /// When the engine does not, or the manifest asks for what is not there.
    pub fn start(rendered: &Rendered, cluster: &Cluster) -> Self {
        Self::start_with(rendered.pod(), cluster, &[])
    }

    /// Starts it in a network of Docker's, where others find it under `name`.
    ///
    /// # Panics
    /// As [`Pod::start`].
    pub fn start_in(network: &str, name: &str, spec: PodSpec, cluster: &Cluster) -> Self {
        let options = [format!("--network={network}"), format!("--network-alias={name}")];
        Self::start_with(spec, cluster, &options)
    }

    /// Starts it as `spec` says, which a test has changed as a cluster does.
    ///
    /// # Panics
    /// As [`Pod::start`].
    pub fn start_as(spec: PodSpec, cluster: &Cluster) -> Self {
        Self::start_with(spec, cluster, &[])
    }

    fn start_with(spec: PodSpec, cluster: &Cluster, options: &[String]) -> Self {
        let [container] = &spec.containers[..] else { panic!("one container, not {spec:?}") };
        let mut volumes = Vec::new();
        let mut words = rights(&spec, container, &cluster.image);
        words.extend(limits(container));
        words.extend_from_slice(options);
        for (name, value) in environment(&spec, container, cluster) {
            words.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        for own in &container.volume_mounts {
            let volume = spec.volumes.iter().find(|volume| volume.name == own.name);
            let volume = volume.unwrap_or_else(|| panic!("no volume for {own:?}"));
            let group = spec.security_context.fs_group;
            let mounted = mount(volume, own, group, cluster);
            words.extend(mounted.options);
            volumes.extend(mounted.volume);
        }
        let mut command = container.command.iter();
        words.extend(command.next().map(|word| format!("--entrypoint={word}")));
        words.push(cluster.image.clone());
        words.extend(command.chain(&container.args).cloned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Self { container: docker::Container::start(&words), spec, _volumes: volumes }
    }

    /// Waits for its own probes, in a kubelet's order.
    ///
    /// # Panics
    /// When one of them fails for longer than it may, or the container ends.
    pub fn get_ready(&self) {
        let Container { startup_probe, readiness_probe, liveness_probe, .. } = self.only();
        let probes = [startup_probe.as_ref(), Some(readiness_probe), liveness_probe.as_ref()];
        for probe in probes.into_iter().flatten() {
            let most = Duration::from_secs(probe.period_seconds * probe.failure_threshold);
            let started = Instant::now();
            while let Err(said) = self.ask(probe) {
                let state = self.container.inspect("{{.State.Status}} {{.State.ExitCode}}");
                let runs = state == "running 0" && started.elapsed() < most.min(PATIENCE);
                assert!(runs, "{state}; {probe:?}: {said}\n{}", self.container.logs());
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// What its startup probe says now.
    ///
    /// # Errors
    /// When that is no success.
    pub fn starts(&self) -> Result<String, String> {
        self.ask(self.only().startup_probe.as_ref().expect("it has one"))
    }

    /// What it is reached at, without a Service.
    pub fn url(&self) -> String {
        let address =
            self.container.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
        let port = self.only().ports[0].container_port;
        format!("http://{address}:{port}")
    }

    /// Runs its hook and sends SIGTERM.
    ///
    /// # Panics
    /// When it does not end in its grace period, or not well.
    pub fn end(self) {
        let started = Instant::now();
        let state = |what| self.container.inspect(what);
        if let Some(lifecycle) = &self.only().lifecycle {
            let said = self.exec(&lifecycle.pre_stop.exec.command);
            let over = state("{{.State.Status}}") == "exited";
            assert!(said.is_ok() || over, "preStop: {said:?}");
        }
        let grace = Duration::from_secs(self.spec.termination_grace_period_seconds);
        let left = grace.saturating_sub(started.elapsed()).as_secs().to_string();
        read(&["stop", "--time", &left, &self.container.id]);
        let code = state("{{.State.ExitCode}}");
        assert_eq!(code, "0", "{}", self.container.logs());
        assert!(started.elapsed() < grace, "it took {:?} of {grace:?}", started.elapsed());
    }

    fn only(&self) -> &Container {
        &self.spec.containers[0]
    }

    fn ask(&self, probe: &Probe) -> Result<String, String> {
        let most = Duration::from_secs(probe.timeout_seconds);
        if let Some(socket) = &probe.tcp_socket {
            assert!(self.only().ports[0].name == socket.port, "{socket:?}");
            let address = self.url().replace("http://", "");
            let connected = TcpStream::connect(address);
            return connected.map(|_| String::new()).map_err(|error| error.to_string());
        }
        if let Some(get) = &probe.http_get {
            assert!(self.only().ports.iter().any(|port| port.name == get.port), "{get:?}");
            return match http::status(&format!("{}{}", self.url(), get.path), most) {
                Some(200..400) => Ok(String::new()),
                answer => Err(format!("{answer:?}")),
            };
        }
        let started = Instant::now();
        let said = self.exec(&probe.exec.as_ref().expect("a probe of these two").command);
        if started.elapsed() > most { Err(format!("too late: {said:?}")) } else { said }
    }

    fn exec(&self, command: &[String]) -> Result<String, String> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let finished = self.container.exec(&words);
        if finished.status.success() { Ok(finished.output) } else { Err(finished.output) }
    }
}

/// User, groups and rights.
fn rights(spec: &PodSpec, container: &Container, image: &str) -> Vec<String> {
    let pod = &spec.security_context;
    let mut words = Vec::new();
    if let Some(user) = pod.run_as_user {
        assert!(!pod.run_as_non_root || user != 0, "{pod:?}");
        words.push(format!("--user={user}:{}", pod.run_as_group));
    } else if pod.run_as_non_root {
        // A kubelet reads the user of the image, and knows only of a number that it is not root's.
        let user = read(&["image", "inspect", "--format", "{{.Config.User}}", image]);
        let number = user.split(':').next().and_then(|user| user.parse::<u32>().ok());
        assert!(number.is_some_and(|number| number != 0), "{image} runs as `{user}`");
    }
    let groups = pod.supplemental_groups.iter().chain(&pod.fs_group);
    words.extend(groups.map(|group| format!("--group-add={group}")));
    let own = &container.security_context;
    words.extend(own.capabilities.drop.iter().map(|name| format!("--cap-drop={name}")));
    words.extend(own.read_only_root_filesystem.then(|| "--read-only".to_owned()));
    let bounded = !own.allow_privilege_escalation;
    words.extend(bounded.then(|| "--security-opt=no-new-privileges".to_owned()));
    words
}

/// Of processor and memory; there are no devices.
fn limits(container: &Container) -> Vec<String> {
    let limit = |name: &str| container.resources.limits.get(name);
    let mut words = Vec::new();
    words.extend(limit("cpu").map(|cpus| format!("--cpus={cpus}")));
    if let Some(memory) = limit("memory") {
        // Docker's G is a power of two.
        let memory = memory.trim_end_matches('i');
        words.extend([format!("--memory={memory}"), format!("--memory-swap={memory}")]);
    }
    words
}

/// What a kubelet sets for the Service of the same name, what the manifest sets, what the test sets.
fn environment(
    spec: &PodSpec,
    container: &Container,
    cluster: &Cluster,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    if spec.enable_service_links {
        let name = container.name.to_uppercase().replace('-', "_");
        variables.insert(format!("{name}_SERVICE_HOST"), "10.0.0.1".to_owned());
        variables.insert(format!("{name}_PORT"), "tcp://10.0.0.1:8080".to_owned());
    }
    variables.extend(container.env.iter().map(|own| (own.name.clone(), own.value.clone())));
    let added = cluster.environment.iter();
    variables.extend(added.map(|(name, value)| ((*name).to_owned(), value.clone())));
    for own in container.env.iter().filter(|own| own.value_from.is_some()) {
        let known = variables[&own.name].clone();
        assert!(!known.is_empty(), "the cluster of this test knows no {own:?}");
        for value in variables.values_mut() {
            *value = value.replace(&format!("$({})", own.name), &known);
        }
    }
    variables
}

/// Docker's options for a mount of `volume` at `path`.
fn mount(volume: &Volume, mount: &Mount, group: Option<u32>, cluster: &Cluster) -> Mounted {
    let path = &mount.mount_path;
    let own = if mount.read_only { ",ro" } else { "" };
    if volume.empty_dir.is_some() {
        let rights = group.map_or("mode=777".into(), |group| format!("mode=2777,gid={group}"));
        return Mounted::only(["--tmpfs".into(), format!("{path}:exec,{rights}")]);
    }
    if volume.image.is_some() {
        return Mounted::only([
            "--volume".into(),
            format!("{}:{path}:ro", cluster.model.join(&mount.sub_path).display()),
        ]);
    }
    // As a kubelet hands on what belongs to root: to the pod's group.
    let name = read(&["volume", "create"]);
    let to = format!("{name}:/to");
    let mut run = vec!["run".to_owned(), "--rm".into(), "--volume".into(), to];
    // Without a group it stays root's.
    let group = group.unwrap_or_default();
    let mut script = format!("chown 0:{group} /to && chmod 2775 /to");
    if let Some(secret) = &volume.secret {
        let folder = cluster.secrets.get(secret.secret_name.as_str());
        let folder = folder.unwrap_or_else(|| panic!("there is no Secret for {secret:?}"));
        run.extend(["--volume".to_owned(), format!("{}:/from:ro", folder.display())]);
        let mode = secret.default_mode | 0o440;
        script += &format!(" && cp /from/* /to && chgrp {group} /to/* && chmod {mode:o} /to/*");
    } else {
        assert!(volume.persistent_volume_claim.is_some(), "{volume:?}");
    }
    run.extend([docker::base(), "sh", "-ec", &script].map(str::to_owned));
    let words: Vec<&str> = run.iter().map(String::as_str).collect();
    read(&words);
    let options = ["--volume".into(), format!("{name}:{path}:nocopy{own}")];
    Mounted { options, volume: Some(DockerVolume(name)) }
}

struct Mounted {
    options: [String; 2],
    volume: Option<DockerVolume>,
}

impl Mounted {
    fn only(options: [String; 2]) -> Self {
        Self { options, volume: None }
    }
}
