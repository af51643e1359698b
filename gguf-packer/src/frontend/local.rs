//! A BuildKit of this machine, as far as our own graphs need one: it answers a frontend's calls, and does an operation
//! only when somebody asks for a file of it. So a graph can be shown without its weights, and tests see what our
//! graphs make where no BuildKit is.

mod root;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use prost::Message;

use super::buildkit::locked;
use super::grpc::{Transport, status};
use super::pb::{
    ApiCap, BuildResult, Definition, Empty, InputsResponse, Op, PongResponse, ReadDirRequest,
    ReadDirResponse, ReadFileRequest, ReadFileResponse, Ref, Refs, ResolveImageConfigRequest,
    ResolveImageConfigResponse, ReturnRequest, SolveRequest, SolveResponse, Stat, StatFileRequest,
    StatFileResponse, Status, WarnRequest,
};
use super::step::Tools;
use crate::Error;
use crate::digest::Digest;
use crate::executor::{BaseImage, Folder, Settings};
use root::Root;

/// `UNKNOWN` and `UNIMPLEMENTED` of gRPC.
const UNKNOWN: i32 = 2;
const UNIMPLEMENTED: i32 = 12;

/// What it can do.
const CAPS: [&str; 12] = [
    "solve.base",
    "solve.inlinereturn",
    "resolveimage",
    "readfile",
    "readdir",
    "statfile",
    "proto.refarray",
    "gateway.solve.evaluate",
    "gateway.warnings",
    "frontend.inputs",
    "mergeop",
    "return",
];

/// See the module.
pub(crate) struct Local<'a> {
    /// The store, and where images come from.
    settings: &'a Settings<'a>,
    tools: &'a Tools<'a>,
    /// Folders of the client's disk by their names in its session.
    folders: BTreeMap<String, Folder>,
    /// What it cannot do, unlike a new BuildKit.
    lacks: Vec<&'static str>,
    work: tempfile::TempDir,
    state: State,
}

#[derive(Default)]
struct State {
    ops: Mutex<HashMap<String, Op>>,
    /// Definitions that were solved, by the names of their results.
    solved: Mutex<BTreeMap<String, Definition>>,
    roots: Mutex<HashMap<(String, i64), Arc<Root>>>,
    images: Mutex<HashMap<String, BaseImage>>,
    downloads: Mutex<HashMap<String, PathBuf>>,
    warnings: Mutex<Vec<String>>,
    end: Mutex<Option<Result<BuildResult, Status>>>,
}

impl<'a> Local<'a> {
    /// One for a build of these folders.
    pub(crate) fn new(
        settings: &'a Settings<'a>,
        tools: &'a Tools<'a>,
        folders: BTreeMap<String, Folder>,
    ) -> Result<Self, Error> {
        let work = tempfile::tempdir()
            .map_err(|e| Error::new(format!("cannot create a temporary folder: {e}")))?;
        let (lacks, state) = (vec![], State::default());
        Ok(Self { settings, tools, folders, lacks, work, state })
    }

    /// One that cannot do this, unlike a new BuildKit.
    #[cfg(test)]
    pub(super) fn lacking(mut self, lacks: &[&'static str]) -> Self {
        self.lacks = lacks.to_vec();
        self
    }

    /// What the frontend returned.
    #[cfg(test)]
    pub(super) fn end(&self) -> Option<Result<BuildResult, Status>> {
        locked(&self.state.end).clone()
    }

    /// The layers of an operation that is an image.
    #[cfg(test)]
    pub(super) fn image_layers(&self, digest: &str) -> Option<Vec<crate::store::Layer>> {
        let Some(super::pb::Kind::Source(source)) = self.op(digest).ok()?.op else { return None };
        let (_, reference) = source.identifier.split_once("://")?;
        locked(&self.state.images).get(reference).map(|image| image.layers.clone())
    }

    /// Warnings of the frontend.
    pub(crate) fn warnings(&self) -> Vec<String> {
        locked(&self.state.warnings).clone()
    }

    fn answer(&self, method: &str, message: &[u8]) -> Result<Vec<u8>, Status> {
        match method {
            "Ping" => self.ping(),
            "Inputs" => Ok(InputsResponse { definitions: BTreeMap::new() }.encode_to_vec()),
            "Solve" => answered(message, |asked: SolveRequest| self.solve(asked)),
            "ReadFile" => answered(message, |asked: ReadFileRequest| self.read(&asked)),
            "ReadDir" => answered(message, |asked: ReadDirRequest| self.list(&asked)),
            "StatFile" => answered(message, |asked: StatFileRequest| {
                let stat = Some(self.result(&asked.reference)?.stat(&asked.path)?);
                Ok(StatFileResponse { stat })
            }),
            "ResolveImageConfig" => {
                answered(message, |asked: ResolveImageConfigRequest| self.image(&asked))
            }
            "Warn" => answered(message, |asked: WarnRequest| {
                let text = String::from_utf8_lossy(&asked.short).into_owned();
                locked(&self.state.warnings).push(text);
                Ok(Empty {})
            }),
            "Return" => answered(message, |asked: ReturnRequest| {
                let end = asked.error.map_or_else(|| Ok(asked.result.unwrap_or_default()), Err);
                *locked(&self.state.end) = Some(end);
                Ok(Empty {})
            }),
            _ => Err(status(UNIMPLEMENTED, format!("unsupported method {method}"))),
        }
    }

    fn ping(&self) -> Result<Vec<u8>, Status> {
        let able = CAPS.into_iter().filter(|cap| !self.lacks.contains(cap));
        let caps = able.map(|id| ApiCap { id: id.to_owned(), enabled: true }).collect();
        Ok(PongResponse { frontend_api_caps: caps, llb_caps: vec![] }.encode_to_vec())
    }

    fn solve(&self, asked: SolveRequest) -> Result<SolveResponse, Error> {
        let def = asked.definition.unwrap_or_default();
        let mut ops = locked(&self.state.ops);
        for bytes in &def.def {
            let op = Op::decode(&bytes[..])
                .map_err(|e| Error::new(format!("cannot decode an operation: {e}")))?;
            ops.insert(Digest::of(bytes).to_string(), op);
        }
        // A graph of nothing has the name of no operation.
        let id = def.def.last().map(|bytes| Digest::of(bytes).to_string()).unwrap_or_default();
        locked(&self.state.solved).insert(id.clone(), def.clone());
        let refs = Some(Refs::One(Ref { id: id.clone(), def: Some(def) }));
        let result = Some(BuildResult { refs, metadata: BTreeMap::new() });
        Ok(SolveResponse { reference: id, result })
    }

    /// The files of what was solved.
    fn result(&self, id: &str) -> Result<Arc<Root>, Error> {
        if id.is_empty() {
            return Ok(Arc::default());
        }
        let input = self.op(id)?.inputs.first().cloned().unwrap_or_default();
        self.root(&input.digest, input.index)
    }

    pub(super) fn op(&self, digest: &str) -> Result<Op, Error> {
        let op = locked(&self.state.ops).get(digest).cloned();
        op.ok_or_else(|| Error::new(format!("unknown operation {digest}")))
    }

    fn read(&self, asked: &ReadFileRequest) -> Result<ReadFileResponse, Error> {
        use std::io::{Read, Seek, SeekFrom};
        let path = self.path_of(&*self.result(&asked.reference)?, &asked.file_path)?;
        let failed = |e: std::io::Error| Error::io("read", &path, &e);
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        let (mut data, mut most) = (Vec::new(), u64::MAX);
        if let Some(range) = &asked.range {
            let start = SeekFrom::Start(u64::try_from(range.offset).unwrap_or_default());
            file.seek(start).map_err(failed)?;
            most = u64::try_from(range.length).unwrap_or_default();
        }
        file.take(most).read_to_end(&mut data).map_err(failed)?;
        Ok(ReadFileResponse { data })
    }

    fn list(&self, asked: &ReadDirRequest) -> Result<ReadDirResponse, Error> {
        let entries: Vec<Stat> = self.result(&asked.reference)?.names(&asked.dir_path)?;
        Ok(ReadDirResponse { entries })
    }

    fn image(
        &self,
        asked: &ResolveImageConfigRequest,
    ) -> Result<ResolveImageConfigResponse, Error> {
        let platform = asked.platform.as_ref().map(|platform| {
            let all = [&platform.os, &platform.architecture, &platform.variant];
            let said: Vec<&str> =
                all.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
            said.join("/")
        });
        let images = &self.settings.images;
        let image = if asked.store_id.is_empty() {
            (images.find)(&asked.reference, platform.as_deref())?
        } else {
            let tag = asked.reference.split_once('@').map(|(_, tag)| tag);
            let tag = tag.filter(|tag| !tag.is_empty());
            (images.layout)(&asked.store_id, tag, platform.as_deref())?
        };
        let (digest, config) = (image.digest.clone(), image.config.to_string().into_bytes());
        let name = asked.reference.split('@').next().unwrap_or_default();
        let reference = format!("{name}@{digest}");
        locked(&self.state.images).insert(reference.clone(), image);
        Ok(ResolveImageConfigResponse { digest, config, reference })
    }
}

impl Transport for Local<'_> {
    fn call(&self, method: &str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.answer(method, &message)
    }
}

/// The answer to a message.
fn answered<Q: Message + Default, A: Message>(
    message: &[u8],
    answer: impl FnOnce(Q) -> Result<A, Error>,
) -> Result<Vec<u8>, Status> {
    let asked = Q::decode(message).map_err(|e| status(UNKNOWN, e.to_string()))?;
    let answered = answer(asked).map_err(|e| status(UNKNOWN, e.to_string()))?;
    Ok(answered.encode_to_vec())
}
