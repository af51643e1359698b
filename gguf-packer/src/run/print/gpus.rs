//! What a manifest says so that its server gets GPUs.

use std::str::FromStr;

use crate::Error;

/// GPUs of one vendor.
#[derive(Debug, Clone, Copy)]
pub struct Gpus {
    vendor: &'static Vendor,
    count: u32,
}

/// What a vendor's GPUs are called.
#[derive(Debug)]
struct Vendor {
    name: &'static str,
    /// Our image for them.
    server: &'static str,
    /// Of its device plugin for Kubernetes.
    resource: &'static str,
    /// Files of the host; NVIDIA has a driver of Docker's and a description for podman.
    devices: &'static [&'static str],
}

const VENDORS: [Vendor; 4] = [
    Vendor {
        name: "nvidia",
        server: "llama-cpp-cuda:local",
        resource: "nvidia.com/gpu",
        devices: &[],
    },
    Vendor {
        name: "amd",
        server: "llama-cpp-rocm:local",
        resource: "amd.com/gpu",
        devices: &["/dev/kfd", "/dev/dri"],
    },
    Vendor {
        name: "intel",
        server: "llama-cpp-vulkan:local",
        resource: "gpu.intel.com/i915",
        devices: &["/dev/dri"],
    },
    // Those whose kernel driver is xe; Intel's device plugin calls them otherwise.
    Vendor {
        name: "intel-xe",
        server: "llama-cpp-vulkan:local",
        resource: "gpu.intel.com/xe",
        devices: &["/dev/dri"],
    },
];

impl FromStr for Gpus {
    type Err = Error;

    /// `nvidia`, `amd=2`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, count) = text.split_once('=').unwrap_or((text, "1"));
        let vendor = VENDORS.iter().find(|vendor| vendor.name == name);
        let count = count.parse().ok().filter(|count| *count > 0);
        match (vendor, count) {
            (Some(vendor), Some(count)) => Ok(Self { vendor, count }),
            _ => Err(Error::usage(format!("invalid GPUs `{text}`"))
                .hint("--gpu nvidia, --gpu amd, --gpu intel or --gpu intel-xe; two of them: --gpu nvidia=2")),
        }
    }
}

impl Gpus {
    /// Our image for them, as a build here calls it.
    #[must_use]
    pub fn server(self) -> &'static str {
        self.vendor.server
    }

    /// In the limits of a container.
    pub(super) fn kube_limit(self) -> String {
        format!(", {}: \"{}\"", self.vendor.resource, self.count)
    }

    /// In the pod: nodes with GPUs of NVIDIA often take no other pods.
    pub(super) fn kube_pod(self) -> String {
        let resource = self.vendor.resource;
        if self.vendor.devices.is_empty() {
            format!(
                "      tolerations: [{{key: {resource}, operator: Exists, effect: NoSchedule}}]\n"
            )
        } else {
            String::new()
        }
    }

    /// In the security context of the pod.
    pub(super) fn kube_groups(self) -> &'static str {
        if self.vendor.devices.is_empty() {
            ""
        } else {
            "        # Of the devices on the nodes: video, render.\n        \
             supplementalGroups: [44, 992]\n"
        }
    }

    /// In a service of compose.
    pub(super) fn compose_service(self) -> String {
        if self.vendor.devices.is_empty() {
            return String::new();
        }
        format!(
            "    devices: [{}]\n    \
             # The host's groups of the devices: stat -c %g /dev/kfd /dev/dri/renderD128\n    \
             group_add: [\"${{VIDEO_GID:-44}}\", \"${{RENDER_GID:-992}}\"]\n",
            self.vendor.devices.join(", ")
        )
    }

    /// In the resources of a service.
    pub(super) fn compose_resources(self) -> String {
        if self.vendor.devices.is_empty() {
            format!(
                ", reservations: {{devices: [{{driver: nvidia, count: {}, capabilities: [gpu]}}]}}",
                self.count
            )
        } else {
            String::new()
        }
    }

    /// In the container of a quadlet.
    pub(super) fn quadlet(self) -> String {
        if self.vendor.devices.is_empty() {
            return "AddDevice=nvidia.com/gpu=all\n".to_owned();
        }
        let devices: String =
            self.vendor.devices.iter().map(|path| format!("AddDevice={path}\n")).collect();
        let files = self.vendor.devices.join(" ").replace("/dev/dri", "/dev/dri/renderD128");
        format!(
            "{devices}# The groups of the user who starts it, render among them. Root has no such group: in\n\
             # /etc/containers/systemd write GroupAdd=GID instead, with each number of\n\
             # `stat -c %g {files}`.\n\
             GroupAdd=keep-groups\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendor_and_a_number_are_gpus() {
        let gpus = |text: &str| text.parse::<Gpus>().unwrap();
        assert_eq!(gpus("amd=2").kube_limit(), ", amd.com/gpu: \"2\"");
        assert_eq!(gpus("nvidia").kube_limit(), ", nvidia.com/gpu: \"1\"");
        // As the overlays for those who download a model say it, and the component that changes one.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/k8s/");
        for vendor in &VENDORS {
            let variant = vendor.server.trim_start_matches("llama-cpp-").trim_end_matches(":local");
            let path = match vendor.name {
                "intel-xe" => "components/intel-xe".to_owned(),
                _ => format!("overlays/{variant}"),
            };
            let path = format!("{folder}{path}/kustomization.yaml");
            let overlay = std::fs::read_to_string(path).unwrap();
            let resource = vendor.resource.replace('/', "~1");
            assert!(overlay.contains(&format!("/limits/{resource}, value: \"1\"")), "{overlay}");
        }
        for text in ["", "nvidia=", "nvidia=0", "cuda", "all"] {
            let error = text.parse::<Gpus>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("invalid GPUs `{text}`\n")), "{error}");
        }
    }
}
