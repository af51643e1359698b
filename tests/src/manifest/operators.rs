//! The part of the operators' types that our manifests have. Pods in them are left to Kubernetes' own schemas.
//! `apix/config/v1alpha1` and the charts of llm-d's router have its types. The crates `kcr_leaderworkerset_x_k8s_io`
//! 3.20260530 and `kcr_keda_sh` 3.20260609, generated from CRDs, read and wrote both of our objects unchanged on
//! 2026-11-27; here they would cost 40 crates more, and k8s-openapi at one exact version.

#![expect(missing_docs, reason = "the operators' own names and meanings")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaderWorkerSet {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Groups,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Groups {
    pub replicas: u32,
    pub leader_worker_template: Group,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    pub size: usize,
    pub restart_policy: RestartPolicy,
    pub leader_template: Value,
    pub worker_template: Value,
    pub volume_claim_templates: Vec<Value>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub enum RestartPolicy {
    RecreateGroupOnPodRestart,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaledObject {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Scaling,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    pub scale_target_ref: Metadata,
    pub min_replica_count: u32,
    pub max_replica_count: u32,
    pub fallback: Fallback,
    pub advanced: Advanced,
    pub triggers: Vec<Trigger>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    pub failure_threshold: u32,
    pub replicas: u32,
    pub behavior: FallbackBehavior,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FallbackBehavior {
    CurrentReplicas,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Advanced {
    pub horizontal_pod_autoscaler_config: AutoscalerConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoscalerConfig {
    /// As in a HorizontalPodAutoscaler of `autoscaling/v2`.
    pub behavior: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    #[serde(rename = "type")]
    pub kind: String,
    pub metadata: Prometheus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prometheus {
    pub server_address: String,
    pub query: String,
    /// KEDA takes text only.
    pub threshold: String,
    pub ignore_null_values: String,
}

/// The fields and their meanings are those of the CRD of the Prometheus Operator 0.91, read on 2026-11-29.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodMonitor {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Monitoring,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Monitoring {
    pub selector: Selector,
    pub pod_metrics_endpoints: Vec<MetricsEndpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsEndpoint {
    /// The name of one of the pod's.
    pub port: String,
    pub path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointPickerConfig {
    pub api_version: String,
    pub kind: String,
    pub plugins: Vec<Plugin>,
    pub data_layer: DataLayer,
    pub scheduling_profiles: Vec<Profile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    #[serde(rename = "type")]
    pub kind: String,
    pub parameters: Option<ExtractorParameters>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtractorParameters {
    pub default_engine: String,
    pub engine_configs: Vec<EngineConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineConfig {
    pub name: String,
    pub queued_requests_spec: String,
    pub running_requests_spec: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataLayer {
    pub sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    pub plugin_ref: String,
    pub extractors: Vec<PluginRef>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub plugins: Vec<PluginRef>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginRef {
    pub plugin_ref: String,
    #[serde(default)]
    pub weight: u32,
}

/// Of the charts `llm-d-router-standalone` and `llm-d-router-gateway`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterValues {
    pub router: Router,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Router {
    pub model_servers: ModelServers,
    pub epp: Epp,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelServers {
    pub match_labels: BTreeMap<String, String>,
    pub target_ports: Vec<TargetPort>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetPort {
    pub number: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Epp {
    pub plugins_config_file: String,
}
