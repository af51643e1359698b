//! Finds the source tree: the user's own, an archive of the user's, the one that is there, or a fetched one.

#[cfg(feature = "fetch")]
mod mirrors;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::archive::{self, Bounds};
use crate::place::{self, Lock, Staging};
use crate::stamp::{self, Stamp};
use crate::{Error, Pin, Report, tree};

/// The folder's name, in the vendor folder or a cache.
const TREE: &str = "llama.cpp";

const NO_FETCH: &str = "this build cannot download it (feature `fetch` is off)";

/// Everything that decides which tree is used.
#[derive(Debug, Clone)]
pub struct Request {
    /// The vendor folder.
    pub root: PathBuf,
    /// The release that is wanted.
    pub pin: Pin,
    /// A tree of the user's, used as it is (`LLAMA_SYS_SOURCE_DIR`).
    pub source_dir: Option<PathBuf>,
    /// A local archive of the release (`LLAMA_SYS_SOURCE_ARCHIVE`).
    pub source_archive: Option<PathBuf>,
    /// Nothing may be reached.
    pub offline: bool,
    /// The network may be used at all: the feature `fetch`.
    pub fetches: bool,
    /// Used where the vendor folder cannot be written (`LLAMA_SYS_CACHE_DIR`).
    pub cache_dir: Option<PathBuf>,
    /// Where built web UIs are kept for the user's other clones.
    pub ui_cache: Option<PathBuf>,
    /// A local archive of the built web UI (`LLAMA_SYS_UI_ARCHIVE`).
    pub ui_archive: Option<PathBuf>,
    /// The npm that builds the web UI.
    pub npm: OsString,
    /// The folder of a Node.js and its npm that are used instead of those in `PATH`.
    pub node: Option<PathBuf>,
    /// How long and how much is waited for.
    #[cfg(feature = "fetch")]
    pub limits: crate::fetch::Limits,
    /// Where source packages of Python are looked for.
    #[cfg(feature = "fetch")]
    pub pypi: crate::pypi::Settings,
}

/// A source tree to build from.
#[derive(Debug, Clone)]
pub struct SourceTree {
    /// Where it is. Never written to.
    pub dir: PathBuf,
    /// True if its content was compared with the pin.
    pub verified: bool,
    /// Where it comes from.
    pub origin: Origin,
    /// The folder of our patches.
    pub(crate) patches: PathBuf,
    /// The release and the git tree id of the part of it that is built.
    pub(crate) tag: String,
    pub(crate) packaged_tree: String,
    pub(crate) executables: Vec<String>,
}

/// Where a tree comes from, for logs and manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The user's own folder.
    Directory,
    /// The user's own archive.
    Archive(PathBuf),
    /// It was there already.
    Present,
    /// A mirror, by name.
    Mirror(String),
}

impl Default for Request {
    fn default() -> Self {
        Self {
            root: crate::root(),
            pin: Pin::load(),
            source_dir: None,
            source_archive: None,
            offline: false,
            fetches: cfg!(feature = "fetch"),
            cache_dir: None,
            ui_cache: None,
            ui_archive: None,
            npm: if cfg!(windows) { "npm.cmd" } else { "npm" }.into(),
            node: None,
            #[cfg(feature = "fetch")]
            limits: crate::fetch::Limits::default(),
            #[cfg(feature = "fetch")]
            pypi: crate::pypi::Settings::default(),
        }
    }
}

impl Request {
    /// Why nothing can be fetched, if nothing can.
    pub(crate) fn no_network(&self) -> Option<&'static str> {
        match self {
            Self { offline: true, .. } => Some("offline mode is on"),
            Self { fetches: false, .. } => Some(NO_FETCH),
            _ => None,
        }
    }

    /// Folders that can hold what we fetch and build, best first.
    pub(crate) fn homes(&self) -> Vec<PathBuf> {
        let cache = self.cache_dir.as_ref().map(|dir| dir.join(&self.pin.tag));
        std::iter::once(self.root.clone()).chain(cache).collect()
    }
}

impl SourceTree {
    /// Finds or fetches the tree; see the module's first line for the order.
    ///
    /// # Errors
    /// When there is none, or it is not the pinned one.
    pub fn prepare(request: &Request, report: &mut Report<'_>) -> Result<Self, Error> {
        if let Some(dir) = &request.source_dir {
            return own(request, dir);
        }
        if let Some(archive) = &request.source_archive {
            return from_archive(request, archive, report);
        }
        let places: Vec<_> = request.homes().iter().map(|home| home.join(TREE)).collect();
        if let Some(dir) = places.iter().find(|dir| dir.is_dir()) {
            return present(request, dir);
        }
        fetched(request, false, report)
    }

    /// Fetches the tree even if there is one, and puts it in its place.
    ///
    /// # Errors
    /// When it cannot be fetched; the old tree stays.
    pub fn fetch_again(request: &Request, report: &mut Report<'_>) -> Result<Self, Error> {
        fetched(request, true, report)
    }

    /// Hashes the tree, whatever its stamp says.
    ///
    /// # Errors
    /// When it is not the pinned one.
    pub fn check(&self, pin: &Pin) -> Result<(), Error> {
        let stamp = Stamp::hash(&self.dir, stamp::executables(&self.dir, &pin.executables))?;
        if pin.names(&stamp.tree) {
            return Ok(());
        }
        Err(another(pin, self.patches.parent(), &self.dir, &stamp.tree))
    }

    fn new(request: &Request, dir: PathBuf, verified: bool, origin: Origin) -> Self {
        let (patches, pin) = (request.root.join("patches"), &request.pin);
        let (tag, packaged_tree) = (pin.tag.clone(), pin.packaged_tree.clone());
        let executables = pin.executables.clone();
        Self { dir, verified, origin, patches, tag, packaged_tree, executables }
    }

    /// The error for a tree whose packaged part is `found`.
    pub(crate) fn changed(&self, found: &str) -> Error {
        let pinned = &self.packaged_tree;
        let what = format!(
            "wrong git tree of the packaged part: it is {found}, but the pin names {pinned}"
        );
        repairable(mismatch(&self.tag, &self.dir, what), self.patches.parent())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("the folder in LLAMA_SYS_SOURCE_DIR"),
            Self::Archive(path) => write!(f, "the archive {}", path.display()),
            Self::Present => f.write_str("the vendor folder"),
            Self::Mirror(name) => f.write_str(name),
        }
    }
}

fn own(request: &Request, dir: &Path) -> Result<SourceTree, Error> {
    for file in archive::MARKS {
        if !dir.join(file).is_file() {
            return Err(Error::usage(format!("{} is not a llama.cpp source tree", dir.display()))
                .looked_in(dir.join(file).display().to_string())
                .hint("name a checkout: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp")
                .hint("or unset LLAMA_SYS_SOURCE_DIR to build the pinned release"));
        }
    }
    Ok(SourceTree::new(request, dir.to_owned(), false, Origin::Directory))
}

fn from_archive(
    request: &Request,
    archive: &Path,
    report: &mut Report<'_>,
) -> Result<SourceTree, Error> {
    let bytes = fs::read(archive).map_err(|e| {
        Error::io("read the archive", archive, &e)
            .hint("correct LLAMA_SYS_SOURCE_ARCHIVE, or unset it")
    })?;
    let digest = tree::hex(&Sha1::digest(bytes));
    let lock = Lock::first(&request.homes(), report)?;
    let (dest, note) = (lock.dir().join(TREE), lock.dir().join(".archive.verified"));
    let origin = Origin::Archive(archive.to_owned());
    let there = Stamp::read(&dest).ok().flatten().filter(|stamp| request.pin.names(&stamp.tree));
    if there.is_some() && fs::read_to_string(&note).is_ok_and(|text| text == digest) {
        return Ok(SourceTree::new(request, dest, true, origin));
    }
    let staging = Staging::new(&lock, TREE)?;
    let part = archive::find_tree(archive, Bounds::default(), report)?;
    let tree = staging.dir().join("tree");
    let executables = archive::unpack(archive, &part, &tree, Bounds::default(), report)?;
    let stamp = Stamp::hash(&tree, Some(executables))?;
    if !request.pin.names(&stamp.tree) {
        return Err(of_another_tree(&request.pin, archive, &stamp.tree)
            .hint("name the archive of that release in LLAMA_SYS_SOURCE_ARCHIVE, or unset it")
            .hint(OWN_TREE));
    }
    if there.is_none() {
        staging.publish(&tree, &dest)?;
        stamp.write(&dest);
    }
    // Without the note the archive is checked again, which is only slower.
    let _ = place::write_whole(&note, &digest);
    Ok(SourceTree::new(request, dest, true, origin))
}

fn present(request: &Request, dir: &Path) -> Result<SourceTree, Error> {
    let stamp = match Stamp::read(dir)? {
        Some(stamp) => stamp,
        None => Stamp::hash(dir, stamp::executables(dir, &request.pin.executables))?,
    };
    if !request.pin.names(&stamp.tree) {
        return Err(another(&request.pin, Some(&request.root), dir, &stamp.tree));
    }
    if !stamp::path(dir).is_file() || Stamp::last(dir).as_ref() != Some(&stamp) {
        stamp.write(dir);
    }
    Ok(SourceTree::new(request, dir.to_owned(), true, Origin::Present))
}

const OWN_TREE: &str = "to build a changed tree: LLAMA_SYS_SOURCE_DIR=/path/to/llama.cpp";

fn another(pin: &Pin, root: Option<&Path>, at: &Path, found: &str) -> Error {
    repairable(of_another_tree(pin, at, found), root)
}

fn of_another_tree(pin: &Pin, at: &Path, found: &str) -> Error {
    let why = format!("wrong git tree: it is {found}, but the pin names {}", pin.tree);
    mismatch(&pin.tag, at, why)
}

fn mismatch(tag: &str, at: &Path, why: String) -> Error {
    Error::mismatch(format!("{} is not the released llama.cpp {tag}", at.display())).log([why])
}

fn repairable(error: Error, root: Option<&Path>) -> Error {
    let again = if root.is_some_and(crate::is_clone) {
        "download it again: cargo xtask vendor --force"
    } else {
        "remove the folder, and build with a network, which downloads it again"
    };
    error.hint(again).hint(OWN_TREE)
}

fn absent(request: &Request, why: &str) -> Error {
    let mut error = Error::missing(format!("llama.cpp {} not found, and {why}", request.pin.tag));
    for home in request.homes() {
        error = error.looked_in(home.join(TREE).display().to_string());
    }
    let fetch = if crate::is_clone(&request.root) {
        "download it: cargo xtask vendor"
    } else {
        "build once with a network and the feature `fetch`: cargo build --features llama-sys/fetch"
    };
    error
        .hint(fetch)
        .hint("or use an archive of the tag: LLAMA_SYS_SOURCE_ARCHIVE=/path/to/llama.cpp.tar.gz")
}

#[cfg(feature = "fetch")]
fn fetched(request: &Request, again: bool, report: &mut Report<'_>) -> Result<SourceTree, Error> {
    if let Some(why) = request.no_network() {
        return Err(absent(request, why));
    }
    let lock = Lock::first(&request.homes(), report)?;
    let dest = lock.dir().join(TREE);
    if !again && dest.is_dir() {
        return present(request, &dest);
    }
    let staging = Staging::new(&lock, TREE)?;
    let (tree, stamp, mirror) = mirrors::tree(request, staging.dir(), report)?;
    staging.publish(&tree, &dest)?;
    stamp.write(&dest);
    Ok(SourceTree::new(request, dest, true, Origin::Mirror(mirror)))
}

#[cfg(not(feature = "fetch"))]
fn fetched(request: &Request, _: bool, _: &mut Report<'_>) -> Result<SourceTree, Error> {
    Err(absent(request, NO_FETCH))
}
