//! The pinned source and its web UI, for commands that need them: fetched in sight of the user.

use std::num::NonZero;

use anyhow::Result;
use llama_build::{Config, jobs};
use llama_src::{Error, NoUi, Pin, Progress, Report, Request, SourceTree, Ui};

use crate::built::Built;
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
    if found.is_ok() {
        Ui::remove_others(source, &request)?;
    }
    taken(source, found, without, &mut |news| screen.news(news))
}

/// What `work` builds for `config`. If npm has to build the web UI, and memory is enough for both, `work` runs meanwhile:
/// it compiles C++ for as long as the page is not there. Without the page it goes on.
///
/// # Errors
/// Of `work`, or when the source cannot be had.
pub fn beside_page(
    screen: &mut Screen,
    config: &Config,
    yes: bool,
    mut work: impl FnMut(&mut Screen) -> Result<Built>,
) -> Result<Built> {
    let (source, mut request) = (alone(screen)?, request()?);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let room = jobs::leave_room(config, cores, NPM, jobs::available_memory());
    match Ui::is_for_npm(&source, &request) {
        Err(NoUi::NoNpm | NoUi::OldNode(_)) if room => {
            if yes || agreed()? {
                request.node = Some(node::ensure()?);
            }
        }
        Ok(true) if room => {}
        _ => {
            page(&source, request, yes, WithoutPage::GoOn, screen)?;
            return work(screen);
        }
    }
    beside(screen, source, request, work)
}

fn beside(
    screen: &mut Screen,
    source: SourceTree,
    request: Request,
    mut work: impl FnMut(&mut Screen) -> Result<Built>,
) -> Result<Built> {
    // Before `work` looks at their folder, which would seem changed afterwards.
    Ui::remove_others(&source, &request)?;
    // Nobody waits for it when `work` fails: npm ends with this process.
    let page = std::thread::spawn(move || {
        // The line that changes is that of the C++.
        let mut said = Screen::new();
        let report = &mut |news: Progress<'_>| {
            if let Progress::Say(_) = news {
                said.news(news);
            }
        };
        let found = Ui::prepare(&source, &request, report);
        let is_there = found.is_ok();
        taken(&source, found, WithoutPage::GoOn, report).map(|()| is_there)
    });
    let done = work(screen)?;
    let is_there = page.join().expect("it does not panic")?;
    // Where nothing but the page is new, Cargo looked before it was there.
    if is_there && !done.has_page() { work(screen) } else { Ok(done) }
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
            Ok(())
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    /// A source, and a request whose npm runs `script` for the page.
    fn set_up(script: &str) -> (tempfile::TempDir, SourceTree, Request) {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("llama.cpp/tools/ui")).unwrap();
        std::fs::create_dir(at("llama.cpp/include")).unwrap();
        for file in ["CMakeLists.txt", "include/llama.h", "tools/ui/svelte.config.js"] {
            std::fs::write(at("llama.cpp").join(file), "").unwrap();
        }
        std::fs::write(at("llama.cpp/tools/ui/package.json"), "{}").unwrap();
        let npm = format!("#!/bin/sh\ncase \"$1\" in run) {script};; esac\n");
        std::fs::write(at("npm"), npm).unwrap();
        std::fs::set_permissions(at("npm"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let request = Request {
            root: at("vendor"),
            npm: at("npm").into(),
            source_dir: Some(at("llama.cpp")),
            ..Request::default()
        };
        let source = SourceTree::prepare(&request, &mut |_| ()).unwrap();
        (dir, source, request)
    }

    #[test]
    fn what_cargo_built_before_the_page_was_there_is_built_once_more() {
        let script = "mkdir -p dist/_app && cd dist && touch index.html manifest.webmanifest sw.js \
            build.json workbox-1.js _app/version.json _app/bundle.x.js _app/bundle.y.css";
        let (_dir, source, request) = set_up(script);
        let (root, mut pages) = (request.root.clone(), Vec::new());
        beside(&mut Screen::new(), source, request, |_| {
            pages.push(root.join("ui").exists());
            Ok(Built::default())
        })
        .unwrap();
        assert!(pages.len() == 2 && pages[1], "{pages:?}");
    }

    #[test]
    fn a_build_that_fails_does_not_wait_for_the_page() {
        let (_dir, source, request) = set_up("sleep 60");
        let began = Instant::now();
        let failed = beside(&mut Screen::new(), source, request, |_| anyhow::bail!("no compiler"));
        assert_eq!(failed.unwrap_err().to_string(), "no compiler");
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn without_a_page_nothing_is_built_once_more() {
        let (_dir, source, request) = set_up("exit 1");
        let mut builds = 0;
        beside(&mut Screen::new(), source, request, |_| {
            builds += 1;
            Ok(Built::default())
        })
        .unwrap();
        assert_eq!(builds, 1);
    }
}
