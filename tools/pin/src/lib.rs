//! `cargo xtask vendor`: fills the vendor folder, proves that it agrees with the pin, moves the pin.

#![expect(missing_docs, reason = "unpublished: names that speak need no line")]

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Parser;
use llama_src::{Patch, Pin, Progress, Request, SourceTree};

use distribution::component;
use workspace::screen::Screen;
use workspace::source::{self, WithoutPage, request};
use workspace::tools;

mod keys;
mod page;
mod update;

use update::Ids;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub enum Cli {
    #[command(about = tools::about("vendor"))]
    Vendor(Args),
}

#[derive(Debug, clap::Args)]
#[command(next_line_help = true)]
pub struct Args {
    /// Verify that tree, pin, patches and the crate's list of files agree
    #[arg(long, group = "instead")]
    check: bool,
    /// Move the pin to another release, such as b12000, and write
    /// everything that follows from it
    #[arg(long, value_name = "TAG", group = "instead", verbatim_doc_comment)]
    update: Option<String>,
    /// With --update: read the release from this archive or folder
    #[arg(long, value_name = "PATH", requires = "update")]
    from: Option<PathBuf>,
    /// Fetch llama.cpp again and replace the present one
    #[arg(long)]
    force: bool,
    /// Do not touch the web UI
    #[arg(long)]
    no_ui: bool,
    /// Pack the built web UI as a .tar.gz for LLAMA_SYS_UI_ARCHIVE
    #[arg(long, value_name = "FILE", group = "instead")]
    ui_archive: Option<PathBuf>,
    /// Build the web UI with npm and write its tree id into the pin;
    /// --update does this too
    #[arg(long, group = "instead", verbatim_doc_comment)]
    pin_ui: bool,
    /// Write the list of npm packages in the web UI; --update does this too
    #[arg(long, group = "instead")]
    web_ui_packages: bool,
}

impl Cli {
    pub fn run(self) -> Result<()> {
        let Self::Vendor(args) = self;
        if args.check {
            return check();
        }
        if args.web_ui_packages {
            return list_web_ui_packages();
        }
        if args.pin_ui {
            return page::pin(&Pin::load());
        }
        if let Some(to) = &args.ui_archive {
            return page::pack(to);
        }
        match args.update {
            Some(tag) => update::update(&tag, args.from.as_deref()),
            None => fill(args.force, !args.no_ui),
        }
    }
}

fn fill(force: bool, ui: bool) -> Result<()> {
    let (request, mut screen) = (request()?, Screen::new());
    let report = &mut |news: Progress<'_>| screen.news(news);
    let tree = if force {
        SourceTree::fetch_again(&request, report)?
    } else {
        SourceTree::prepare(&request, report)?
    };
    report(Progress::Say(&format!(
        "llama.cpp {} is in {} (from {})",
        request.pin.tag,
        tree.dir.display(),
        tree.origin
    )));
    if ui {
        source::page(&tree, request, false, WithoutPage::GoOn, &mut screen)?;
    }
    Ok(())
}

fn list_web_ui_packages() -> Result<()> {
    let request = request()?;
    let source = SourceTree::prepare(&request, &mut |_| ())?;
    component::measure::run(&source.dir, &request.pin.ui_tree)
}

/// Everything that is wrong is told at once.
fn check() -> Result<()> {
    let request = Request { offline: true, ..Request::default() };
    let mut wrong = Vec::new();
    let source = SourceTree::prepare(&request, &mut |_| ())?;
    if let Err(error) = source.check(&request.pin) {
        wrong.push(error.to_string());
    }
    let ids = Ids::of(&source.dir)?;
    // Where only the packaged part is there, the rest cannot be compared.
    if ids.tree == request.pin.tree && ids.ui != request.pin.ui_tree {
        wrong
            .push(format!("the pin's ui_tree is {}, it should be {}", request.pin.ui_tree, ids.ui));
    }
    if ids.packaged != request.pin.packaged_tree {
        let (is, should) = (&request.pin.packaged_tree, &ids.packaged);
        wrong.push(format!("the pin's packaged_tree is {is}, it should be {should}"));
    }
    if cfg!(unix) && ids.executables != request.pin.executables {
        wrong.push(format!("the pin's executables should be {:?}", ids.executables));
    }
    wrong.extend(page::check(&source, &request)?);
    wrong.extend(patch_failures(&request.root, &source.dir)?);
    if wrong.is_empty() {
        println!("llama.cpp {}: tree, pin, patches and package agree", request.pin.tag);
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

fn patch_failures(root: &Path, dir: &Path) -> Result<Vec<String>> {
    let mut files = std::collections::BTreeMap::new();
    let patches = Patch::read_all(&root.join("patches"))?;
    let results = patches.iter().map(|patch| patch.apply(dir, &mut files));
    Ok(results.filter_map(Result::err).map(|error| error.to_string()).collect())
}
