//! The page of the pin: what is said of it there, and the archive that carries it to others.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use llama_src::Error;
use llama_src::{Pin, Progress, Request, SourceTree, Ui, tree};

use crate::keys;
use distribution::dist::archive;
use workspace::screen::Screen;
use workspace::source::{self, explain};

/// Time of the files in an archive of the page: any will do that is always the same, and not before 1980.
const EPOCH: u64 = 1 << 30;

/// Builds the page with npm and writes its git tree id into the pin.
pub(crate) fn pin(pin: &Pin) -> Result<()> {
    let (request, mut screen) = (source::request_for(pin)?, Screen::new());
    let report = &mut |news: Progress<'_>| screen.news(news);
    let source = SourceTree::prepare(&request, report)?;
    let id = Ui::build_again(&source, &request, report).map_err(explain)?;
    let path = request.root.join("llama.cpp.toml");
    let text = fs::read_to_string(&path).context("cannot read vendor/llama.cpp.toml")?;
    let text = keys::set(&text, "ui_page_tree", &format!("{id:?}"))?;
    fs::write(&path, text).context("cannot write vendor/llama.cpp.toml")?;
    println!("the page of llama.cpp {} now is {id}", request.pin.tag);
    Ok(())
}

/// Packs the page of the pin.
pub(crate) fn pack(to: &Path) -> Result<()> {
    let (request, mut screen) = (source::request()?, Screen::new());
    let report = &mut |news: Progress<'_>| screen.news(news);
    let source = SourceTree::prepare(&request, report)?;
    let ui = Ui::prepare(&source, &request, report).map_err(explain)?;
    if !ui.pinned {
        bail!(of_another_pin(&ui));
    }
    let stem = format!("llama-ui-{}", request.pin.tag);
    let files = tree::walk(&ui.dir, &|_| true)?.into_iter().map(|entry| entry.path);
    archive::write(&ui.dir, &files.collect::<Vec<_>>(), to, &stem, EPOCH)?;
    println!("wrote the page of llama.cpp {1} to {0}", to.display(), request.pin.tag);
    Ok(())
}

/// What is wrong with the pages that are kept beside the source.
pub(crate) fn check(source: &SourceTree, request: &Request) -> Result<Option<String>> {
    if !request.root.join("ui").is_dir() {
        return Ok(None);
    }
    let ui = match Ui::prepare(source, request, &mut |_| ()) {
        Ok(ui) => ui,
        Err(error) => return Ok(Some(explain(error).to_string())),
    };
    Ok((!ui.pinned).then(|| of_another_pin(&ui).to_string()))
}

fn of_another_pin(ui: &Ui) -> Error {
    Error::mismatch(format!("{} is not the page that the pin names", ui.dir.display()))
        .hint("after moving the pin: cargo xtask vendor --pin-ui")
}
