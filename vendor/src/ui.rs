//! The web UI: built once from the tree's `tools/ui` with npm, in a copy, and kept by content beside the
//! source, and for the user's other clones if the request names a folder. Without it the server works, so
//! the caller turns what goes wrong here into one warning.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::place::{Lock, Staging};
use crate::sh::Cmd;
use crate::{Error, Progress, Report, Request, SourceTree, tree};

/// A built web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// The folder with `index.html`; goes into `tools/ui/dist` of the copy that is built.
    pub dir: PathBuf,
}

/// Why there is no web UI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoUi {
    /// npm is not installed.
    NoNpm,
    /// It could not be built.
    Failed(Error),
}

/// Oldest Node.js that the pinned Vite takes (`engines` in `tools/ui/package-lock.json`).
const NODE: (u32, u32) = (20, 19);

/// `npm ci` and the build take two minutes on two cores.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Files that the page needs, as upstream's `scripts/ui-assets.cmake` checks them: (start, end) of the name.
const ASSETS: &[(&str, &str)] = &[
    ("index", ".html"),
    ("manifest", ".webmanifest"),
    ("sw", ".js"),
    ("build", ".json"),
    ("version", ".json"),
    ("bundle", ".js"),
    ("bundle", ".css"),
    ("workbox", ".js"),
];

impl From<Error> for NoUi {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Ui {
    /// The web UI of `tree`: the kept one, or a new one.
    ///
    /// # Errors
    /// When there is none and none can be built.
    pub fn prepare(
        tree: &SourceTree,
        request: &Request,
        report: &mut Report<'_>,
    ) -> Result<Self, NoUi> {
        let name = name(tree, request)?;
        if let Some(ui) = kept(request, &name) {
            return Ok(ui);
        }
        let shared = request.ui_cache.as_ref().map(|cache| cache.join(&name));
        let found = shared.as_ref().filter(|dir| validate(dir).is_ok());
        if found.is_none() && request.offline {
            return Err(Error::new("the web UI is not built yet, and offline mode is on")
                .hint(format!("build it with a network: {}", again(request)))
                .into());
        }
        if found.is_none() {
            check_npm(request)?;
        }
        let lock = Lock::first(&request.homes(), report)?;
        // Another process may have built it while this one waited.
        if let Some(ui) = kept(request, &name) {
            return Ok(ui);
        }
        let staging = Staging::new(&lock, "ui")?;
        let dist = if let Some(shared) = found {
            let dist = staging.dir().join("dist");
            copy(shared, &dist, &|_| true)?;
            dist
        } else {
            let log = lock.dir().join(".ui.log");
            build(tree, request, &name, staging.dir(), &log, report)?
        };
        validate(&dist)?;
        let dir = lock.dir().join("ui").join(&name);
        staging.publish(&dist, &dir)?;
        if let (None, Some(cache)) = (found, &request.ui_cache) {
            // Without it another clone builds its own, which is only slower.
            let _ = share(&dir, cache, &name, report);
        }
        Ok(Self { dir })
    }
}

/// The name under which the UI is kept: everything that decides what it looks like.
fn name(source: &SourceTree, request: &Request) -> Result<String, Error> {
    let id = if source.verified {
        request.pin.ui_tree.clone()
    } else {
        let dir = source.dir.join("tools/ui");
        tree::id(&dir, &tree::walk(&dir, &is_source)?, None)?
    };
    Ok(format!("{}-{}", request.pin.tag, &id[..12]))
}

/// False for what npm leaves in the folder.
fn is_source(path: &str) -> bool {
    !["node_modules/", ".svelte-kit/", "dist/"].contains(&path)
}

fn kept(request: &Request, name: &str) -> Option<Ui> {
    let dirs = request.homes().into_iter().map(|home| home.join("ui").join(name));
    dirs.filter(|dir| validate(dir).is_ok()).map(|dir| Ui { dir }).next()
}

fn check_npm(request: &Request) -> Result<(), NoUi> {
    let npm = Cmd::new(&request.npm).arg("--version");
    let mut command = npm.command();
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(NoUi::NoNpm),
        _ => check_node(request, &Cmd::new("node").arg("--version").read().unwrap_or_default()),
    }
}

/// An old Node.js fails only after minutes, with a text that does not say so.
fn check_node(request: &Request, version: &str) -> Result<(), NoUi> {
    let version = version.trim().trim_start_matches('v');
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return Ok(()) };
    if (major, minor) >= NODE {
        return Ok(());
    }
    let what = format!("the web UI needs Node.js {}.{}, this is {version}", NODE.0, NODE.1);
    Err(Error::new(what).hint(format!("install a newer Node.js, then: {}", again(request))).into())
}

/// What builds the page, where this is.
fn again(request: &Request) -> &'static str {
    if crate::is_clone(&request.root) { "cargo xtask vendor" } else { "build again" }
}

fn build(
    source: &SourceTree,
    request: &Request,
    name: &str,
    work: &Path,
    log: &Path,
    report: &mut Report<'_>,
) -> Result<PathBuf, Error> {
    let from = source.dir.join("tools/ui");
    if !from.join("package.json").is_file() {
        return Err(Error::new(format!("no source of the web UI in {}", source.dir.display()))
            .looked_in(from.join("package.json").display().to_string())
            .hint("fetch the whole release: cargo xtask vendor --force"));
    }
    let src = work.join("src");
    copy(&from, &src, &is_source)?;
    name_version(&src, name)?;
    let _ = fs::remove_file(log);
    for args in [&["ci", "--include=dev", "--no-audit", "--no-fund"][..], &["run", "build"][..]] {
        let npm = npm(request, &src).args(args);
        report(Progress::Say(&format!("building the web UI: npm {}", args.join(" "))));
        npm.run_logged(log, |_| ())?;
    }
    Ok(src.join("dist"))
}

fn copy(from: &Path, to: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    for entry in tree::walk(from, keep)? {
        let to = to.join(&entry.path);
        let folder = to.parent().expect("a file is inside a folder");
        fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
        fs::copy(from.join(&entry.path), &to).map_err(|e| Error::io("write", &to, &e))?;
    }
    Ok(())
}

/// Keeps the built page `dir` for the user's other clones.
fn share(dir: &Path, cache: &Path, name: &str, report: &mut Report<'_>) -> Result<(), Error> {
    let lock = Lock::acquire_cache(cache, report).map_err(|e| Error::io("write", cache, &e))?;
    let staging = Staging::new(&lock, name)?;
    let dist = staging.dir().join("dist");
    copy(dir, &dist, &|_| true)?;
    staging.publish(&dist, &cache.join(name))
}

/// SvelteKit puts the time of the build into the page unless its configuration names a version: every
/// build would give another server.
fn name_version(src: &Path, name: &str) -> Result<(), Error> {
    let (config, own) = (src.join("svelte.config.js"), src.join("svelte.config.own.js"));
    if !config.is_file() {
        return Ok(());
    }
    fs::rename(&config, &own).map_err(|e| Error::io("rename", &config, &e))?;
    let text = format!(
        "import own from './svelte.config.own.js';\n\
         export default {{ ...own, kit: {{ version: {{ name: '{name}' }}, ...own.kit }} }};\n"
    );
    fs::write(&config, text).map_err(|e| Error::io("write", &config, &e))
}

/// What npm and Node.js are told of the environment. The page's packages bring scripts of many hands: no key of a
/// server or of a hub is any of their business.
fn is_for_npm(name: &str) -> bool {
    const NAMES: [&str; 22] = [
        "ALL_PROXY",
        "APPDATA",
        "COLORTERM",
        "COMSPEC",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LOCALAPPDATA",
        "NO_PROXY",
        "PATH",
        "PATHEXT",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SYSTEMROOT",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "USERPROFILE",
        "WINDIR",
    ];
    // `~/.npmrc` may name a token by a variable of npm's or Node's.
    const PREFIXES: [&str; 6] = ["LC_", "NODE_", "NPM_", "NVM_", "VOLTA_", "XDG_"];
    let name = name.to_uppercase();
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn npm(request: &Request, dir: &Path) -> Cmd {
    Cmd::new(&request.npm)
        .dir(dir)
        .inherits(is_for_npm)
        .limit(LIMIT)
        // What upstream's Dockerfiles pass; the page shows it.
        .env("LLAMA_BUILD_NUMBER", &request.pin.tag)
        .env_remove("LLAMA_UI_OUT_DIR")
        .env_remove("NODE_ENV")
        // npm's own defaults wait for minutes on a network that is not there.
        .env("npm_config_fetch_retries", "1")
        .env("npm_config_fetch_retry_mintimeout", "1000")
        .env("npm_config_fetch_retry_maxtimeout", "5000")
        .env("npm_config_fetch_timeout", "60000")
        .env("npm_config_update_notifier", "false")
}

/// Fails when `dir` lacks something that the page needs.
fn validate(dir: &Path) -> Result<(), Error> {
    let files = tree::walk(dir, &|_| true)?;
    let names: Vec<&str> = files.iter().filter_map(|file| file.path.rsplit('/').next()).collect();
    let has = |(start, end): &(&str, &str)| {
        names.iter().any(|name| name.starts_with(start) && name.ends_with(end))
    };
    let missing: Vec<String> = ASSETS
        .iter()
        .filter(|asset| !has(asset))
        .map(|(start, end)| format!("{start}*{end}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Error::new(format!("the web UI in {} lacks {missing}", dir.display())))
}

#[cfg(test)]
#[path = "ui_tests.rs"]
mod tests;
