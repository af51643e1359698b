//! What a frontend asks of BuildKit, and what it answers.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

use super::{Definition, Platform, Range, SourceInfo, SourceOp};

/// Nothing is said.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Empty {}

/// What the daemon can do.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct PongResponse {
    #[prost(message, repeated, tag = "1")]
    pub frontend_api_caps: Vec<ApiCap>,
    #[prost(message, repeated, tag = "2")]
    pub llb_caps: Vec<ApiCap>,
}

/// Something that the daemon can do, or cannot do any more.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ApiCap {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(bool, tag = "2")]
    pub enabled: bool,
}

/// Asks for a result.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct SolveRequest {
    #[prost(message, optional, tag = "1")]
    pub definition: Option<Definition>,
    #[prost(bool, tag = "5")]
    pub allow_result_return: bool,
    #[prost(bool, tag = "6")]
    pub allow_result_array_ref: bool,
    #[prost(message, repeated, tag = "12")]
    pub cache_imports: Vec<CacheOptionsEntry>,
    #[prost(bool, tag = "14")]
    pub evaluate: bool,
}

/// A cache that results are looked for in.
#[derive(Clone, PartialEq, Eq, Message, serde::Deserialize)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct CacheOptionsEntry {
    #[prost(string, tag = "1")]
    #[serde(rename = "Type")]
    pub kind: String,
    #[prost(btree_map = "string, string", tag = "2")]
    #[serde(rename = "Attrs")]
    pub attrs: BTreeMap<String, String>,
}

/// A result.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct SolveResponse {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(message, optional, tag = "3")]
    pub result: Option<BuildResult>,
}

/// `Result`: one file system or several, by their platforms, and what is said of them.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct BuildResult {
    #[prost(oneof = "Refs", tags = "1, 2, 3, 4")]
    pub refs: Option<Refs>,
    #[prost(btree_map = "string, bytes", tag = "10")]
    pub metadata: BTreeMap<String, Vec<u8>>,
}

/// File systems; the first two are how old daemons say it.
#[derive(Clone, PartialEq, Oneof)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub enum Refs {
    #[prost(string, tag = "1")]
    OldOne(String),
    #[prost(message, tag = "2")]
    OldSeveral(OldRefMap),
    #[prost(message, tag = "3")]
    One(Ref),
    #[prost(message, tag = "4")]
    Several(RefMap),
}

/// See [`Refs`].
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct OldRefMap {
    #[prost(btree_map = "string, string", tag = "1")]
    pub refs: BTreeMap<String, String>,
}

/// A file system that the daemon holds.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Ref {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(message, optional, tag = "2")]
    pub def: Option<Definition>,
}

/// See [`Refs`].
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct RefMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub refs: BTreeMap<String, Ref>,
}

/// The end of the build.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ReturnRequest {
    #[prost(message, optional, tag = "1")]
    pub result: Option<BuildResult>,
    #[prost(message, optional, tag = "2")]
    pub error: Option<Status>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `errdefs.Source`: the place of an error in a file, which the client shows.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ErrorSource {
    #[prost(message, optional, tag = "1")]
    pub info: Option<SourceInfo>,
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<Range>,
}

/// Asks for the config of an image.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ResolveImageConfigRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(message, optional, tag = "2")]
    pub platform: Option<Platform>,
    #[prost(string, tag = "3")]
    pub resolve_mode: String,
    #[prost(string, tag = "4")]
    pub log_name: String,
    #[prost(int32, tag = "5")]
    pub resolver_type: i32,
    #[prost(string, tag = "6")]
    pub session_id: String,
    #[prost(string, tag = "7")]
    pub store_id: String,
}

/// The config of an image.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ResolveImageConfigResponse {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(bytes = "vec", tag = "2")]
    pub config: Vec<u8>,
    #[prost(string, tag = "3")]
    pub reference: String,
}

/// Asks what a source is now.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ResolveSourceMetaRequest {
    #[prost(message, optional, tag = "1")]
    pub source: Option<SourceOp>,
    #[prost(message, optional, tag = "2")]
    pub platform: Option<Platform>,
    #[prost(string, tag = "3")]
    pub log_name: String,
    #[prost(string, tag = "4")]
    pub resolve_mode: String,
}

/// What a source is now; policies may have changed it.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ResolveSourceMetaResponse {
    #[prost(message, optional, tag = "1")]
    pub source: Option<SourceOp>,
    #[prost(message, optional, tag = "2")]
    pub image: Option<ResolveSourceImageResponse>,
}

/// An image.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ResolveSourceImageResponse {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(bytes = "vec", tag = "2")]
    pub config: Vec<u8>,
}

/// Asks for a part of a file.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ReadFileRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub file_path: String,
    #[prost(message, optional, tag = "3")]
    pub range: Option<FileRange>,
}

/// A part of a file.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct FileRange {
    #[prost(int64, tag = "1")]
    pub offset: i64,
    #[prost(int64, tag = "2")]
    pub length: i64,
}

/// Bytes of a file.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ReadFileResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// Asks what is in a folder.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ReadDirRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub dir_path: String,
}

/// What is in a folder.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct ReadDirResponse {
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<Stat>,
}

/// Asks what lies somewhere.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct StatFileRequest {
    #[prost(string, tag = "1")]
    pub reference: String,
    #[prost(string, tag = "2")]
    pub path: String,
}

/// What lies somewhere.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct StatFileResponse {
    #[prost(message, optional, tag = "1")]
    pub stat: Option<Stat>,
}

/// A file, a folder or a link; `mode` is a `FileMode` of Go.
#[derive(Clone, PartialEq, Eq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct Stat {
    #[prost(string, tag = "1")]
    pub path: String,
    #[prost(uint32, tag = "2")]
    pub mode: u32,
    #[prost(uint32, tag = "3")]
    pub uid: u32,
    #[prost(uint32, tag = "4")]
    pub gid: u32,
    #[prost(int64, tag = "5")]
    pub size: i64,
    /// Nanoseconds since 1970.
    #[prost(int64, tag = "6")]
    pub mod_time: i64,
    #[prost(string, tag = "7")]
    pub linkname: String,
}

/// Graphs that the client gave.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct InputsResponse {
    #[prost(btree_map = "string, message", tag = "1")]
    pub definitions: BTreeMap<String, Definition>,
}

/// Something that a person should know.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "BuildKit's own names")]
pub struct WarnRequest {
    #[prost(string, tag = "1")]
    pub digest: String,
    #[prost(int64, tag = "2")]
    pub level: i64,
    #[prost(bytes = "vec", tag = "3")]
    pub short: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub detail: Vec<Vec<u8>>,
    #[prost(string, tag = "5")]
    pub url: String,
    #[prost(message, optional, tag = "6")]
    pub info: Option<SourceInfo>,
    #[prost(message, repeated, tag = "7")]
    pub ranges: Vec<Range>,
}
