//! A folder of the disk: only what an instruction names is read, and what an ignore file keeps out is not
//! there. Permissions are those that Git keeps, so that a file gives the same layer on each machine.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::digest::Digest;
use crate::executor::copy::files::{Files, folder_entry};
use crate::executor::copy::path;
use crate::executor::copy::pattern::is_pattern;
use crate::executor::copy::select::{select, walk};
use crate::executor::output::Output;
use crate::executor::place::excludes;
use crate::executor::run::{Run, Teller};
use crate::executor::{Folder, Unit};
use crate::language::ignore::Ignore;
use crate::parallel;
use crate::plan::{Context, Local};
use crate::tree::{Entry, Kind, check_path};

/// Files that are read at the same time.
const READERS: usize = 2;

/// Ignore files of a named folder, the first that is there.
const IGNORE_FILES: [&str; 2] = [".ggufpackerignore", ".dockerignore"];

/// Whether everything that the node names is there.
pub(in crate::executor) fn check(run: &Run<'_>, op: &Local) -> Result<(), Error> {
    let folder = folder_of(run, op)?;
    of_folder(&Disk::new(&folder), &folder, op).map(|_| ())
}

/// Reads what the node names.
pub(in crate::executor) fn load(
    run: &Run<'_>,
    teller: &Teller<'_>,
    op: &Local,
) -> Result<Output, Error> {
    let folder = folder_of(run, op)?;
    let disk = Disk::new(&folder);
    let files = of_folder(&disk, &folder, op)?;
    let total = files.len() as u64;
    let done = std::sync::atomic::AtomicU64::new(0);
    let read = parallel::map(&files, READERS, |path| {
        run.go_on()?;
        let added = run.store().add_file(&folder.path.join(path))?;
        let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        teller.step(path, done, Some(total), Unit::Files);
        Ok(added)
    })?;
    // What lies on the way, as links, is there too, so that sources mean the same in the tree; a file that
    // is left out is there without its content.
    let mut read = files.into_iter().zip(read).peekable();
    let entries = disk.seen.into_inner().into_iter().map(|(path, seen)| {
        let mut entry = seen.at(path);
        // Both are ordered, and what is named was looked at.
        if let Some((_, (digest, size))) = read.next_if(|(path, _)| *path == entry.path) {
            entry.kind = Kind::File { digest, size };
        } else if matches!(entry.kind, Kind::File { .. }) {
            entry.kind = Kind::Special;
        }
        entry
    });
    let mut output = Output::files(entries.collect(), false);
    // A path of a folder is one of its root.
    output.workdir = String::new();
    Ok(output)
}

/// The files of a folder that the node names.
fn of_folder(disk: &Disk<'_>, folder: &Folder, op: &Local) -> Result<Vec<String>, Error> {
    named(disk, &folder.path.display().to_string(), op, &|source| ignored(folder, source))
}

/// The files that the node names, ordered. `shown` is what errors call the folder; `why` says why a source that is not
/// there is not.
pub(crate) fn named(
    files_of: &dyn Files,
    shown: &str,
    op: &Local,
    why: &dyn Fn(&str) -> Option<Error>,
) -> Result<Vec<String>, Error> {
    let Local { sources, exclude, parents, .. } = op;
    let exclude = excludes(exclude)?;
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    let mut any = false;
    for source in sources {
        match one(files_of, source, *parents, &exclude) {
            Ok(found) => {
                any |= found.is_some();
                files.extend(found.into_iter().flatten());
            }
            Err(error) => errors.push(why(source).unwrap_or(error)),
        }
    }
    if !any && errors.is_empty() {
        let patterns = sources.join(" ");
        errors.push(Error::new(format!("nothing in {shown} matches `{patterns}`")));
    }
    if !errors.is_empty() {
        return Err(Error::all(errors));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The files of one source; nothing when a pattern names nothing.
fn one(
    disk: &dyn Files,
    source: &str,
    parents: bool,
    exclude: &Ignore,
) -> Result<Option<Vec<String>>, Error> {
    let found = select(disk, &[""], source, parents)?;
    let mut files = Vec::new();
    for found in &found {
        for (_, entry) in walk(disk, found, exclude)? {
            match entry.kind {
                Kind::File { .. } => files.push(entry.path),
                Kind::Special => return Err(special(&entry.path)),
                _ => {}
            }
        }
        for folder in path::folders(&found.path) {
            disk.look(folder)?;
        }
    }
    Ok((!found.is_empty()).then_some(files))
}

fn special(path: &str) -> Error {
    Error::new(format!("`{path}` is not a file, a folder or a link"))
        .hint(format!("exclude it: add the line `{path}` to .dockerignore"))
}

/// Says that a source is there and is only kept out.
fn ignored(folder: &Folder, source: &str) -> Option<Error> {
    let (file, path) = (folder.ignore_file.as_ref()?, path::clean(source)?);
    let there = !is_pattern(source) && folder.path.join(&path).exists();
    if there { kept_out(source, file, &folder.ignore) } else { None }
}

/// Says that the patterns of `file` keep a source out, if they do.
pub(crate) fn kept_out(source: &str, file: &str, ignore: &Ignore) -> Option<Error> {
    let path = path::clean(source)?;
    (!is_pattern(source) && ignore.excludes(&path)).then(|| {
        Error::new(format!("{file} excludes `{source}`"))
            .hint(format!("include it: add the line `!{path}` at the end of {file}"))
    })
}

fn folder_of(run: &Run<'_>, op: &Local) -> Result<Folder, Error> {
    let Some(name) = &op.context else { return Ok(run.settings.folder.clone()) };
    match run.settings.contexts.get(name) {
        Some(Context::Folder(path)) => named_folder(path),
        _ => Err(Error::new(format!("unknown build context `{name}`"))
            .hint(format!("define it: `--build-context {name}=FOLDER`"))),
    }
}

fn named_folder(folder: &Path) -> Result<Folder, Error> {
    let read = fs::metadata(folder).map_err(|e| {
        Error::io("read the folder", folder, &e)
            .hint("check the folder that --build-context NAME=FOLDER names")
    })?;
    if !read.is_dir() {
        return Err(Error::new(format!("not a folder: {}", folder.display())));
    }
    for name in IGNORE_FILES {
        let file = folder.join(name);
        if !file.is_file() {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(|e| Error::io("read", &file, &e))?;
        let shown = file.display().to_string();
        let ignore = Ignore::parse(&text, &shown).map_err(|e| Error::new(e.to_string()))?;
        return Ok(Folder { path: folder.to_owned(), ignore, ignore_file: Some(shown) });
    }
    Ok(Folder { path: folder.to_owned(), ..Folder::default() })
}

/// A folder of the disk as files; contents have no digests yet.
pub(crate) struct Disk<'a> {
    root: PathBuf,
    ignore: &'a Ignore,
    /// Everything that was looked at.
    seen: RefCell<BTreeMap<String, Seen>>,
}

/// What lies at a path.
#[derive(Debug, Clone)]
struct Seen {
    kind: Kind,
    mode: u32,
}

impl Seen {
    fn at(self, path: String) -> Entry {
        Entry { path, kind: self.kind, mode: self.mode, uid: 0, gid: 0, mtime: 0 }
    }
}

impl<'a> Disk<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Self {
        Self { root: folder.path.clone(), ignore: &folder.ignore, seen: RefCell::default() }
    }

    /// Whether an ignore file keeps it out; a folder that holds exceptions is there for them.
    fn is_out(&self, path: &str, folder: bool) -> Result<bool, Error> {
        if !self.ignore.excludes(path) {
            return Ok(false);
        }
        if !folder || !self.ignore.may_hold_exceptions(path) {
            return Ok(true);
        }
        for name in self.names(path)? {
            if self.look(&path::join(path, &name))?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Files for Disk<'_> {
    fn look(&self, path: &str) -> Result<Option<Entry>, Error> {
        if path.is_empty() {
            return Ok(Some(folder_entry("")));
        }
        if let Some(seen) = self.seen.borrow().get(path) {
            return Ok(Some(seen.clone().at(path.to_owned())));
        }
        check_path(path)
            .map_err(|why| Error::new(why).looked_in(self.root.display().to_string()))?;
        let at = self.root.join(path);
        let found = match fs::symlink_metadata(&at) {
            Ok(found) => found,
            Err(e) if is_absent(&e) => return Ok(None),
            Err(e) => return Err(Error::io("read", &at, &e)),
        };
        if self.is_out(path, found.is_dir())? {
            return Ok(None);
        }
        let kind = kind_of(&at, &found)?;
        let mode = mode_of(&found, &kind);
        let seen = Seen { kind, mode };
        self.seen.borrow_mut().insert(path.to_owned(), seen.clone());
        Ok(Some(seen.at(path.to_owned())))
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Error> {
        let at = self.root.join(path);
        let failed = |e: std::io::Error| Error::io("read the folder", &at, &e);
        let mut names = Vec::new();
        for entry in fs::read_dir(&at).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.into_string().map_err(|name| {
                let shown = at.join(name);
                Error::new(format!("the name of {} is not UTF-8", shown.display()))
                    .hint("give it another name")
            })?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn kind_of(at: &Path, found: &fs::Metadata) -> Result<Kind, Error> {
    if found.is_dir() {
        return Ok(Kind::Folder);
    }
    if found.is_file() {
        return Ok(Kind::File { digest: Digest::of(""), size: found.len() });
    }
    if !found.is_symlink() {
        return Ok(Kind::Special);
    }
    let target = fs::read_link(at).map_err(|e| Error::io("read the link", at, &e))?;
    match target.to_str() {
        Some(target) => Ok(Kind::Link { target: target.replace(std::path::MAIN_SEPARATOR, "/") }),
        None => Err(Error::new(format!("the target of the link {} is not UTF-8", at.display()))),
    }
}

#[cfg(unix)]
fn mode_of(found: &fs::Metadata, kind: &Kind) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    match kind {
        Kind::File { .. } if found.permissions().mode() & 0o100 == 0 => 0o644,
        Kind::Link { .. } => 0o777,
        _ => 0o755,
    }
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata, kind: &Kind) -> u32 {
    match kind {
        Kind::File { .. } => 0o644,
        Kind::Link { .. } => 0o777,
        _ => 0o755,
    }
}
