//! The part of Kubernetes' types that our manifests have.

#![expect(missing_docs, reason = "Kubernetes' own names and meanings")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    pub containers: Vec<Container>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    pub security_context: PodSecurity,
    pub termination_grace_period_seconds: u64,
    #[serde(default = "yes")]
    pub enable_service_links: bool,
    /// A token would be one more thing that a container has here.
    pub automount_service_account_token: bool,
    /// Where it runs: no matter here.
    #[serde(default)]
    pub tolerations: Value,
    /// What gives it a GPU: no matter here.
    pub runtime_class_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSecurity {
    pub run_as_non_root: bool,
    /// Without one it is the image's.
    pub run_as_user: Option<u32>,
    #[serde(default)]
    pub run_as_group: u32,
    pub fs_group: Option<u32>,
    #[serde(default)]
    pub fs_group_change_policy: Value,
    #[serde(default)]
    pub supplemental_groups: Vec<u32>,
    /// `RuntimeDefault` is Docker's default too.
    pub seccomp_profile: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    pub name: String,
    pub image: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<Variable>,
    pub ports: Vec<Port>,
    pub resources: Resources,
    pub security_context: Security,
    pub startup_probe: Option<Probe>,
    pub readiness_probe: Probe,
    pub liveness_probe: Option<Probe>,
    pub lifecycle: Option<Lifecycle>,
    #[serde(default)]
    pub volume_mounts: Vec<Mount>,
}

/// With a value, or with one of the pod's own that the cluster knows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    #[serde(default)]
    pub value: String,
    pub value_from: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    pub name: String,
    pub container_port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    pub requests: BTreeMap<String, String>,
    pub limits: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Security {
    pub allow_privilege_escalation: bool,
    pub read_only_root_filesystem: bool,
    pub capabilities: Capabilities,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    pub drop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    pub exec: Option<Exec>,
    pub http_get: Option<HttpGet>,
    pub tcp_socket: Option<TcpSocket>,
    #[serde(default = "ten")]
    pub period_seconds: u64,
    #[serde(default = "one")]
    pub timeout_seconds: u64,
    #[serde(default = "three")]
    pub failure_threshold: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    pub command: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGet {
    pub path: String,
    /// The name of one of the container's.
    pub port: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSocket {
    /// The name of one of the container's.
    pub port: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    pub pre_stop: Hook,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    pub exec: Exec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    pub name: String,
    pub mount_path: String,
    /// A folder of the volume, for one that is an image.
    #[serde(default)]
    pub sub_path: String,
    #[serde(default)]
    pub read_only: bool,
}

/// One of its four sources.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub empty_dir: Option<BTreeMap<String, String>>,
    pub persistent_volume_claim: Option<Claim>,
    pub image: Option<ModelImage>,
    pub secret: Option<Secret>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    pub claim_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelImage {
    pub reference: String,
    pub pull_policy: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    pub secret_name: String,
    pub default_mode: u32,
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

fn ten() -> u64 {
    10
}

fn three() -> u64 {
    3
}
