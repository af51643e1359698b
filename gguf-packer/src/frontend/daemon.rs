//! BuildKit as a frontend sees it: its options, what it can do, and typed calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use prost::Message;

use super::grpc::Transport;
use super::pb::{
    BuildResult, CacheOptionsEntry, Definition, Empty, FileRange, InputsResponse, PongResponse,
    ReadDirRequest, ReadDirResponse, ReadFileRequest, ReadFileResponse, Ref, Refs,
    ResolveImageConfigRequest, ResolveImageConfigResponse, ResolveSourceMetaRequest,
    ResolveSourceMetaResponse, ReturnRequest, SolveRequest, SolveResponse, SourceOp, Stat,
    StatFileRequest, StatFileResponse, Status, WarnRequest,
};
use crate::Error;

/// The most bytes that are asked for at once; a message has at most 16 MiB.
const CHUNK: u64 = 4 << 20;

/// What daemons can that do not say what they can.
const OLD: [&str; 4] = ["solve.base", "solve.inlinereturn", "resolveimage", "readfile"];

/// The daemon.
pub(crate) struct Daemon<'a> {
    transport: &'a dyn Transport,
    /// Options of the build, by their names.
    pub(super) options: BTreeMap<String, String>,
    session: String,
    /// The graph of the frontend's own image, where the daemon tells it.
    pub(super) own: Option<Definition>,
    pub(super) cache_imports: Vec<CacheOptionsEntry>,
    caps: BTreeSet<String>,
    /// What the daemon said of the first call that failed: its client understands it.
    failed: Mutex<Option<Status>>,
}

/// A file system that the daemon holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) def: Option<Definition>,
}

impl<'a> Daemon<'a> {
    /// Asks the daemon what it can do.
    pub(super) fn meet(
        transport: &'a dyn Transport,
        options: BTreeMap<String, String>,
        session: String,
        own: Option<Definition>,
    ) -> Result<Self, Error> {
        let mut daemon = Self {
            transport,
            cache_imports: cache_imports(&options)?,
            options,
            session,
            own,
            caps: BTreeSet::new(),
            failed: Mutex::default(),
        };
        let pong: PongResponse = daemon.call("Ping", &Empty {})?;
        let all = pong.frontend_api_caps.into_iter().chain(pong.llb_caps);
        daemon.caps = all.filter(|cap| cap.enabled).map(|cap| cap.id).collect();
        if daemon.caps.is_empty() {
            daemon.caps = OLD.map(str::to_owned).into();
        }
        Ok(daemon)
    }

    /// Whether the daemon can do something.
    pub(super) fn can(&self, what: &str) -> bool {
        self.caps.contains(what)
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Says whose disk a source is on, where there is a client.
    pub(super) fn session_attribute(&self, name: &'static str) -> Option<(&'static str, String)> {
        (!self.session.is_empty()).then(|| (name, self.session.clone()))
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// What the daemon said of the first call that failed.
    pub(super) fn failure(&self) -> Option<Status> {
        self.failed.lock().ok()?.clone()
    }

    /// What `ask` finds, which may not be there.
    pub(super) fn probe<T>(&self, ask: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        let before = self.failure();
        let found = ask().ok();
        if let Ok(mut failed) = self.failed.lock() {
            *failed = before;
        }
        found
    }

    fn call<Q: Message, A: Message + Default>(
        &self,
        method: &str,
        request: &Q,
    ) -> Result<A, Error> {
        let answer = self.transport.call(method, request.encode_to_vec()).map_err(|status| {
            let error = Error::new(status.message.clone());
            if let Ok(mut failed) = self.failed.lock() {
                failed.get_or_insert(status);
            }
            error
        })?;
        A::decode(&answer[..])
            .map_err(|e| Error::new(format!("cannot decode BuildKit's answer to {method}: {e}")))
    }

    /// The result of a graph, which is made now where `now` is.
    pub(super) fn solve(&self, definition: Definition, now: bool) -> Result<Held, Error> {
        let request = SolveRequest {
            definition: Some(definition.clone()),
            allow_result_return: true,
            allow_result_array_ref: true,
            cache_imports: self.cache_imports.clone(),
            evaluate: now && self.can("gateway.solve.evaluate"),
        };
        let answer: SolveResponse = self.call("Solve", &request)?;
        let held = |id: String| Held { id, def: Some(definition.clone()) };
        let held = match answer.result.and_then(|result| result.refs) {
            None => held(answer.reference),
            Some(Refs::OldOne(id)) => held(id),
            Some(Refs::One(Ref { id, def })) => Held { id, def },
            Some(Refs::OldSeveral(_) | Refs::Several(_)) => {
                return Err(Error::new("BuildKit returned several results for one graph"));
            }
        };
        if now && !request.evaluate {
            self.list(&held, "/")?;
        }
        Ok(held)
    }

    /// A part of a file; less where the file ends.
    pub(super) fn read(&self, held: &Held, path: &str, at: u64) -> Result<Vec<u8>, Error> {
        let number = |n: u64| i64::try_from(n).expect("a file's size is less");
        let range = FileRange { offset: number(at), length: number(CHUNK) };
        let (reference, file_path) = (held.id.clone(), path.to_owned());
        let request = ReadFileRequest { reference, file_path, range: Some(range) };
        Ok(self.call::<_, ReadFileResponse>("ReadFile", &request)?.data)
    }

    /// A whole file of at most `most` bytes.
    pub(super) fn read_all(&self, held: &Held, path: &str, most: u64) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        loop {
            let part = self.read(held, path, all.len() as u64)?;
            let end = (part.len() as u64) < CHUNK;
            all.extend(part);
            if all.len() as u64 > most {
                return Err(Error::new(format!("{path} has more than {most} bytes")));
            }
            if end {
                return Ok(all);
            }
        }
    }

    pub(super) fn list(&self, held: &Held, path: &str) -> Result<Vec<Stat>, Error> {
        let request = ReadDirRequest { reference: held.id.clone(), dir_path: path.to_owned() };
        Ok(self.call::<_, ReadDirResponse>("ReadDir", &request)?.entries)
    }

    pub(super) fn stat(&self, held: &Held, path: &str) -> Result<Stat, Error> {
        let request = StatFileRequest { reference: held.id.clone(), path: path.to_owned() };
        let answer: StatFileResponse = self.call("StatFile", &request)?;
        answer.stat.ok_or_else(|| Error::new(format!("BuildKit sent no metadata of {path}")))
    }

    /// Digest, config and the reference to use of an image.
    pub(super) fn image(
        &self,
        request: &ResolveImageConfigRequest,
    ) -> Result<ResolveImageConfigResponse, Error> {
        let is_layout = !request.store_id.is_empty();
        if is_layout || !self.can("source.metaresolver") {
            let mut answer: ResolveImageConfigResponse =
                self.call("ResolveImageConfig", request)?;
            if answer.reference.is_empty() {
                answer.reference.clone_from(&request.reference);
            }
            return Ok(answer);
        }
        let identifier = format!("docker-image://{}", request.reference);
        let request = ResolveSourceMetaRequest {
            source: Some(SourceOp { identifier, attrs: BTreeMap::new() }),
            platform: request.platform.clone(),
            log_name: request.log_name.clone(),
            resolve_mode: request.resolve_mode.clone(),
        };
        let answer: ResolveSourceMetaResponse = self.call("ResolveSourceMeta", &request)?;
        let said = answer.source.map(|source| source.identifier).unwrap_or_default();
        let (Some(image), Some(reference)) = (answer.image, said.strip_prefix("docker-image://"))
        else {
            return Err(Error::new(format!("a source policy replaces the image with `{said}`")));
        };
        let (digest, config, reference) = (image.digest, image.config, reference.to_owned());
        Ok(ResolveImageConfigResponse { digest, config, reference })
    }

    /// Graphs that the client gave.
    pub(super) fn inputs(&self) -> Result<BTreeMap<String, Definition>, Error> {
        if !self.can("frontend.inputs") {
            return Ok(BTreeMap::new());
        }
        Ok(self.call::<_, InputsResponse>("Inputs", &Empty {})?.definitions)
    }

    /// Tells the client's person something; an old daemon cannot.
    pub(super) fn warn(&self, warning: &WarnRequest) {
        if self.can("gateway.warnings") {
            // A warning that is not shown is no reason to fail.
            let _ = self.call::<_, Empty>("Warn", warning);
        }
    }

    /// Ends the build.
    pub(super) fn end(&self, end: Result<BuildResult, Status>) -> Result<(), Error> {
        let (result, error) = match end {
            Ok(result) => (Some(result), None),
            Err(status) => (None, Some(status)),
        };
        self.call::<_, Empty>("Return", &ReturnRequest { result, error }).map(|_| ())
    }
}

/// `cache-imports`, a list in JSON, or `cache-from`, references of registries.
fn cache_imports(options: &BTreeMap<String, String>) -> Result<Vec<CacheOptionsEntry>, Error> {
    let said = |name: &str| options.get(name).filter(|text| !text.is_empty());
    if let Some(text) = said("cache-imports") {
        return serde_json::from_str(text)
            .map_err(|e| Error::new(format!("`cache-imports` is not a list of caches: {e}")));
    }
    let registry = |reference: &str| CacheOptionsEntry {
        kind: "registry".to_owned(),
        attrs: BTreeMap::from([("ref".to_owned(), reference.to_owned())]),
    };
    Ok(said("cache-from").map(|text| text.split(',').map(registry).collect()).unwrap_or_default())
}
