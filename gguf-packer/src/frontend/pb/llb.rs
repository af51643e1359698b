//! The graph: operations, their inputs, and where in a file they come from.

use std::collections::BTreeMap;

use prost::{Enumeration, Message, Oneof};

use super::as_base64;

/// A graph. The last operation has one input, which is the result.
#[derive(Clone, PartialEq, Message)]
pub struct Definition {
    /// Marshalled [`Op`]s, inputs before what needs them.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub def: Vec<Vec<u8>>,
    /// By the digest of the operation.
    #[prost(btree_map = "string, message", tag = "2")]
    pub metadata: BTreeMap<String, OpMetadata>,
    /// Places in files, by the digest of the operation.
    #[prost(message, optional, tag = "3")]
    pub source: Option<Source>,
}

/// An operation.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Op {
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<Input>,
    #[prost(oneof = "Kind", tags = "2, 3, 4, 6")]
    #[serde(rename = "Op")]
    pub op: Option<Kind>,
    #[prost(message, optional, tag = "10")]
    pub platform: Option<Platform>,
    #[prost(message, optional, tag = "11")]
    pub constraints: Option<WorkerConstraints>,
}

/// What an operation does.
#[derive(Clone, PartialEq, Oneof, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
#[expect(clippy::large_enum_variant, reason = "a graph has few of them")]
pub enum Kind {
    #[prost(message, tag = "2")]
    Exec(ExecOp),
    #[prost(message, tag = "3")]
    Source(SourceOp),
    #[prost(message, tag = "4")]
    File(FileOp),
    #[prost(message, tag = "6")]
    Merge(MergeOp),
}

/// An output of another operation.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Input {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub index: i64,
}

/// A platform.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Platform {
    #[prost(string, tag = "1")]
    pub architecture: String,
    #[prost(string, tag = "2")]
    pub os: String,
    #[prost(string, tag = "3")]
    pub variant: String,
}

/// Nothing is asked of the worker.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerConstraints {}

/// Files from elsewhere: `local://`, `docker-image://`, `https://`, `git://`, `oci-layout://`.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct SourceOp {
    #[prost(string, tag = "1")]
    pub identifier: String,
    #[prost(btree_map = "string, string", tag = "2")]
    pub attrs: BTreeMap<String, String>,
}

/// A program in a container.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ExecOp {
    #[prost(message, optional, tag = "1")]
    pub meta: Option<Meta>,
    #[prost(message, repeated, tag = "2")]
    pub mounts: Vec<Mount>,
    #[prost(enumeration = "NetMode", tag = "3")]
    pub network: i32,
}

/// How a program is run.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Meta {
    #[prost(string, repeated, tag = "1")]
    pub args: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub env: Vec<String>,
    #[prost(string, tag = "3")]
    pub cwd: String,
    #[prost(message, optional, tag = "5")]
    pub proxy_env: Option<ProxyEnv>,
    #[prost(message, repeated, tag = "6")]
    pub extra_hosts: Vec<HostIp>,
    #[prost(message, repeated, tag = "9")]
    pub ulimit: Vec<Ulimit>,
    #[prost(string, tag = "10")]
    pub cgroup_parent: String,
}

/// Proxies, which are not a part of what a result is named by.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ProxyEnv {
    #[prost(string, tag = "1")]
    pub http_proxy: String,
    #[prost(string, tag = "2")]
    pub https_proxy: String,
    #[prost(string, tag = "3")]
    pub ftp_proxy: String,
    #[prost(string, tag = "4")]
    pub no_proxy: String,
    #[prost(string, tag = "5")]
    pub all_proxy: String,
}

/// A line of `/etc/hosts`.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct HostIp {
    #[prost(string, tag = "1")]
    pub host: String,
    #[prost(string, tag = "2")]
    pub ip: String,
}

/// A limit of a container.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Ulimit {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int64, tag = "2")]
    pub soft: i64,
    #[prost(int64, tag = "3")]
    pub hard: i64,
}

/// The network of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub enum NetMode {
    Sandbox = 0,
    Host = 1,
    None = 2,
}

/// A file system in a container.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Mount {
    /// Which input of the operation; none is an empty one.
    #[prost(int64, tag = "1")]
    pub input: i64,
    #[prost(string, tag = "2")]
    pub selector: String,
    #[prost(string, tag = "3")]
    pub dest: String,
    /// Which output of the operation; none forgets what is written.
    #[prost(int64, tag = "4")]
    pub output: i64,
    #[prost(bool, tag = "5")]
    pub readonly: bool,
    #[prost(enumeration = "MountType", tag = "6")]
    pub mount_type: i32,
    #[prost(message, optional, tag = "21")]
    pub secret_opt: Option<SecretOpt>,
}

/// Neither an input nor an output.
pub const NONE: i64 = -1;

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub enum MountType {
    Bind = 0,
    Secret = 1,
}

/// A secret of `--secret`.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct SecretOpt {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(uint32, tag = "4")]
    pub mode: u32,
    #[prost(bool, tag = "5")]
    pub optional: bool,
}

/// Changes of files without a program.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct FileOp {
    #[prost(message, repeated, tag = "2")]
    pub actions: Vec<FileAction>,
}

/// One change.
#[derive(Clone, PartialEq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct FileAction {
    #[prost(int64, tag = "1")]
    pub input: i64,
    #[prost(int64, tag = "2")]
    pub secondary_input: i64,
    #[prost(int64, tag = "3")]
    pub output: i64,
    #[prost(oneof = "Action", tags = "4, 5")]
    #[serde(rename = "Action")]
    pub action: Option<Action>,
}

/// What is changed.
#[derive(Clone, PartialEq, Oneof, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub enum Action {
    #[prost(message, tag = "4")]
    Copy(FileActionCopy),
    #[prost(message, tag = "5")]
    Mkfile(FileActionMkFile),
}

/// Copies from the second input onto the first.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct FileActionCopy {
    #[prost(string, tag = "1")]
    pub src: String,
    #[prost(string, tag = "2")]
    pub dest: String,
    #[prost(int32, tag = "4")]
    pub mode: i32,
    #[prost(bool, tag = "6")]
    pub dir_copy_contents: bool,
    #[prost(bool, tag = "7")]
    pub attempt_unpack_docker_compatibility: bool,
    #[prost(bool, tag = "8")]
    pub create_dest_path: bool,
    #[prost(int64, tag = "11")]
    pub timestamp: i64,
}

/// A file of these bytes.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct FileActionMkFile {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(int32, tag = "2")]
    pub mode: i32,
    #[prost(bytes = "vec", tag = "3")]
    #[serde(serialize_with = "as_base64")]
    pub data: Vec<u8>,
    #[prost(int64, tag = "5")]
    pub timestamp: i64,
}

/// Lies the inputs on each other.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct MergeOp {
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<MergeInput>,
}

/// Which input of the operation.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct MergeInput {
    #[prost(int64, tag = "1")]
    pub input: i64,
}

/// What is said of an operation besides what it does.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct OpMetadata {
    #[prost(bool, tag = "1")]
    pub ignore_cache: bool,
    #[prost(btree_map = "string, string", tag = "2")]
    pub description: BTreeMap<String, String>,
    #[prost(btree_map = "string, bool", tag = "5")]
    pub caps: BTreeMap<String, bool>,
}

/// Where operations come from.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Source {
    #[prost(btree_map = "string, message", tag = "1")]
    pub locations: BTreeMap<String, Locations>,
    #[prost(message, repeated, tag = "2")]
    pub infos: Vec<SourceInfo>,
}

/// Places in files.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Locations {
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<Location>,
}

/// A file that is built.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct SourceInfo {
    #[prost(string, tag = "1")]
    pub filename: String,
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    pub definition: Option<Definition>,
    #[prost(string, tag = "4")]
    pub language: String,
}

/// Places in one file.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Location {
    #[prost(int32, tag = "1")]
    #[serde(rename = "sourceIndex", skip_serializing_if = "is_zero")]
    pub source_index: i32,
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<Range>,
}

/// Lines of a file.
#[derive(Clone, PartialEq, Eq, Message, serde::Serialize)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Range {
    #[prost(message, optional, tag = "1")]
    pub start: Option<Position>,
    #[prost(message, optional, tag = "2")]
    pub end: Option<Position>,
}

/// A place in a file; lines count from 1, characters from 0.
#[derive(Clone, Copy, PartialEq, Eq, Message, serde::Serialize)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Position {
    #[prost(int32, tag = "1")]
    pub line: i32,
    #[prost(int32, tag = "2")]
    #[serde(skip_serializing_if = "is_zero")]
    pub character: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &i32) -> bool {
    *n == 0
}
