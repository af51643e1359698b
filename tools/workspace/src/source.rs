//! The pinned source and its web UI, for commands that need them: fetched in sight of the user.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use anyhow::{Context, Result};
use llama_build::{Config, jobs};
use llama_src::{Error, NoUi, Pin, Progress, Report, Request, SourceTree, Ui};

use crate::screen::Screen;
use crate::{cargo, install, node};

/// Memory of npm when it builds the page, bytes: 3.5 GB for that of b11549, with Node.js 20 on 2 cores.
const NPM: u64 = 4 << 30;

/// What a command does on a machine on which the web UI can neither be had nor built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutPage {
    /// It says so and goes on.
    GoOn,
    /// It fails: what it makes has the page.
    Fail,
}

/// Fetches the source where it is not, and brings the web UI. With `yes` a Node.js comes where the machine has none
/// that is new enough.
///
/// # Errors
/// When the source cannot be had or is not the pinned one; without the page, as `without` says.
pub fn with_page(screen: &mut Screen, yes: bool, without: WithoutPage) -> Result<SourceTree> {
    let source = alone(screen)?;
    page(&source, request()?, yes, without, screen)?;
    Ok(source)
}

/// The same without the web UI. The whole tree is hashed, whatever its stamp says: half a second, before minutes.
///
/// # Errors
/// When the source cannot be had or is not the pinned one.
pub fn alone(screen: &mut Screen) -> Result<SourceTree> {
    let request = request()?;
    screen.step(&format!("llama.cpp {}", request.pin.tag));
    let source = SourceTree::prepare(&request, &mut |news| screen.news(news))?;
    if source.verified {
        source.check(&request.pin)?;
    }
    Ok(source)
}

/// The request that a build script would make, with the folder of web UIs that clones share: a build
/// script writes nowhere but where Cargo tells it to.
///
/// # Errors
/// When the environment's settings contradict each other.
pub fn request() -> Result<Request> {
    request_for(&Pin::load())
}

/// The same for another pin.
///
/// # Errors
/// As of [`request`].
pub fn request_for(pin: &Pin) -> Result<Request> {
    let request = llama_build::source::request(&install::config(&[])?, pin);
    let ui_cache = Some(cargo::cache().join("ui"));
    Ok(Request { ui_cache, node: node::folder(), ..request })
}

/// Makes sure that the page is there, before anything is compiled.
///
/// # Errors
/// When it is not, and `without` says so.
pub fn page(
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
        request.node = Some(node::ensure()?);
        found = prepare(&request, screen);
    }
    taken(source, found, without, &mut |news| screen.news(news))
}

/// What `work` gives, a build for `config`. It runs while the web UI is built, if memory is enough for both: it compiles
/// C++ for as long as the page is not there. Without the page it goes on.
///
/// # Errors
/// Of `work`, or when the source cannot be had.
pub fn beside_page<T>(
    screen: &mut Screen,
    config: &Config,
    yes: bool,
    work: impl FnOnce(&mut Screen) -> Result<T>,
) -> Result<T> {
    let (source, mut request) = (alone(screen)?, request()?);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    if !jobs::leave_room(config, cores, NPM, jobs::available_memory()) {
        page(&source, request, yes, WithoutPage::GoOn, screen)?;
        return work(screen);
    }
    let found = Ui::check(&source, &request);
    if matches!(found, Err(NoUi::NoNpm | NoUi::OldNode(_))) && (yes || agreed()?) {
        request.node = Some(node::ensure()?);
    }
    std::thread::scope(|scope| {
        let page = scope.spawn(|| {
            // The line that changes is that of the C++.
            let mut said = Screen::new();
            let report = &mut |news: Progress<'_>| {
                if let Progress::Say(_) = news {
                    said.news(news);
                }
            };
            let found = Ui::prepare(&source, &request, report);
            taken(&source, found, WithoutPage::GoOn, report)
        });
        let done = work(screen)?;
        page.join().expect("it does not panic")?;
        Ok(done)
    })
}

/// What became of the page.
fn taken(
    source: &SourceTree,
    found: Result<Ui, NoUi>,
    without: WithoutPage,
    report: &mut Report<'_>,
) -> Result<()> {
    match found {
        Ok(ui) => {
            if source.verified && !ui.pinned {
                let text = "the web UI that npm built differs from the page that the pin names";
                report(Progress::Say(text));
            }
            remove_old_uis(&ui.dir)
        }
        Err(error) if without == WithoutPage::Fail => Err(explain(error)),
        Err(error) => {
            report(Progress::Say(&format!("no web UI: {:#}", explain(error))));
            Ok(())
        }
    }
}

fn agreed() -> Result<bool> {
    install::agreed(&format!("cargo xtask setup --yes, which installs {}", node::what()))
}

/// The published crate carries the `ui` folder, so it must hold the current one only.
fn remove_old_uis(current: &Path) -> Result<()> {
    let Some(folder) = current.parent() else { return Ok(()) };
    for item in fs::read_dir(folder).context("cannot read the folder of web UIs")? {
        let path = item?.path();
        if path != current {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Why there is no page, with the ways to one.
pub fn explain(error: NoUi) -> anyhow::Error {
    let hint = "install Node.js for it: cargo xtask setup --yes";
    let archive = "or use an archive of the page: LLAMA_SYS_UI_ARCHIVE=/path/to/llama-ui.tar.gz";
    match error {
        NoUi::Failed(error) => error.into(),
        NoUi::OldNode(error) => error.hint(hint).hint(archive).into(),
        NoUi::NoNpm => Error::missing("npm is not installed (it builds the web UI)")
            .hint(hint)
            .hint(archive)
            .into(),
    }
}
