//! The files that an operation makes, and where they are; what has to be downloaded is so when it is read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Local;
use crate::Error;
use crate::executor;
use crate::executor::copy::path;
use crate::executor::copy::select::{Match, walk};
use crate::executor::source::local::Disk;
use crate::frontend::buildkit::locked;
use crate::frontend::listing::go_mode;
use crate::frontend::pb::{Action, ExecOp, FileAction, FileOp, Kind, Op, SourceOp, Stat};
use crate::frontend::step::{self, INPUTS, OUT, TASK, TASK_FILE, Task};
use crate::language::ignore::Ignore;
use crate::plan::{self, Http, HuggingFace};
use crate::tree::{self, Tree};

/// A file system.
#[derive(Debug, Default, Clone)]
pub(in crate::frontend) struct Root(BTreeMap<String, Lying>);

/// What lies at a path.
#[derive(Debug, Clone)]
struct Lying {
    stat: Stat,
    content: Option<Content>,
}

/// Where a file's content is.
#[derive(Debug, Clone)]
enum Content {
    Disk(PathBuf),
    /// At this address.
    Web(String),
}

impl Root {
    fn add(&mut self, stat: Stat, content: Option<Content>) {
        self.0.insert(stat.path.clone(), Lying { stat, content });
    }

    /// A file of the web: its size is known when it is here.
    fn add_remote(&mut self, path: &str, size: u64, url: &str) {
        for folder in path::folders(path) {
            self.add(stat_of(folder, &tree::Kind::Folder, 0o755), None);
        }
        let size = i64::try_from(size).unwrap_or_default();
        let stat = Stat { path: path.to_owned(), mode: 0o644, size, ..Stat::default() };
        self.add(stat, Some(Content::Web(url.to_owned())));
    }

    /// What lies in a folder.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<Stat>, Error> {
        let folder = folder.trim_matches('/');
        if !folder.is_empty() && !self.0.contains_key(folder) {
            return Err(absent(folder));
        }
        let inside = |path: &str| path.rsplit_once('/').map_or("", |(above, _)| above) == folder;
        let all = self.0.values().filter(|one| !one.stat.path.is_empty() && inside(&one.stat.path));
        let short =
            |one: &Lying| Stat { path: path::name(&one.stat.path).to_owned(), ..one.stat.clone() };
        Ok(all.map(short).collect())
    }

    /// What lies at a path.
    pub(super) fn stat(&self, path: &str) -> Result<Stat, Error> {
        let path = path.trim_matches('/');
        self.0.get(path).map(|one| one.stat.clone()).ok_or_else(|| absent(path))
    }

    /// This with `above` over it.
    fn under(mut self, above: &Self) -> Self {
        self.0.extend(above.0.iter().map(|(path, one)| (path.clone(), one.clone())));
        self
    }

    /// What is in one of its folders, or the one file that it is.
    fn inside(&self, folder: &str) -> Self {
        let folder = folder.trim_matches('/');
        let relative = |(path, one): (&String, &Lying)| {
            let rest = match path.strip_prefix(folder)? {
                "" => "",
                rest if folder.is_empty() => rest,
                rest => rest.strip_prefix('/')?,
            };
            let stat = Stat { path: rest.to_owned(), ..one.stat.clone() };
            Some((rest.to_owned(), Lying { stat, ..one.clone() }))
        };
        Self(self.0.iter().filter_map(relative).collect())
    }
}

fn absent(path: &str) -> Error {
    Error::new(format!("not found: `{path}`"))
}

fn stat_of(path: &str, kind: &tree::Kind, permissions: u32) -> Stat {
    let mut stat =
        Stat { path: path.to_owned(), mode: go_mode(kind, permissions), ..Stat::default() };
    match kind {
        tree::Kind::Link { target } => stat.linkname.clone_from(target),
        tree::Kind::File { size, .. } => stat.size = i64::try_from(*size).unwrap_or_default(),
        _ => {}
    }
    stat
}

impl Local<'_> {
    /// An output of an operation.
    pub(in crate::frontend) fn root(&self, digest: &str, index: i64) -> Result<Arc<Root>, Error> {
        let key = (digest.to_owned(), index);
        if let Some(root) = locked(&self.state.roots).get(&key) {
            return Ok(root.clone());
        }
        let op = self.op(digest)?;
        let root = Arc::new(match op.op.as_ref() {
            Some(Kind::Source(source)) => self.source(source)?,
            Some(Kind::Exec(exec)) => self.exec(&op, exec)?,
            Some(Kind::File(file)) => self.file(&op, file)?,
            Some(Kind::Merge(merge)) => {
                let mut all = Root::default();
                for input in &merge.inputs {
                    all = all.under(&*self.input(&op, input.input)?);
                }
                all
            }
            None => return Err(Error::new(format!("unsupported operation {digest}"))),
        });
        locked(&self.state.roots).insert(key, root.clone());
        Ok(root)
    }

    fn input(&self, op: &Op, index: i64) -> Result<Arc<Root>, Error> {
        let input = usize::try_from(index).ok().and_then(|index| op.inputs.get(index));
        input.map_or_else(|| Ok(Arc::default()), |input| self.root(&input.digest, input.index))
    }

    fn source(&self, source: &SourceOp) -> Result<Root, Error> {
        let (scheme, rest) = source.identifier.split_once("://").unwrap_or_default();
        match scheme {
            "local" => self.local(rest, source),
            "docker-image" | "oci-layout" => {
                let image = locked(&self.state.images).get(rest).cloned();
                let image = image.ok_or_else(|| Error::new(format!("unexpected image {rest}")))?;
                Ok(self.tree(&self.settings.store.tree(&image.layers)?))
            }
            "http" | "https" => {
                let url = &source.identifier;
                let name = url::Url::parse(url).ok();
                let name = name.and_then(|url| Some(url.path_segments()?.next_back()?.to_owned()));
                let name = name.filter(|name| !name.is_empty()).unwrap_or("__unnamed__".to_owned());
                let mut root = Root::default();
                root.add_remote(&executor::source::http::decoded(&name), 0, url);
                Ok(root)
            }
            "git" => self.repository(rest, source),
            _ => Err(Error::new(format!("unsupported source {}", source.identifier))),
        }
    }

    fn local(&self, name: &str, source: &SourceOp) -> Result<Root, Error> {
        let folder = self.folders.get(name);
        let folder = folder.ok_or_else(|| Error::new(format!("folder not found: `{name}`")))?;
        let names: Option<Vec<String>> =
            source.attrs.get("local.followpaths").and_then(|text| serde_json::from_str(text).ok());
        let mut root = Root::default();
        if source.attrs.contains_key("local.differ") {
            // The file and what goes with it.
            for name in names.unwrap_or_default() {
                let at = folder.path.join(&name);
                if let Ok(found) = fs::metadata(&at).and_then(|found| regular(&found)) {
                    let size = i64::try_from(found).unwrap_or_default();
                    let stat = Stat { path: name, mode: 0o644, size, ..Stat::default() };
                    root.add(stat, Some(Content::Disk(at)));
                }
            }
            return Ok(root);
        }
        let disk = Disk::new(folder);
        let all =
            Match { path: String::new(), name: String::new(), pivot: None, by_pattern: false };
        for (at, entry) in walk(&disk, &all, &Ignore::default())? {
            let content = matches!(entry.kind, tree::Kind::File { .. })
                .then(|| Content::Disk(folder.path.join(&at)));
            root.add(stat_of(&at, &entry.kind, entry.mode), content);
        }
        Ok(root)
    }

    /// A tree of the store.
    fn tree(&self, tree: &Tree) -> Root {
        let mut root = Root::default();
        for entry in tree.iter() {
            let content = match &entry.kind {
                tree::Kind::File { digest, .. } => {
                    Some(Content::Disk(self.settings.store.blob_path(digest)))
                }
                _ => None,
            };
            let mut stat = stat_of(&entry.path, &entry.kind, entry.mode);
            stat.uid = u32::try_from(entry.uid).unwrap_or(u32::MAX);
            stat.gid = u32::try_from(entry.gid).unwrap_or(u32::MAX);
            stat.mod_time = i64::try_from(entry.mtime).unwrap_or_default() * 1_000_000_000;
            root.add(stat, content);
        }
        root
    }

    /// The files of a plan of one source.
    fn natively(&self, op: plan::Op) -> Result<Arc<Tree>, Error> {
        let plan = step::plan_of(&[(op, vec![])]);
        executor::files(&executor::native(&plan, self.settings))
    }

    fn repository(&self, rest: &str, source: &SourceOp) -> Result<Root, Error> {
        let (_, part) = rest.split_once('#').unwrap_or((rest, ""));
        let (revision, folder) = part.split_once(':').unwrap_or((part, ""));
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let git = plan::Git {
            remote: source.attrs.get("git.fullurl").cloned().unwrap_or_default(),
            revision: some(revision),
            folder: some(folder),
            keep_git_dir: source.attrs.contains_key("git.keepgitdir"),
        };
        Ok(self.tree(&*self.natively(plan::Op::Git(git))?))
    }

    /// Where a file is on the disk, downloaded by now.
    pub(super) fn path_of(&self, root: &Root, path: &str) -> Result<PathBuf, Error> {
        let path = path.trim_matches('/');
        let lying = root.0.get(path).ok_or_else(|| absent(path))?;
        match lying.content.as_ref().ok_or_else(|| Error::new(format!("`{path}` is not a file")))? {
            Content::Disk(path) => Ok(path.clone()),
            Content::Web(url) => {
                if let Some(path) = locked(&self.state.downloads).get(url) {
                    return Ok(path.clone());
                }
                let http = Http { url: url.clone(), checksum: None, unpack: false };
                let tree = self.natively(plan::Op::Http(http))?;
                let Some(tree::Kind::File { digest, .. }) = tree.iter().next().map(|one| &one.kind)
                else {
                    return Err(Error::new(format!("{url} is not a file")));
                };
                let path = self.settings.store.blob_path(digest);
                locked(&self.state.downloads).insert(url.clone(), path.clone());
                Ok(path)
            }
        }
    }

    fn file(&self, op: &Op, file: &FileOp) -> Result<Root, Error> {
        let [FileAction { input, secondary_input, action: Some(action), .. }] = &file.actions[..]
        else {
            return Err(Error::new("unsupported: several file changes in one operation"));
        };
        match action {
            Action::Mkfile(made) => {
                let folder = tempfile::tempdir_in(self.work.path());
                let at = folder.map(|folder| folder.keep().join("file"));
                let at = at.and_then(|at| fs::write(&at, &made.data).map(|()| at));
                let at = at.map_err(|e| Error::new(format!("cannot write a file: {e}")))?;
                let mut root = Root::default();
                let size = i64::try_from(made.data.len()).unwrap_or_default();
                let path = made.path.trim_matches('/').to_owned();
                let stat = Stat { path, mode: 0o644, size, ..Stat::default() };
                root.add(stat, Some(Content::Disk(at)));
                Ok(root)
            }
            Action::Copy(copy) if !copy.attempt_unpack_docker_compatibility => {
                let from = self.input(op, *secondary_input)?.inside(&copy.src);
                Ok(Root::clone(&*self.input(op, *input)?).under(&from))
            }
            Action::Copy(_) => Err(Error::new("unsupported: a build context that is an archive")),
        }
    }

    fn exec(&self, op: &Op, exec: &ExecOp) -> Result<Root, Error> {
        let mount = |dest: &str| exec.mounts.iter().find(|mount| mount.dest == dest);
        let told = mount(TASK).map(|mount| self.input(op, mount.input)).transpose()?;
        let told = told.ok_or_else(|| Error::new("unsupported: a container without a task"))?;
        let told = self.path_of(&told, TASK_FILE)?;
        let task = step::read(&told)?;
        if let Task::Repository(wanted) = &task {
            return self.hub(wanted);
        }
        let folder = tempfile::tempdir_in(self.work.path())
            .map_err(|e| Error::new(format!("cannot create a temporary folder: {e}")))?
            .keep();
        let inside = |path: &str| folder.join(path.trim_start_matches('/'));
        let out = inside(OUT);
        fs::create_dir_all(&out).map_err(|e| Error::io("create the folder", &out, &e))?;
        lay(&told, &inside(TASK).join(TASK_FILE))?;
        for path in task.reads() {
            let place = path.strip_prefix(INPUTS).and_then(|rest| rest[1..].split_once('/'));
            let (index, file) = place.ok_or_else(|| absent(path))?;
            let mount = mount(&format!("{INPUTS}/{index}")).ok_or_else(|| absent(path))?;
            lay(&self.path_of(&*self.input(op, mount.input)?, file)?, &inside(path))?;
        }
        step::run(&folder, self.tools)?;
        scan(&out)
    }

    fn hub(&self, wanted: &HuggingFace) -> Result<Root, Error> {
        let plan = step::plan_of(&[(plan::Op::HuggingFace(wanted.clone()), vec![])]);
        let run = executor::native(&plan, self.settings);
        let mut root = Root::default();
        for (path, size, url) in executor::addresses(&run, wanted)? {
            root.add_remote(&path, size, &url);
        }
        Ok(root)
    }
}

/// The size of a regular file.
fn regular(found: &fs::Metadata) -> std::io::Result<u64> {
    if found.is_file() { Ok(found.len()) } else { Err(std::io::ErrorKind::NotFound.into()) }
}

/// Puts a file at a second place.
fn lay(from: &Path, to: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::io("write", to, &e);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    if !to.exists() && fs::hard_link(from, to).is_err() {
        reflink_copy::reflink_or_copy(from, to).map_err(failed)?;
    }
    Ok(())
}

/// The files of a folder that a step wrote. The step ran here as this user; in BuildKit it is root.
fn scan(folder: &Path) -> Result<Root, Error> {
    let mut root = Root::default();
    let mut left = vec![String::new()];
    while let Some(at) = left.pop() {
        let file = folder.join(&at);
        let failed = |e: std::io::Error| Error::io("read", &file, &e);
        let found = fs::symlink_metadata(&file).map_err(failed)?;
        let kind = if found.is_dir() {
            for entry in fs::read_dir(&file).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                left.push(path::join(&at, &name.to_string_lossy()));
            }
            tree::Kind::Folder
        } else if found.is_symlink() {
            let target = fs::read_link(&file).map_err(failed)?;
            tree::Kind::Link { target: target.to_string_lossy().into_owned() }
        } else {
            tree::Kind::File { digest: crate::digest::Digest::of(""), size: found.len() }
        };
        let mut stat = stat_of(&at, &kind, found.mode() & 0o7777);
        let root_for = |id: u32, own: u32| if id == own { 0 } else { id };
        stat.uid = root_for(found.uid(), rustix::process::geteuid().as_raw());
        stat.gid = root_for(found.gid(), rustix::process::getegid().as_raw());
        stat.mod_time = found.mtime() * 1_000_000_000;
        root.add(stat, found.is_file().then_some(Content::Disk(file)));
    }
    Ok(root)
}

#[cfg(test)]
impl Local<'_> {
    /// What an operation made, in the order of a layer, its contents in the store.
    pub(in crate::frontend) fn entries(
        &self,
        digest: &str,
        index: i64,
    ) -> Result<Vec<tree::Entry>, Error> {
        let root = self.root(digest, index)?;
        let mut entries = Vec::new();
        for (path, lying) in root.0.iter().filter(|(path, _)| !path.is_empty()) {
            let Stat { mode, uid, gid, mod_time, linkname, .. } = lying.stat.clone();
            let kind = if lying.content.is_some() {
                let (digest, size) = self.settings.store.add_file(&self.path_of(&root, path)?)?;
                tree::Kind::File { digest, size }
            } else if linkname.is_empty() {
                tree::Kind::Folder
            } else {
                tree::Kind::Link { target: linkname }
            };
            let (path, mtime) =
                (path.clone(), u64::try_from(mod_time / 1_000_000_000).unwrap_or(0));
            let (uid, gid, mode) = (uid.into(), gid.into(), mode & 0o7777);
            entries.push(tree::Entry { path, kind, mode, uid, gid, mtime });
        }
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Ok(entries)
    }
}
