//! The source of one build: the verified tree, copied, patched, with the web UI in it.

use llama_src::{NoUi, Origin, Request, SourceTree, Ui};

use crate::cmake::Layout;
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
    /// Finds the tree, or fetches it where that is allowed, and lays out the copy that is built.
    ///
    /// # Errors
    /// When there is no source, it is not the pinned one, or the copy cannot be written.
    pub fn prepare(
        layout: &Layout,
        config: &Config,
        pin: &Pin,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let request = request(config, pin);
        let report = &mut |news: llama_src::Progress<'_>| progress.news(news);
        let tree = SourceTree::prepare(&request, report)?;
        watch(&tree, &request);
        let ui = if config.features.ui { web_ui(&tree, &request, report) } else { None };
        progress.say("llama.cpp: copying the source");
        let copied = tree.copy_patched(&layout.source, ui.as_ref())?;
        for (patch, why) in &copied.skipped {
            cargo::warning(&format!(
                "LLAMA_SYS_SOURCE_DIR: {patch} does not apply and is left out: {why}"
            ));
        }
        Ok(Self { verified: tree.verified, patches: copied.applied, ui: ui.is_some() })
    }

    /// The manifest of the build that came of this source.
    #[must_use]
    pub fn manifest(
        self,
        artifacts: Artifacts,
        flags: FlagSet,
        cmake: String,
        config: &Config,
        pin: &Pin,
    ) -> Manifest {
        Manifest {
            schema: manifest::SCHEMA,
            tag: pin.tag.clone(),
            build_number: pin.build_number,
            version: pin.version.clone(),
            tree: pin.tree.clone(),
            verified: self.verified,
            patches: self.patches,
            target: config.target.to_string(),
            ui: self.ui,
            flags,
            cmake,
            artifacts,
        }
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
        ..Request::default()
    }
}

/// Has Cargo look at what can change: the pin, the patches, a tree or archive of the user's, and
/// whether there is a built web UI.
fn watch(tree: &SourceTree, request: &Request) {
    cargo::rerun_if_changed(&request.root.join("llama.cpp.toml"));
    cargo::rerun_if_changed(&request.root.join("patches"));
    match &tree.origin {
        Origin::Directory => cargo::rerun_if_changed(&tree.dir),
        Origin::Archive(path) => cargo::rerun_if_changed(path),
        Origin::Present | Origin::Mirror(_) => {}
    }
    let ui = request.root.join("ui");
    if ui.is_dir() {
        cargo::rerun_if_changed(&ui);
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
        Err(NoUi::Failed(error)) => {
            cargo::warning(&format!("llama-server is built without its web UI: {error}"));
            None
        }
    }
}
