//! What follows from a new pin: the lock file, the tree in the vendor folder, the web page and its packages, and the
//! declarations. A step that fails is said with the command that repeats it, and the others go on.

use std::path::PathBuf;

use anyhow::Result;
use llama_src::{Pin, SourceTree};

use distribution::component;
use workspace::screen::Screen;
use workspace::source::request_for;
use workspace::{cargo, tools};

use crate::page;

/// Makes everything anew; what is left to a person.
pub(super) fn run(old: &Pin, new: &Pin, archive: PathBuf) -> Vec<String> {
    let mut to_do = Vec::new();
    let mut step = |result: Result<()>, again: &str| {
        if let Err(error) = result {
            to_do.push(format!("{again} (it failed: {error:#})"));
        }
    };
    step(lock(), "cargo update --workspace");
    match source(new, archive) {
        Ok(source) => {
            // It contains the tag, so that it is new where nothing else of it is.
            step(page::pin(new), "cargo xtask vendor --pin-ui");
            if new.ui_tree != old.ui_tree {
                let packages = component::measure::run(&source.dir, &new.ui_tree);
                step(packages, "cargo xtask vendor --web-ui-packages");
            }
        }
        Err(error) => {
            step(Err(error), "cargo xtask vendor --force && cargo xtask vendor --pin-ui");
        }
    }
    step(tools::cmd("bindings").run().map_err(Into::into), "cargo xtask bindings");
    to_do.push(format!(
        "read the advisories about llama.cpp since {}, then set `reviewed` in vendor/advisories.toml",
        old.tag
    ));
    to_do
}

/// Cargo.lock has the version of `llama-sys`, and nothing else may change in it.
fn lock() -> Result<()> {
    Ok(cargo::cargo("update").args(["--workspace", "--offline", "--quiet"]).run()?)
}

/// Puts the release into the vendor folder, proved.
fn source(pin: &Pin, archive: PathBuf) -> Result<SourceTree> {
    let mut screen = Screen::new();
    let mut request = request_for(pin)?;
    request.source_archive = Some(archive);
    Ok(SourceTree::prepare(&request, &mut |news| screen.news(news))?)
}
