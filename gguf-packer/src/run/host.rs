//! What the machine has that runs a container: its engine, and what gives a container the GPUs.

use std::path::Path;

use llama_src::sh::Cmd;

/// What the machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `docker` or `podman`.
    pub engine: String,
    /// Whether a person sits at it.
    pub terminal: bool,
    /// What gives a container the GPUs.
    pub gpu: Vec<String>,
}

impl Host {
    /// Looks at this machine: which engine it has, and which GPUs.
    #[must_use]
    pub fn look(terminal: bool) -> Self {
        let engine = ["docker", "podman"]
            .into_iter()
            .find(|name| Cmd::new(name).arg("--version").read().is_ok());
        let engine = engine.unwrap_or("docker");
        let info =
            || Cmd::new("docker").args(["info", "--format", "json"]).read().unwrap_or_default();
        let gpu = match engine {
            "podman" => of_podman(&|path| Path::new(path).exists()),
            _ => of_docker(&info(), &|path| Path::new(path).exists()),
        };
        Self { engine: engine.to_owned(), terminal, gpu }
    }
}

/// `--gpus all` where Docker knows NVIDIA's runtime, and the devices of other GPUs where they are.
fn of_docker(info: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    if info["Runtimes"].get("nvidia").is_some() {
        return ["--gpus", "all"].map(str::to_owned).to_vec();
    }
    devices(exists)
}

/// NVIDIA's description of its devices, and the devices of other GPUs where they are.
fn of_podman(exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    if exists("/etc/cdi/nvidia.yaml") || exists("/var/run/cdi/nvidia.yaml") {
        return ["--device", "nvidia.com/gpu=all"].map(str::to_owned).to_vec();
    }
    devices(exists)
}

/// The original takes `--privileged` here: all devices, and all rights of the machine.
fn devices(exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let found = ["/dev/dri", "/dev/kfd"].into_iter().filter(|path| exists(path));
    found.flat_map(|path| ["--device".to_owned(), path.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_given_as_the_machine_has_them() {
        let none = |_: &str| false;
        let nvidia = r#"{"Runtimes": {"nvidia": {}, "runc": {}}}"#;
        assert_eq!(of_docker(nvidia, &none), ["--gpus", "all"]);
        assert!(of_docker(r#"{"Runtimes": {"runc": {}}}"#, &none).is_empty());
        assert!(of_docker("no docker", &none).is_empty());
        let amd = |path: &str| path == "/dev/dri" || path == "/dev/kfd";
        assert_eq!(of_docker("", &amd), ["--device", "/dev/dri", "--device", "/dev/kfd"]);
        assert_eq!(of_podman(&amd), of_docker("", &amd));
        let described = |path: &str| path == "/etc/cdi/nvidia.yaml";
        assert_eq!(of_podman(&described), ["--device", "nvidia.com/gpu=all"]);
    }
}
