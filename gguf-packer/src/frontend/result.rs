//! What a build gives back: file systems with their configs, or what is wrong, with its place in the file.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use serde::Serialize;

use super::Planned;
use super::buildkit::BuildKit;
use super::daemon::{Daemon, Held};
use super::location::range;
use super::pb::{
    Any, BuildResult, Definition, OldRefMap, Ref, RefMap, Refs, SourceInfo, Status, WarnRequest,
};
use crate::Error;
use crate::build;
use crate::digest::Digest;
use crate::executor::BuiltStage;
use crate::image::Platform;
use crate::language::{self, Warning};
use crate::store::Store;
use crate::tree::{Kind, Tree};

/// `UNKNOWN` of gRPC, as BuildKit's own frontend has it.
const UNKNOWN: i32 = 2;

/// An image of one platform.
pub(super) struct Built {
    pub(super) platform: Platform,
    pub(super) held: Held,
    pub(super) config: Vec<u8>,
    pub(super) base: Option<Vec<u8>>,
}

/// Describes a stage for a platform, and hands over its file system.
pub(super) fn finish(planned: &Planned<'_>, labels: &[(String, String)]) -> Result<Built, Error> {
    let Planned { backend, store, built, at_command } = planned;
    let mut stage = built.clone();
    let held = backend.daemon.solve(graph(backend, &stage), true)?;
    stage.entries = Arc::new(sized(backend, &stage.entries)?);
    if backend.options.source_date.is_none() {
        date(backend, &mut stage)?;
    }
    let open = |content: &Digest| open(backend, store, content);
    let described = build::described(&stage, labels, &open).map_err(|error| at_command(&error))?;
    let base = stage.base.as_ref().map(|base| base.config.to_string().into_bytes());
    let platform = backend.platform.clone();
    Ok(Built { config: described.config(&platform), platform, held, base })
}

/// The graph of a stage's file system.
pub(super) fn graph(backend: &BuildKit<'_>, stage: &BuiltStage) -> Definition {
    let outputs = backend.outputs(stage);
    let stacked = super::vertices::stacked(outputs, backend.daemon.can("mergeop"));
    stacked.map(|top| top.definition(Some(backend.file))).unwrap_or_default()
}

/// Gives a stage and its layers the times at which they were made: those of the roots of their file systems, which no
/// layer has. So the same build is the same image as long as the daemon remembers it.
fn date(backend: &BuildKit<'_>, stage: &mut BuiltStage) -> Result<(), Error> {
    for made in &mut stage.layers {
        let Some(vertex) = backend.layer_of(&made.layer.diff_id) else { continue };
        let stat = backend.daemon.stat(&backend.held(&vertex)?, "/")?;
        made.created = u64::try_from(stat.mod_time / 1_000_000_000).unwrap_or_default();
    }
    stage.created = stage.layers.iter().map(|made| made.created).max().unwrap_or(stage.created);
    Ok(())
}

/// The files with the sizes of those that a tool has made by now.
fn sized(backend: &BuildKit<'_>, tree: &Tree) -> Result<Tree, Error> {
    let mut entries = Vec::new();
    for entry in tree.iter() {
        let mut entry = entry.clone();
        if let Kind::File { digest, size: size @ 0 } = &mut entry.kind {
            if let Some((vertex, path)) = backend.place_of(digest) {
                let stat = backend.daemon.stat(&backend.held(&vertex)?, &format!("/{path}"))?;
                *size = u64::try_from(stat.size).unwrap_or_default();
            }
        }
        entries.push(entry);
    }
    Ok(entries.into_iter().collect())
}

fn open<'b>(
    backend: &'b BuildKit<'_>,
    store: &Store,
    content: &Digest,
) -> Result<Box<dyn Read + 'b>, Error> {
    let Some((vertex, path)) = backend.place_of(content) else {
        return Ok(Box::new(io::Cursor::new(store.read_blob(content, u64::MAX)?)));
    };
    let (held, path) = (backend.held(&vertex)?, format!("/{path}"));
    Ok(Box::new(Content { daemon: backend.daemon, held, path, at: 0, part: io::Cursor::default() }))
}

/// A file that the daemon holds, read part by part.
struct Content<'a> {
    daemon: &'a Daemon<'a>,
    held: Held,
    path: String,
    at: u64,
    part: io::Cursor<Vec<u8>>,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.part.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        let part = self.daemon.read(&self.held, &self.path, self.at);
        let part = part.map_err(|e| io::Error::other(e.to_string()))?;
        self.at += part.len() as u64;
        self.part = io::Cursor::new(part);
        self.part.read(buffer)
    }
}

/// The result in BuildKit's form; `several`: an index, of one platform too.
pub(super) fn result(daemon: &Daemon<'_>, built: Vec<Built>, several: bool) -> BuildResult {
    let mut metadata = BTreeMap::new();
    let mut refs = BTreeMap::new();
    let mut platforms = Vec::new();
    for one in built {
        let id = one.platform.to_string();
        let key = |name: &str| if several { format!("{name}/{id}") } else { name.to_owned() };
        metadata.insert(key("containerimage.config"), one.config);
        if let Some(base) = one.base {
            metadata.insert(key("containerimage.base.config"), base);
        }
        refs.insert(id.clone(), Ref { id: one.held.id, def: one.held.def });
        platforms.push(Known { id, platform: one.platform });
    }
    let all = serde_json::to_vec(&Platforms { platforms }).expect("texts");
    metadata.insert("refs.platforms".to_owned(), all);
    let new = daemon.can("proto.refarray");
    let refs = match (several, new) {
        (true, true) => Some(Refs::Several(RefMap { refs })),
        (true, false) => {
            let refs = refs.into_iter().map(|(id, one)| (id, one.id)).collect();
            Some(Refs::OldSeveral(OldRefMap { refs }))
        }
        (false, true) => refs.into_values().next().map(Refs::One),
        (false, false) => refs.into_values().next().map(|one| Refs::OldOne(one.id)),
    };
    BuildResult { refs, metadata }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Platforms {
    platforms: Vec<Known>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Known {
    #[serde(rename = "ID")]
    id: String,
    platform: Platform,
}

/// What is wrong, as BuildKit's client shows it: with the lines of the file where it says where.
pub(super) fn failure(daemon: &Daemon<'_>, file: Option<&SourceInfo>, error: &Error) -> Status {
    let message = error.to_string();
    // What the daemon itself said comes with what its client makes of it.
    let said = daemon.failure().filter(|status| message.contains(&status.message));
    let (code, mut details) = said.map_or((UNKNOWN, Vec::new()), |said| (said.code, said.details));
    if let Some((file, at)) = file.and_then(|file| Some((file, place(&message, file)?))) {
        details.push(detail(file, at));
    }
    Status { code, message, details }
}

/// The first place that a message names, as `file:line:column:`.
pub(super) fn place(message: &str, file: &SourceInfo) -> Option<language::instruction::Position> {
    let (_, rest) = message.split_once(&format!("{}:", file.filename))?;
    let mut numbers = rest.splitn(3, ':').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => {
            Some(language::instruction::Position { line, column })
        }
        _ => None,
    }
}

fn detail(file: &SourceInfo, at: language::instruction::Position) -> Any {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(&file.data);
    let info = serde_json::json!({
        "filename": file.filename, "data": data, "language": file.language,
    });
    let source = serde_json::json!({"info": info, "ranges": [range(at)]});
    let type_url = "github.com/moby/buildkit/errdefs.Source+json".to_owned();
    Any { type_url, value: source.to_string().into_bytes() }
}

/// Tells the client's person about a warning; `of` is the digest of the operation that read the file.
pub(super) fn warn(daemon: &Daemon<'_>, file: &SourceInfo, of: &str, warning: &Warning) {
    daemon.warn(&WarnRequest {
        digest: of.to_owned(),
        level: 1,
        short: warning.to_string().into_bytes(),
        detail: vec![],
        url: String::new(),
        info: Some(file.clone()),
        ranges: warning.at.map(range).into_iter().collect(),
    });
}
