//! The source of one build: the verified tree, copied, patched, with the web UI in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use llama_src::{NoUi, Origin, Request, SourceTree, Ui};

use crate::feature::Feature;
use crate::layout::Layout;
use crate::progress::Progress;
use crate::{Artifacts, Config, Error, FlagSet, Manifest, Pin, cargo, manifest};

/// What a build was made from.
#[derive(Debug)]
pub struct Source {
    verified: bool,
    patches: Vec<String>,
    ui: bool,
}

impl Source {
    /// Finds the tree, or fetches it where that is allowed, and lays out the copy that is built. Where the web UI is not
    /// kept, `before_page` gets the copy without it first: `cargo xtask` may be building the page meanwhile.
    ///
    /// # Errors
    /// When there is no source, it is not the pinned one, the copy cannot be written, or `before_page` fails.
    pub fn prepare(
        layout: &Layout,
        config: &Config,
        pin: &Pin,
        progress: &Progress,
        before_page: impl FnOnce() -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (request, started) = (request(config, pin), SystemTime::now());
        let report = &mut |news: llama_src::Progress<'_>| progress.news(news);
        let tree = SourceTree::prepare(&request, report)?;
        watch(&tree, &request, config.features.has(Feature::Ui));
        let mut ui = None;
        if config.features.has(Feature::Ui) {
            // Another tree than the pinned one may lack the targets.
            if tree.verified && !Ui::is_kept(&tree, &request) {
                tree.copy_patched(&layout.source, None)?;
                before_page()?;
            }
            ui = web_ui(&tree, &request, report);
        }
        seem_older(&pages(&request), started);
        progress.say("llama.cpp: copying the source");
        let copied = tree.copy_patched(&layout.source, ui.as_ref())?;
        for (patch, why) in &copied.skipped {
            cargo::warning(&format!(
                "LLAMA_SYS_SOURCE_DIR: skipped {patch}, which does not apply: {why}"
            ));
        }
        Ok(Self { verified: tree.verified, patches: copied.applied, ui: ui.is_some() })
    }

    /// The manifest of the build that came of this source.
    ///
    /// # Errors
    /// When a file of the build cannot be read.
    pub fn manifest(
        self,
        artifacts: Artifacts,
        flags: FlagSet,
        cmake: String,
        config: &Config,
        pin: &Pin,
    ) -> Result<Manifest, Error> {
        Ok(Manifest {
            schema: manifest::SCHEMA,
            tag: pin.tag.clone(),
            build_number: pin.build_number,
            version: pin.version.clone(),
            tree: pin.tree.clone(),
            verified: self.verified,
            patches: self.patches,
            patches_tree: manifest::patches_tree(&llama_src::root())?,
            target: config.target.to_string(),
            ui: self.ui,
            flags,
            cmake,
            files: artifacts.files()?,
            artifacts,
        })
    }
}

/// What the environment says about the source.
#[must_use]
pub fn request(config: &Config, pin: &Pin) -> Request {
    let overrides = &config.overrides;
    Request {
        pin: pin.clone(),
        source_dir: overrides.source_dir.clone(),
        source_archive: overrides.source_archive.clone(),
        offline: overrides.offline,
        cache_dir: overrides.cache_dir.clone(),
        ui_archive: overrides.ui_archive.clone(),
        ..Request::default()
    }
}

/// Has Cargo look at what can change: the pin, the patches, a tree or archive of the user's, and
/// with `ui` the web UI.
fn watch(tree: &SourceTree, request: &Request, ui: bool) {
    cargo::rerun_if_changed(&request.root.join("llama.cpp.toml"));
    cargo::rerun_if_changed(&request.root.join("patches"));
    match &tree.origin {
        Origin::Directory => cargo::rerun_if_changed(&tree.dir),
        Origin::Archive(path) => cargo::rerun_if_changed(path),
        Origin::Present | Origin::Mirror(_) => {}
    }
    if !ui {
        return;
    }
    if let Some(archive) = &request.ui_archive {
        cargo::rerun_if_changed(archive);
    }
    // Cargo would build again each time for want of a folder that is not there; an empty one shows what comes into it.
    let ui = pages(request);
    if ui.is_dir() || std::fs::create_dir(&ui).is_ok() {
        cargo::rerun_if_changed(&ui);
    }
}

/// Where web UIs are kept.
fn pages(request: &Request) -> PathBuf {
    request.root.join("ui")
}

/// Gives what was put into `path` since `started` an older time: what a build brought itself is no reason for Cargo to
/// build again. What keeps its time is only built once more.
fn seem_older(path: &Path, started: SystemTime) {
    let Ok(meta) = path.symlink_metadata() else { return };
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten();
    inside.for_each(|entry| seem_older(&entry.path(), started));
    let older = started - Duration::from_secs(10);
    if meta.modified().is_ok_and(|time| time > older) && !meta.is_symlink() {
        let _ = std::fs::File::open(path).and_then(|file| file.set_modified(older));
    }
}

fn web_ui(tree: &SourceTree, request: &Request, report: &mut llama_src::Report<'_>) -> Option<Ui> {
    match Ui::prepare(tree, request, report) {
        Ok(ui) => Some(ui),
        Err(NoUi::NoNpm) => {
            let again = if llama_src::is_clone(&request.root) {
                "run `cargo xtask vendor`"
            } else {
                "build again"
            };
            cargo::warning(&format!(
                "llama-server is built without its web UI: npm is not installed; install it \
                 (apt-get install npm | dnf install npm | brew install node | pacman -S npm | \
                 winget install OpenJS.NodeJS) and {again}, or build without the feature `ui`",
            ));
            None
        }
        Err(NoUi::Failed(error) | NoUi::OldNode(error)) => {
            cargo::warning(&format!("llama-server is built without its web UI: {error}"));
            None
        }
    }
}
