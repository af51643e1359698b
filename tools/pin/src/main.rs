//! `cargo xtask vendor`: fills the vendor folder, proves that it agrees with the pin, moves the pin.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use llama_src::{Patch, Pin, Progress, Request, SourceTree, subset};

use distribution::component;
use workspace::screen::Screen;
use workspace::source::{self, WithoutPage, request};
use workspace::tools;

mod page;
mod update;

use update::Ids;

const HELP: &str = "\
cargo xtask vendor: fetch and verify the pinned llama.cpp and its web UI

  --force              fetch it again and replace the present one
  --check              verify that tree, pin, patches and the crate's list of files agree
  --update <tag>       move the pin to another release, such as b12000, and write everything that follows from it
  --from <path>        with --update: read the release from this archive or folder
  --no-ui              do not touch the web UI
  --ui-archive <file>  pack the built web UI as a .tar.gz for LLAMA_SYS_UI_ARCHIVE
  --pin-ui             build the web UI with npm and write its tree id into the pin (--update does this too)
  --web-ui-packages    write the list of npm packages in the web UI (--update does this too)
";

#[derive(Debug, Default)]
struct Args {
    check: bool,
    force: bool,
    no_ui: bool,
    web_ui_packages: bool,
    pin_ui: bool,
    ui_archive: Option<PathBuf>,
    update: Option<String>,
    from: Option<PathBuf>,
}

fn main() -> ExitCode {
    tools::main(|word, args| if word == "vendor" { run(args) } else { tools::unknown(word) })
}

fn run(args: Vec<OsString>) -> Result<()> {
    let Some(args) = parse(args)? else {
        workspace::screen::print(HELP);
        return Ok(());
    };
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

fn parse(args: Vec<OsString>) -> Result<Option<Args>> {
    use lexopt::Arg::Long;
    use lexopt::ValueExt;
    let mut parser = lexopt::Parser::from_args(args);
    let mut parsed = Args::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("help") | lexopt::Arg::Short('h') => return Ok(None),
            Long("check") => parsed.check = true,
            Long("force") => parsed.force = true,
            Long("no-ui") => parsed.no_ui = true,
            Long("web-ui-packages") => parsed.web_ui_packages = true,
            Long("pin-ui") => parsed.pin_ui = true,
            Long("ui-archive") => parsed.ui_archive = Some(parser.value()?.into()),
            Long("update") => parsed.update = Some(parser.value()?.string()?),
            Long("from") => parsed.from = Some(parser.value()?.into()),
            _ => return Err(arg.unexpected().into()),
        }
    }
    ensure!(parsed.from.is_none() || parsed.update.is_some(), "--from needs --update <tag>");
    Ok(Some(parsed))
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
    let manifest = request.root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).context("cannot read vendor/Cargo.toml")?;
    let missing = |pattern: &String| !text.contains(&format!("\"{pattern}\""));
    if subset::patterns("llama.cpp").iter().any(missing) {
        wrong.push(
            "`include` in vendor/Cargo.toml differs from the list in vendor/src/subset.rs"
                .to_owned(),
        );
    }
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
