//! A step of a build in a container of BuildKit's: this program once more, told by a file what to do. It does it as a
//! build without BuildKit does it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::convert::{Request, Watch};
use crate::digest::Digest;
use crate::executor::quantize::{arguments, failed, progress};
use crate::executor::{self, Converter, Event, Folder, Images, Tool, ToolRun};
use crate::language::instruction::{Position, QuantizeOptions};
use crate::plan::{self, HuggingFace, Node, Op, Part, Placed, Plan};
use crate::store::Store;
use crate::tree::{Kind, Tree};

/// Where a container has what a step reads, what it is told, and what it writes.
pub(super) const INPUTS: &str = "/run/in";
pub(super) const TASK: &str = "/run/task";
pub(super) const OUT: &str = "/run/out";
/// The secret with a token for Hugging Face.
pub(super) const TOKEN: &str = "HF_TOKEN";
/// The file with a commit, and the one with a task.
pub(super) const COMMIT: &str = "commit";
pub(super) const TASK_FILE: &str = "task.json";

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Writes the commit that a repository is at.
    Commit(HuggingFace),
    /// Writes the files of a repository.
    Repository(HuggingFace),
    /// Writes what is in an archive; `from` is a file of the inputs.
    Unpack { from: String },
    /// Writes what a layer has.
    Layer { entries: Vec<Made> },
}

/// Something of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) mtime: u64,
    pub(super) what: What,
}

/// What it is. Paths are those of the container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Folder,
    Link(String),
    /// A copy of this file.
    File(String),
    /// These bytes.
    Text(String),
    Quantized(Box<Quantized>),
    Converted(Box<Converted>),
}

/// A file that the quantizer makes. Names and where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Quantized {
    pub(super) options: QuantizeOptions,
    pub(super) sources: Vec<(String, String)>,
    pub(super) matrix: Option<(String, String)>,
}

/// A file that the converter makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Converted {
    pub(super) kind: String,
    pub(super) source: Checkpoint,
    pub(super) base: Option<Checkpoint>,
}

/// A folder's name, its files and where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) name: String,
    pub(super) files: Vec<(String, String)>,
}

/// What a step needs besides its task.
pub struct Tools<'a> {
    /// Runs the quantizer.
    pub tool: &'a Tool<'a>,
    /// Converts a checkpoint.
    pub converter: &'a Converter<'a>,
    /// Token for Hugging Face.
    pub token: Option<String>,
    /// Receives what a person should know.
    pub say: &'a (dyn Fn(&str) + Sync),
}

/// Does the task that a container whose root is `root` was given.
pub(crate) fn run(root: &Path, tools: &Tools<'_>) -> Result<(), Error> {
    let step = Step { root, tools };
    match &read(&step.at(TASK).join(TASK_FILE))? {
        Task::Commit(wanted) => step.commit(wanted),
        Task::Repository(wanted) => {
            let op = Op::HuggingFace(wanted.clone());
            step.files(&[(op, vec![])], Path::new("/"))
        }
        Task::Unpack { from } => step.unpack(from),
        Task::Layer { entries } => step.layer(entries),
    }
}

/// The task that a file tells.
pub(super) fn read(file: &Path) -> Result<Task, Error> {
    let text = fs::read(file).map_err(|e| Error::io("read", file, &e))?;
    serde_json::from_slice(&text)
        .map_err(|e| Error::new(format!("cannot decode the task {}: {e}", file.display())))
}

impl Task {
    /// The files of the inputs that it reads.
    pub(super) fn reads(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = Vec::new();
        match self {
            Self::Commit(_) | Self::Repository(_) => {}
            Self::Unpack { from } => paths.push(from),
            Self::Layer { entries } => {
                for made in entries {
                    match &made.what {
                        What::Folder | What::Link(_) | What::Text(_) => {}
                        What::File(from) => paths.push(from),
                        What::Quantized(wanted) => {
                            let files = wanted.sources.iter().chain(&wanted.matrix);
                            paths.extend(files.map(|(_, from)| from.as_str()));
                        }
                        What::Converted(wanted) => {
                            let folders = std::iter::once(&wanted.source).chain(&wanted.base);
                            let files = folders.flat_map(|folder| &folder.files);
                            paths.extend(files.map(|(_, from)| from.as_str()));
                        }
                    }
                }
            }
        }
        paths
    }
}

struct Step<'a> {
    root: &'a Path,
    tools: &'a Tools<'a>,
}

impl Step<'_> {
    /// A path of the container.
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn commit(&self, wanted: &HuggingFace) -> Result<(), Error> {
        let plan = plan_of(&[(Op::HuggingFace(wanted.clone()), vec![])]);
        let text = self.natively(&plan, Path::new("/"), |run| executor::commit_now(run, wanted))?;
        let file = self.at(OUT).join(COMMIT);
        fs::write(&file, text).map_err(|e| Error::io("write", &file, &e))
    }

    fn unpack(&self, from: &str) -> Result<(), Error> {
        let file = self.at(from);
        let (folder, name) = (file.parent(), file.file_name().and_then(|name| name.to_str()));
        let (Some(folder), Some(name)) = (folder, name) else {
            return Err(Error::new(format!("`{from}` is not a file")));
        };
        let sources = vec![name.to_owned()];
        let (parts, dest) = (vec![Part::Paths(sources.clone())], "/".to_owned());
        let placing = Placed::default();
        let local = plan::Local { context: None, sources, exclude: vec![], parents: false };
        let place = plan::Place { parts, dest, parents: false, unpack: true, placing };
        let nodes =
            [(Op::Scratch, vec![]), (Op::Local(local), vec![]), (Op::Place(place), vec![0, 1])];
        self.files(&nodes, folder)
    }

    /// Writes the files of the last one of these nodes.
    fn files(&self, nodes: &[(Op, Vec<usize>)], folder: &Path) -> Result<(), Error> {
        let out = self.at(OUT);
        let plan = plan_of(nodes);
        self.natively(&plan, folder, |run| {
            let tree = executor::files(run)?;
            put(&tree, run.store(), &out)
        })
    }

    /// Calls `then` with a build of `plan` whose store is in the output, from where files need no copy.
    fn natively<T>(
        &self,
        plan: &Plan,
        folder: &Path,
        then: impl FnOnce(&executor::run::Run<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let scratch = self.at(OUT).join(".gguf-packer");
        let done = {
            let store = Store::open_at(&scratch)?;
            let nothing = BTreeMap::new();
            let find = |_: &str, _: Option<&str>| Err(Error::new("a step cannot read images"));
            let layout = |_: &str, _: Option<&str>, _: Option<&str>| {
                Err(Error::new("a step cannot read images"))
            };
            let on_event = |event: Event<'_>| {
                if let Event::Note { text, .. } = event {
                    (self.tools.say)(text);
                }
            };
            let settings = executor::Settings {
                store: &store,
                file: ("", ""),
                folder: Folder { path: folder.to_owned(), ..Folder::default() },
                contexts: &nothing,
                images: Images { find: &find, layout: &layout },
                tool: self.tools.tool,
                converter: self.tools.converter,
                no_cache: false,
                source_date: None,
                token: self.tools.token.clone(),
                endpoint: endpoint_of(plan),
                on_event: &on_event,
                stop: &AtomicBool::new(false),
            };
            then(&executor::native(plan, &settings))
        };
        fs::remove_dir_all(&scratch).map_err(|e| Error::io("remove", &scratch, &e))?;
        done
    }

    fn layer(&self, entries: &[Made]) -> Result<(), Error> {
        let out = self.at(OUT);
        for made in entries {
            self.make(made, &out.join(&made.path))?;
        }
        // What is put into a folder changes its time.
        for made in entries.iter().rev() {
            finish(made, &out.join(&made.path))?;
        }
        Ok(())
    }

    fn make(&self, made: &Made, to: &Path) -> Result<(), Error> {
        match &made.what {
            What::Folder => fs::create_dir_all(to).map_err(|e| Error::io("create", to, &e)),
            What::Link(target) => symlink(target, to).map_err(|e| Error::io("create", to, &e)),
            What::Text(text) => fs::write(to, text).map_err(|e| Error::io("write", to, &e)),
            What::File(from) => {
                let from = self.at(from);
                reflink_copy::reflink_or_copy(&from, to)
                    .map(|_| ())
                    .map_err(|e| Error::io("copy", &from, &e))
            }
            What::Quantized(wanted) => self.quantize(wanted, to),
            What::Converted(wanted) => self.convert(wanted, to),
        }
    }

    fn quantize(&self, wanted: &Quantized, to: &Path) -> Result<(), Error> {
        let work = tempfile::tempdir()
            .map_err(|e| Error::new(format!("cannot create a temporary folder: {e}")))?;
        for (name, from) in &wanted.sources {
            self.lay(from, &work.path().join("in").join(name))?;
        }
        if let Some((name, from)) = &wanted.matrix {
            self.lay(from, &work.path().join("imatrix").join(name))?;
        }
        let first = wanted.sources.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let matrix = wanted.matrix.as_ref().map(|(name, _)| format!("imatrix/{name}"));
        let shown = to.display().to_string();
        let arguments =
            arguments(&wanted.options, &format!("in/{first}"), matrix.as_deref(), &shown);
        let mut lines = Vec::new();
        let mut told = 0;
        let mut on_line = |line: &str| {
            if let Some((done, total, tensor)) = progress(line) {
                // Ten lines of a log are enough.
                if done * 10 / total.max(1) > told {
                    told = done * 10 / total.max(1);
                    (self.tools.say)(&format!("{done} of {total} tensors, {tensor}"));
                }
            }
            lines.push(line.to_owned());
        };
        let (folder, stop) = (work.path(), || false);
        let run = ToolRun { folder, arguments: &arguments, on_line: &mut on_line, stop: &stop };
        (self.tools.tool)(run).map_err(|error| failed(&error, &lines, &wanted.options))?;
        if to.is_file() {
            return Ok(());
        }
        Err(failed(&Error::new("the quantizer wrote no file"), &lines, &wanted.options))
    }

    fn convert(&self, wanted: &Converted, to: &Path) -> Result<(), Error> {
        let work = tempfile::tempdir()
            .map_err(|e| Error::new(format!("cannot create a temporary folder: {e}")))?;
        let laid = |folder: &Checkpoint, name: &str| -> Result<PathBuf, Error> {
            let dir = work.path().join(name).join(&folder.name);
            fs::create_dir_all(&dir).map_err(|e| Error::io("create the folder", &dir, &e))?;
            for (name, from) in &folder.files {
                self.lay(from, &dir.join(name))?;
            }
            Ok(dir)
        };
        let dir = laid(&wanted.source, "in")?;
        let base = wanted.base.as_ref().map(|base| laid(base, "base")).transpose()?;
        let request = Request { dir: &dir, out: to, kind: &wanted.kind, base: base.as_deref() };
        let mut watch = Watch {
            step: &mut |_, _| (),
            note: &mut |text| (self.tools.say)(text),
            stop: &|| false,
        };
        (self.tools.converter)(&request, &mut watch).map(|_| ())
    }

    /// Makes a file of the container one of a folder.
    fn lay(&self, from: &str, to: &Path) -> Result<(), Error> {
        let folder = to.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
        symlink(self.at(from), to).map_err(|e| Error::io("create", to, &e))
    }
}

/// Owner, permissions and time.
fn finish(made: &Made, to: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("change", to, &e);
    let number =
        |id: u64| u32::try_from(id).map_err(|_| Error::new(format!("invalid user ID {id}")));
    // Who is not root owns what he makes.
    if (made.uid, made.gid) != (0, 0) {
        lchown(to, Some(number(made.uid)?), Some(number(made.gid)?)).map_err(failed)?;
    }
    let time =
        rustix::fs::Timespec { tv_sec: i64::try_from(made.mtime).unwrap_or(i64::MAX), tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    if !matches!(made.what, What::Link(_)) {
        fs::set_permissions(to, fs::Permissions::from_mode(made.mode)).map_err(failed)?;
    }
    rustix::fs::utimensat(rustix::fs::CWD, to, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| failed(e.into()))
}

/// Writes the files of `tree`; their contents move out of the store.
fn put(tree: &Tree, store: &Store, out: &Path) -> Result<(), Error> {
    let mut placed: HashMap<Digest, PathBuf> = HashMap::new();
    for entry in tree.iter() {
        let to = out.join(&entry.path);
        let failed = |e: std::io::Error| Error::io("write", &to, &e);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        match &entry.kind {
            Kind::Folder => fs::create_dir_all(&to).map_err(failed)?,
            Kind::Link { target } => symlink(target, &to).map_err(failed)?,
            Kind::File { digest, .. } => {
                match placed.get(digest) {
                    Some(first) => fs::copy(first, &to).map(|_| ()).map_err(failed)?,
                    None => fs::rename(store.blob_path(digest), &to).map_err(failed)?,
                }
                placed.entry(*digest).or_insert_with(|| to.clone());
                let writable = fs::Permissions::from_mode(entry.mode);
                fs::set_permissions(&to, writable).map_err(failed)?;
            }
            Kind::Whiteout | Kind::Opaque | Kind::Special => {}
        }
    }
    Ok(())
}

/// A plan of these nodes, whose result is the last one.
pub(super) fn plan_of(nodes: &[(Op, Vec<usize>)]) -> Plan {
    let node = |(op, inputs): &(Op, Vec<usize>)| Node {
        name: Digest::of(format!("{op:?}")),
        op: op.clone(),
        inputs: inputs.clone(),
        at: Position { line: 0, column: 0 },
        text: String::new(),
    };
    let nodes: Vec<Node> = nodes.iter().map(node).collect();
    let result = nodes.len() - 1;
    Plan { nodes, result, command: None, labels: Vec::new() }
}

/// The server that the plan's repository is on: the token is for it.
fn endpoint_of(plan: &Plan) -> Option<String> {
    plan.nodes.iter().find_map(|node| match &node.op {
        Op::HuggingFace(wanted) => Some(wanted.repository.endpoint.clone()),
        _ => None,
    })
}
