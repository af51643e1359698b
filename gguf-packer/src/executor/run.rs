//! One build: what all its nodes share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Instant, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::digest::Digest;
use crate::language::instruction::Position;
use crate::plan::{Node, Plan};
use crate::store::Store;
use crate::tree::{Entry, Kind};

use super::web::Web;
use super::{Event, Material, Settings, Unit};
use crate::process::stopped;

/// Least time between two steps that are told, in milliseconds.
const TICK: u128 = 50;

pub(crate) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(crate) settings: &'a Settings<'a>,
    /// Some node failed: the others end.
    pub(super) failed: AtomicBool,
    web: OnceLock<Web>,
    /// What each node brought or made.
    pub(super) materials: Mutex<BTreeMap<usize, Material>>,
    /// The commit that a branch or tag was, or the digest of what an address sent.
    pub(super) pins: Mutex<BTreeMap<usize, String>>,
    /// Time of what is made now.
    pub(super) now: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a Plan, settings: &'a Settings<'a>) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = settings.source_date.unwrap_or(since.map_or(0, |since| since.as_secs()));
        let (materials, pins) = (Mutex::default(), Mutex::default());
        let (failed, web) = (AtomicBool::new(false), OnceLock::new());
        Self { plan, settings, failed, web, materials, pins, now }
    }

    /// Whether the store has the content of an entry that was remembered.
    pub(crate) fn has_content(&self, entry: &Entry) -> bool {
        match &entry.kind {
            Kind::File { digest, size } => self.store().blob_size(digest) == Some(*size),
            _ => true,
        }
    }

    pub(crate) fn store(&self) -> &'a Store {
        self.settings.store
    }

    /// Modification time of what is made.
    pub(super) fn mtime(&self) -> u64 {
        self.settings.source_date.unwrap_or(0)
    }

    /// The client for the web, made when it is first needed.
    pub(super) fn web(&self) -> Result<&Web, Error> {
        if let Some(web) = self.web.get() {
            return Ok(web);
        }
        let web = Web::new()?;
        Ok(self.web.get_or_init(|| web))
    }

    /// What was remembered for `key`, unless everything is to be done again.
    pub(super) fn remembered<T: DeserializeOwned>(&self, key: &Digest) -> Option<T> {
        if self.settings.no_cache {
            return None;
        }
        serde_json::from_slice(&self.store().remembered(key)?).ok()
    }

    pub(super) fn remember<T: Serialize>(&self, key: &Digest, value: &T) -> Result<(), Error> {
        let json = serde_json::to_vec(value).expect("data without maps that can fail");
        self.store().remember(key, &json)
    }

    /// An error once the build is to end.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        if self.is_stopped() { Err(stopped()) } else { Ok(()) }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.settings.stop.load(Ordering::Relaxed)
    }

    /// `error` with the place of the instruction that it is about.
    pub(super) fn locate(&self, node: &Node, error: &Error) -> Error {
        located(self.settings.file, node.at, &node.text, error)
    }

    /// Where the instruction with this text stands, the first one.
    pub(crate) fn place_of(&self, text: &str) -> Option<Position> {
        self.plan.nodes.iter().find(|node| node.text == text).map(|node| node.at)
    }

    /// Tells about the node `index`.
    pub(super) fn teller(&self, index: usize) -> Teller<'_> {
        Teller { run: self, index, last: Mutex::new(None) }
    }
}

/// `error` with the place of the instruction that it is about, in the file with this name and text, and with its first
/// line: as it is written, or else `instruction`.
pub(crate) fn located(
    (file, text): (&str, &str),
    at: Position,
    instruction: &str,
    error: &Error,
) -> Error {
    // A step that BuildKit runs has no place of its own.
    if at.line == 0 {
        return error.clone();
    }
    let shown = match text.lines().nth(at.line - 1) {
        Some(line) => format!("{} | {}", at.line, shortened(line.trim())),
        None => format!("| {}", shortened(instruction)),
    };
    let error = error.to_string();
    let (what, rest) = error.split_once('\n').unwrap_or((&error, ""));
    let line = format!("{file}:{}:{}: {what}\n  {shown}", at.line, at.column);
    Error::new(if rest.is_empty() { line } else { format!("{line}\n{rest}") })
}

/// The key of what is remembered: a kind of result and what it is made of.
pub(super) fn key<T: Serialize>(kind: &str, of: &T) -> Digest {
    let mut hasher = Sha256::new();
    serde_json::to_writer(&mut hasher, &(kind, of)).expect("data without maps that can fail");
    Digest::finish(hasher)
}

fn shortened(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
    if line.len() == text.len() { line } else { format!("{line}…") }
}

/// Tells what a node does.
pub(crate) struct Teller<'a> {
    run: &'a Run<'a>,
    index: usize,
    last: Mutex<Option<Instant>>,
}

impl Teller<'_> {
    pub(super) fn tell(&self, event: Event<'_>) {
        (self.run.settings.on_event)(event);
    }

    pub(super) fn started(&self, text: &str) {
        self.tell(Event::Started { node: self.index, text });
    }

    pub(super) fn done(&self, cached: bool) {
        self.tell(Event::Done { node: self.index, cached });
    }

    /// Keeps for the provenance which commit, or which digest, was taken.
    pub(super) fn took(&self, pin: &str) {
        let mut pins = self.run.pins.lock().expect("no one panics while it is locked");
        pins.insert(self.index, pin.to_owned());
    }

    /// Keeps for the provenance what was made.
    pub(super) fn made(&self, material: Material) {
        let mut materials = self.run.materials.lock().expect("no one panics while it is locked");
        materials.insert(self.index, material);
    }

    pub(super) fn note(&self, text: &str) {
        self.tell(Event::Note { node: self.index, text });
    }

    /// One step further; of many in a short time only some are told, the last one always.
    pub(super) fn step(&self, item: &str, done: u64, total: Option<u64>, unit: Unit) {
        let mut last = self.last.lock().expect("no one panics while it is locked");
        let soon = last.is_some_and(|last| last.elapsed().as_millis() < TICK);
        if soon && total != Some(done) {
            return;
        }
        *last = Some(Instant::now());
        drop(last);
        self.tell(Event::Step { node: self.index, item, done, total, unit });
    }
}
