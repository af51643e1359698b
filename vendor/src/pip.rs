//! Fetches a source package from PyPI through pip, which refuses a package with another hash before it
//! runs any of its code.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fetch::Limits;
use crate::sh::Cmd;
use crate::{Error, Progress, Report};

/// Downloads what `requirement` names into `dir` and tells where the archive is.
pub(crate) fn download(
    python: &OsStr,
    package: &str,
    requirement: &str,
    dir: &Path,
    limits: &Limits,
    report: &mut Report<'_>,
) -> Result<PathBuf, Error> {
    check(python)?;
    let list = dir.join("requirements.txt");
    fs::write(&list, format!("{requirement}\n")).map_err(|e| Error::io("write", &list, &e))?;
    let pip = Cmd::new(python)
        .args(["-m", "pip", "download", "--no-deps", "--no-binary", package])
        .args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off"])
        .args(["--retries", "1", "--timeout", &limits.stall.as_secs().max(1).to_string()])
        .arg("-d")
        .arg(dir)
        .arg("-r")
        .arg(&list)
        .limit(limits.total);
    pip.run_logged(&dir.join("log"), |line| report(Progress::Say(line.trim())))
        .map_err(|error| without_log_file(&error))?;
    find(dir)
}

fn check(python: &OsStr) -> Result<(), Error> {
    let name = python.to_string_lossy();
    let ask = Cmd::new(python).args(["-m", "pip", "--version"]);
    match ask.command().stdin(std::process::Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().last().unwrap_or_default();
            let what = format!("`{name}` cannot run pip: {}", line.trim());
            Err(Error::new(what).hint("install it: apt-get install python3-pip"))
        }
        Err(e) => {
            let what = format!("cannot run `{name}`: {e}");
            Err(Error::new(what).hint("install it: apt-get install python3-pip"))
        }
    }
}

fn find(dir: &Path) -> Result<PathBuf, Error> {
    let failed = |e| Error::io("read the folder", dir, &e);
    for item in fs::read_dir(dir).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        if path.to_string_lossy().ends_with(".tar.gz") {
            return Ok(path);
        }
    }
    Err(Error::new("pip finished but left no .tar.gz"))
}

/// The log lies in a folder that is about to be removed, so no hint may point there.
fn without_log_file(error: &Error) -> Error {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("the whole log is")).collect();
    Error::new(lines.join("\n"))
}
