//! Builds the page with npm, in a copy of its source.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::{NoUi, again, page, path_with};
use crate::node;
use crate::sh::Cmd;
use crate::{Error, Progress, Report, Request, SourceTree};

/// `npm ci` and the build take two minutes on two cores.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// False for what npm leaves in the folder.
pub(super) fn is_source(path: &str) -> bool {
    !["node_modules/", ".svelte-kit/", "dist/"].contains(&path)
}

/// Fails where there is no npm, or a Node.js that is too old.
pub(super) fn check(request: &Request) -> Result<(), NoUi> {
    // Without a network nothing is built, whatever there is.
    if request.no_network().is_some() {
        return Ok(());
    }
    let mut command = npm(request).arg("--version").command();
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(NoUi::NoNpm),
        _ => {
            let node = with_path(request, Cmd::new("node")).arg("--version");
            check_node(request, &node.read().unwrap_or_default()).map_err(NoUi::OldNode)
        }
    }
}

/// An old Node.js fails only after minutes, with a text that does not say so.
pub(super) fn check_node(request: &Request, version: &str) -> Result<(), Error> {
    let version = version.trim().trim_start_matches('v');
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return Ok(()) };
    if node::is_new_enough((major, minor), node::OLDEST) {
        return Ok(());
    }
    let what = format!(
        "Node.js is too old: the web UI needs {}, but this is {version}",
        node::wanted(node::OLDEST)
    );
    Err(Error::missing(what).hint(format!("install a newer Node.js, then: {}", again(request))))
}

/// Builds the page of `source` and puts it at `dist`, in whose folder the work is done; the log is in `home`.
pub(super) fn build(
    source: &SourceTree,
    request: &Request,
    name: &str,
    dist: &Path,
    home: &Path,
    report: &mut Report<'_>,
) -> Result<(), Error> {
    let from = source.dir.join("tools/ui");
    if !from.join("package.json").is_file() {
        return Err(Error::missing(format!(
            "source of the web UI not found in {}",
            source.dir.display()
        ))
        .looked_in(from.join("package.json").display().to_string())
        .hint("fetch the whole release: cargo xtask vendor --force"));
    }
    let (src, log) = (dist.with_file_name("src"), home.join(".ui.log"));
    page::copy(&from, &src, &is_source)?;
    name_version(&src, name)?;
    let _ = fs::remove_file(&log);
    for args in [&["ci", "--include=dev", "--no-audit", "--no-fund"][..], &["run", "build"][..]] {
        let npm = npm(request).dir(&src).args(args);
        report(Progress::Say(&format!("building the web UI: npm {}", args.join(" "))));
        npm.run_logged(&log, |_| ())?;
    }
    fs::rename(src.join("dist"), dist).map_err(|e| Error::io("find the web UI", dist, &e))
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
pub(super) fn is_for_npm(name: &str) -> bool {
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

fn npm(request: &Request) -> Cmd {
    let own = request.node.as_ref().map(|dir| dir.join("npm").into_os_string());
    let npm = Cmd::new(own.as_ref().unwrap_or(&request.npm));
    with_path(request, npm)
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

/// `cmd` with the Node.js that the request names before all others.
fn with_path(request: &Request, cmd: Cmd) -> Cmd {
    match path_with(request.node.as_ref()) {
        Some(path) => cmd.env("PATH", path),
        None => cmd,
    }
}
