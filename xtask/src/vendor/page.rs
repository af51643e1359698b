//! The page of the pin: what is said of it there, and the archive that carries it to others.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_src::{Error, NoUi, Pin, Progress, Request, SourceTree, Ui, tree};

use super::{WithoutPage, update};
use crate::dist::archive;
use crate::screen::Screen;
use crate::setup;
use crate::toolkit::node;

/// Time of the files in an archive of the page: any will do that is always the same, and not before 1980.
const EPOCH: u64 = 1 << 30;

/// Makes sure that the page is there, before anything is compiled.
pub(super) fn ensure(
    source: &SourceTree,
    mut request: Request,
    yes: bool,
    without: WithoutPage,
    screen: &mut Screen,
) -> Result<()> {
    let prepare = |request: &Request, screen: &mut Screen| {
        Ui::prepare(source, request, &mut |news| screen.news(news))
    };
    let mut found = prepare(&request, screen);
    if matches!(found, Err(NoUi::NoNpm | NoUi::OldNode(_))) && (yes || agreed()?) {
        request.node = Some(node::ensure(screen)?);
        found = prepare(&request, screen);
    }
    match found {
        Ok(ui) => {
            if source.verified && !ui.pinned {
                let text =
                    "the web UI that npm built here is not, byte for byte, the one of the pin";
                screen.news(Progress::Say(text));
            }
            super::remove_old_uis(&ui.dir)
        }
        Err(error) if without == WithoutPage::Fail => Err(explain(error)),
        Err(error) => {
            screen.news(Progress::Say(&format!("no web UI: {:#}", explain(error))));
            Ok(())
        }
    }
}

fn agreed() -> Result<bool> {
    setup::agreed(&format!("cargo xtask setup --yes, which brings {}", node::what()))
}

/// Builds the page with npm and writes its git tree id into the pin.
pub(super) fn pin(pin: &Pin) -> Result<()> {
    let (request, mut screen) = (super::request_for(pin)?, Screen::new());
    let report = &mut |news: Progress<'_>| screen.news(news);
    let source = SourceTree::prepare(&request, report)?;
    let id = Ui::build_again(&source, &request, report).map_err(explain)?;
    let path = request.root.join("llama.cpp.toml");
    let text = fs::read_to_string(&path).context("cannot read vendor/llama.cpp.toml")?;
    let text = update::set(&text, "ui_page_tree", &format!("{id:?}"))?;
    fs::write(&path, text).context("cannot write vendor/llama.cpp.toml")?;
    println!("the page of llama.cpp {} is {id} by now", request.pin.tag);
    Ok(())
}

/// Packs the page of the pin.
pub(super) fn pack(to: &Path) -> Result<()> {
    let (request, mut screen) = (super::request()?, Screen::new());
    let report = &mut |news: Progress<'_>| screen.news(news);
    let source = SourceTree::prepare(&request, report)?;
    let ui = Ui::prepare(&source, &request, report).map_err(explain)?;
    if !ui.pinned {
        bail!(
            "{} is not the page of the pin\n  hint: after a move of the pin: cargo xtask vendor --pin-ui",
            ui.dir.display()
        );
    }
    let stem = format!("llama-ui-{}", request.pin.tag);
    let files = tree::walk(&ui.dir, &|_| true)?.into_iter().map(|entry| entry.path);
    archive::write(&ui.dir, &files.collect::<Vec<_>>(), to, &stem, EPOCH)?;
    println!("{} holds the page of llama.cpp {}", to.display(), request.pin.tag);
    Ok(())
}

/// What is wrong with the pages that are kept beside the source.
pub(super) fn check(source: &SourceTree, request: &Request) -> Result<Option<String>> {
    if !request.root.join("ui").is_dir() {
        return Ok(None);
    }
    let ui = match Ui::prepare(source, request, &mut |_| ()) {
        Ok(ui) => ui,
        Err(error) => return Ok(Some(explain(error).to_string())),
    };
    let hint = "after a move of the pin: cargo xtask vendor --pin-ui";
    let wrong = || format!("{} is not the page of the pin\n  hint: {hint}", ui.dir.display());
    Ok((!ui.pinned).then(wrong))
}

fn explain(error: NoUi) -> anyhow::Error {
    let hint = "bring a Node.js for it: cargo xtask setup --yes";
    let archive = "or take the page from an archive: LLAMA_SYS_UI_ARCHIVE=/path/to/llama-ui.tar.gz";
    match error {
        NoUi::Failed(error) => error.into(),
        NoUi::OldNode(error) => error.hint(hint).hint(archive).into(),
        NoUi::NoNpm => Error::new("npm, which builds the web UI, is not installed")
            .hint(hint)
            .hint(archive)
            .into(),
    }
}
