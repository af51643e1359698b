//! What the machine has that runs a container: its engine, and what gives a container the GPUs.

use std::path::Path;

use llama_src::sh::Cmd;
use serde_json::Value;

/// What the machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `docker` or `podman`.
    pub engine: String,
    /// Whether a person sits at it.
    pub terminal: bool,
    /// What gives a container the GPUs.
    pub gpu: Vec<String>,
    /// Whether SELinux may keep a container from the files of this machine, because they have no label of a container.
    pub labels: bool,
}

impl Host {
    /// Looks at this machine: which engine it has, and which GPUs.
    #[must_use]
    pub fn look(terminal: bool) -> Self {
        let engine = ["docker", "podman"]
            .into_iter()
            .find(|name| Cmd::new(name).arg("--version").read().is_ok());
        let engine = engine.unwrap_or("docker");
        let exists = |path: &str| Path::new(path).exists();
        let (gpu, labels) = if engine == "podman" {
            let groups =
                if is_root() { groups(Path::new("/dev")) } else { vec!["keep-groups".to_owned()] };
            // Also elsewhere: podman's own machine is a Fedora.
            (of_podman(&exists, &groups), true)
        } else {
            let info = Cmd::new("docker").args(["info", "--format", "json"]).read();
            let info = serde_json::from_str(&info.unwrap_or_default()).unwrap_or_default();
            (of_docker(&info, &exists, &groups(Path::new("/dev"))), has_labels(&info))
        };
        Self { engine: engine.to_owned(), terminal, gpu, labels }
    }
}

/// Whether Docker labels its containers for SELinux.
fn has_labels(info: &Value) -> bool {
    let options = info["SecurityOptions"].as_array();
    options.is_some_and(|options| options.iter().any(|option| option == "name=selinux"))
}

/// `--gpus all` where Docker knows NVIDIA's runtime, and the devices of other GPUs where they are.
fn of_docker(info: &Value, exists: &dyn Fn(&str) -> bool, groups: &[String]) -> Vec<String> {
    if info["Runtimes"].get("nvidia").is_some() {
        return ["--gpus", "all"].map(str::to_owned).to_vec();
    }
    devices(exists, groups)
}

/// NVIDIA's description of its devices, and the devices of other GPUs where they are.
fn of_podman(exists: &dyn Fn(&str) -> bool, groups: &[String]) -> Vec<String> {
    if exists("/etc/cdi/nvidia.yaml") || exists("/var/run/cdi/nvidia.yaml") {
        return ["--device", "nvidia.com/gpu=all"].map(str::to_owned).to_vec();
    }
    devices(exists, groups)
}

/// The devices, and the groups that may open them: no server of ours is root. The original takes `--privileged` here:
/// all devices, and all rights of the machine.
fn devices(exists: &dyn Fn(&str) -> bool, groups: &[String]) -> Vec<String> {
    let found = ["/dev/dri", "/dev/kfd"].into_iter().filter(|path| exists(path));
    let devices: Vec<_> = found.map(|path| ["--device".to_owned(), path.to_owned()]).collect();
    if devices.is_empty() {
        return Vec::new();
    }
    let groups = groups.iter().map(|group| ["--group-add".to_owned(), group.clone()]);
    devices.into_iter().chain(groups).flatten().collect()
}

/// The groups of the files below `dev` that compute: `kfd` and `dri/renderD…`. Root's needs no name.
#[cfg(unix)]
fn groups(dev: &Path) -> Vec<String> {
    use std::collections::BTreeSet;
    use std::os::unix::fs::MetadataExt;

    let render = std::fs::read_dir(dev.join("dri")).into_iter().flatten().flatten();
    let render = render.filter(|file| file.file_name().to_string_lossy().starts_with("renderD"));
    let files = render.map(|file| file.path()).chain([dev.join("kfd")]);
    let groups = files.filter_map(|path| path.metadata().ok()).map(|file| file.gid());
    let groups: BTreeSet<u32> = groups.filter(|group| *group != 0).collect();
    groups.iter().map(u32::to_string).collect()
}

/// Elsewhere a machine of the engine's own has them.
#[cfg(not(unix))]
fn groups(_dev: &Path) -> Vec<String> {
    Vec::new()
}

/// Whether this process is root's; podman hands no groups but the user's own to others.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;

    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn docker_says_whether_it_labels_containers() {
        assert!(has_labels(&json!({ "SecurityOptions": ["name=seccomp", "name=selinux"] })));
        assert!(!has_labels(&json!({ "SecurityOptions": ["name=seccomp,profile=builtin"] })));
        assert!(!has_labels(&Value::Null));
    }

    #[test]
    fn gpus_are_given_as_the_machine_has_them() {
        let none = |_: &str| false;
        let nvidia = json!({ "Runtimes": { "nvidia": {}, "runc": {} } });
        assert_eq!(of_docker(&nvidia, &none, &[]), ["--gpus", "all"]);
        assert!(of_docker(&json!({ "Runtimes": { "runc": {} } }), &none, &[]).is_empty());
        assert!(of_docker(&Value::Null, &none, &[]).is_empty());
        let amd = |path: &str| path == "/dev/dri" || path == "/dev/kfd";
        assert_eq!(
            of_docker(&Value::Null, &amd, &["44", "992"].map(str::to_owned)).join(" "),
            "--device /dev/dri --device /dev/kfd --group-add 44 --group-add 992"
        );
        let groups = ["keep-groups".to_owned()];
        assert_eq!(of_podman(&amd, &groups), of_docker(&Value::Null, &amd, &groups));
        assert!(of_podman(&none, &groups).is_empty());
        let described = |path: &str| path == "/etc/cdi/nvidia.yaml";
        assert_eq!(of_podman(&described, &groups), ["--device", "nvidia.com/gpu=all"]);
    }

    #[test]
    #[cfg(unix)]
    fn the_groups_of_what_computes_are_found() {
        let dev = tempfile::tempdir().unwrap();
        assert!(groups(dev.path()).is_empty());
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        for name in ["dri/renderD128", "dri/renderD129", "dri/card0"] {
            std::fs::write(dev.path().join(name), "").unwrap();
        }
        let own = std::os::unix::fs::MetadataExt::gid(&dev.path().metadata().unwrap());
        let expected = if own == 0 { vec![] } else { vec![own.to_string()] };
        assert_eq!(groups(dev.path()), expected);
    }
}
