//! The web UI: kept by content beside the source and for the user's other clones, taken from an archive that the pin
//! proves, or built from the tree's `tools/ui`. Without it the server works, so the caller turns what goes wrong here into
//! one warning.

mod mirror;
mod npm;
mod page;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::place::{self, Lock, Staging};
use crate::{Error, Progress, Report, Request, SourceTree, tree};

/// A web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// The folder with `index.html`; goes into `tools/ui/dist` of the copy that is built.
    pub dir: PathBuf,
    /// Whether it is the page of the pin, byte for byte; otherwise it was built here.
    pub pinned: bool,
}

/// Why there is no web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoUi {
    /// There is no copy of it to be had, and npm is not installed.
    NoNpm,
    /// There is no copy of it to be had, and the Node.js that is installed is too old to build it.
    OldNode(Error),
    /// It could not be built.
    Failed(Error),
}

impl From<Error> for NoUi {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A page that is looked for: its name, and what proves it.
struct Wanted<'a> {
    name: String,
    request: &'a Request,
    /// Whether the source is the pinned one, so that the pin knows the page.
    pinned: bool,
}

impl Ui {
    /// Whether the web UI of `tree` is kept, so that [`Self::prepare`] takes no time.
    #[must_use]
    pub fn is_kept(tree: &SourceTree, request: &Request) -> bool {
        Wanted::new(tree, request).is_ok_and(|wanted| wanted.kept(&mut |_| ()).is_some())
    }

    /// Whether npm will build the web UI of `tree`: it is not kept, and no archive of it is named.
    ///
    /// # Errors
    /// When npm cannot build it.
    pub fn is_for_npm(tree: &SourceTree, request: &Request) -> Result<bool, NoUi> {
        let (wanted, quiet) = (Wanted::new(tree, request)?, &mut |_: Progress<'_>| ());
        let is_here = wanted.kept(quiet).is_some() || wanted.shared(quiet).is_some();
        if is_here || mirror::is_named(&wanted) || request.no_network().is_some() {
            return Ok(false);
        }
        npm::check(request).map(|()| true)
    }

    /// Removes the web UIs of other sources that are kept where that of `tree` belongs. For a source of the user's own it
    /// leaves them: the next build may be of the pinned one.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn remove_others(tree: &SourceTree, request: &Request) -> Result<(), Error> {
        let name = name(tree, request)?;
        let folders = request.homes().into_iter().filter(|_| tree.verified);
        let entries = folders.flat_map(|home| home.join("ui").read_dir().into_iter().flatten());
        let others = entries.flatten().filter(|entry| entry.file_name() != *name);
        others.map(|other| other.path()).try_for_each(|other| place::remove(&other))
    }

    /// The web UI of `tree`: the kept one, a copy, or a new one.
    ///
    /// # Errors
    /// When there is none and none can be built.
    pub fn prepare(
        tree: &SourceTree,
        request: &Request,
        report: &mut Report<'_>,
    ) -> Result<Self, NoUi> {
        let wanted = Wanted::new(tree, request)?;
        if let Some(ui) = wanted.kept(report) {
            return Ok(ui);
        }
        let waits = &mut |_: Progress<'_>| {
            report(Progress::Say("waiting for the web UI, which another process is building"));
        };
        let lock = Lock::first(&request.homes(), waits)?;
        // It may have built it with a Node.js that this one does not know.
        if let Some(ui) = wanted.kept(&mut |_| ()) {
            return Ok(ui);
        }
        let shared = wanted.shared(report);
        let staging = Staging::new(&lock, "ui")?;
        let dist = staging.dir().join("dist");
        wanted.bring(tree, shared.as_deref(), &dist, lock.dir(), report)?;
        page::validate(&dist)?;
        let id = page::id(&dist)?;
        let dir = lock.dir().join("ui").join(&wanted.name);
        staging.publish(&dist, &dir)?;
        let pinned = wanted.is_pinned(&id);
        if !pinned {
            page::note(lock.dir(), &wanted.name, &id);
        }
        if let (None, Some(cache)) = (shared, &request.ui_cache) {
            // Without it another clone brings its own, which is only slower.
            let _ = share(&dir, cache, &wanted.name, (!pinned).then_some(&id), report);
        }
        Ok(Self { dir, pinned })
    }

    /// Builds the web UI of `tree` with npm, whatever there is already, and tells its git tree id: what a pin says of it.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn build_again(
        tree: &SourceTree,
        request: &Request,
        report: &mut Report<'_>,
    ) -> Result<String, NoUi> {
        npm::check(request)?;
        let lock = Lock::first(&request.homes(), report)?;
        let staging = Staging::new(&lock, "ui")?;
        let dist = staging.dir().join("dist");
        npm::build(tree, request, &name(tree, request)?, &dist, lock.dir(), report)?;
        page::validate(&dist)?;
        Ok(page::id(&dist)?)
    }
}

impl<'a> Wanted<'a> {
    fn new(tree: &SourceTree, request: &'a Request) -> Result<Self, Error> {
        Ok(Self { name: name(tree, request)?, request, pinned: tree.verified })
    }

    fn is_pinned(&self, id: &str) -> bool {
        self.pinned && id == self.request.pin.ui_page_tree
    }

    /// The page in one of our own folders.
    fn kept(&self, report: &mut Report<'_>) -> Option<Ui> {
        let homes = self.request.homes().into_iter();
        let mut found = homes.map(|home| (home.join("ui").join(&self.name), home));
        found.find_map(|(dir, home)| self.proved(&dir, &home, report))
    }

    /// The page in the folder that the user's clones share.
    fn shared(&self, report: &mut Report<'_>) -> Option<PathBuf> {
        let cache = self.request.ui_cache.as_ref().filter(|dir| place::check_owner(dir).is_ok())?;
        Some(self.proved(&cache.join(&self.name), cache, report)?.dir)
    }

    /// The page in `dir` if it is the pinned one or, by the note in `home`, the one that was built here; says so of one
    /// that is neither.
    fn proved(&self, dir: &Path, home: &Path, report: &mut Report<'_>) -> Option<Ui> {
        if page::validate(dir).is_err() {
            return None;
        }
        let id = page::id(dir).ok()?;
        let pinned = self.is_pinned(&id);
        if pinned || page::noted(home, &self.name).is_some_and(|noted| noted == id) {
            return Some(Ui { dir: dir.to_owned(), pinned });
        }
        let text = format!("ignored {}: it was changed after it was built", dir.display());
        report(Progress::Say(&text));
        None
    }

    /// Fills `dist`.
    fn bring(
        &self,
        tree: &SourceTree,
        shared: Option<&Path>,
        dist: &Path,
        home: &Path,
        report: &mut Report<'_>,
    ) -> Result<(), NoUi> {
        if let Some(shared) = shared {
            return Ok(page::copy(shared, dist, &|_| true)?);
        }
        if mirror::is_named(self) && mirror::fetch(self, dist, report)? {
            return Ok(());
        }
        // npm fetches hundreds of packages.
        if let Some(why) = self.request.no_network() {
            let again = again(self.request);
            let hint = if self.request.fetches {
                format!("fetch it on a machine with a network: {again}")
            } else if crate::is_clone(&self.request.root) {
                format!("fetch it: {again}")
            } else {
                "add the feature `fetch`: cargo build --features llama-sys/fetch".to_owned()
            };
            return Err(Error::missing(format!("web UI not found, and {why}"))
                .hint(hint)
                .hint("or use an archive of it: LLAMA_SYS_UI_ARCHIVE=/path/to/llama-ui.tar.gz")
                .into());
        }
        npm::check(self.request)?;
        Ok(npm::build(tree, self.request, &self.name, dist, home, report)?)
    }
}

/// The name under which the UI is kept: everything that decides what it looks like.
fn name(source: &SourceTree, request: &Request) -> Result<String, Error> {
    let id = if source.verified {
        request.pin.ui_tree.clone()
    } else {
        let dir = source.dir.join("tools/ui");
        tree::id(&dir, &tree::walk(&dir, &npm::is_source)?, None)?
    };
    Ok(format!("{}-{}", request.pin.tag, &id[..12]))
}

/// What brings the page, where this is.
fn again(request: &Request) -> &'static str {
    if crate::is_clone(&request.root) { "cargo xtask vendor" } else { "build again" }
}

/// Keeps the page `dir` for the user's other clones; `id` where no pin knows it.
fn share(
    dir: &Path,
    cache: &Path,
    name: &str,
    id: Option<&String>,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let lock = Lock::acquire_cache(cache, report).map_err(|e| Error::io("write", cache, &e))?;
    let staging = Staging::new(&lock, name)?;
    let dist = staging.dir().join("dist");
    page::copy(dir, &dist, &|_| true)?;
    staging.publish(&dist, &cache.join(name))?;
    if let Some(id) = id {
        page::note(cache, name, id);
    }
    Ok(())
}

/// Another folder for the programs that `PATH` names, before the others.
pub(crate) fn path_with(first: Option<&PathBuf>) -> Option<OsString> {
    let first = first?;
    #[expect(clippy::disallowed_methods, reason = "where a user's programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.clone()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).ok()
}

#[cfg(test)]
#[path = "ui_tests.rs"]
mod tests;
