//! A running server, as `/proc` tells about it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use llama_server_bin::sockets::Listener;

/// Variables of a process.
pub(crate) type Environment = BTreeMap<String, String>;

/// A running `llama-server`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its folder in `/proc`.
    pub(crate) dir: PathBuf,
    /// What follows the program's name on its command line.
    pub(crate) arguments: Vec<String>,
    /// Where it listens; `None` for another user's process.
    pub(crate) listeners: Option<Vec<Listener>>,
    /// The servers of its models, in router mode.
    pub(crate) models: Vec<Server>,
}

impl Server {
    /// Its variables, which may be others than the container's; `None` for another user's process.
    pub(crate) fn environment(&self) -> Option<Environment> {
        let pair = |text: &String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        Some(strings(&self.dir.join("environ"))?.iter().filter_map(pair).collect())
    }

    /// The folder that its relative paths begin in.
    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.join("cwd")
    }

    /// Whether the library with this file name is in its memory; `None` for another user's process.
    pub(crate) fn has_loaded(&self, library: &str) -> Option<bool> {
        let maps = fs::read(self.dir.join("maps")).ok().filter(|maps| !maps.is_empty())?;
        let end = format!("/{library}");
        Some(String::from_utf8_lossy(&maps).lines().any(|line| line.ends_with(&end)))
    }

    /// The file of the library in its memory whose name begins so.
    pub(crate) fn library(&self, start: &str) -> Option<PathBuf> {
        let maps = fs::read(self.dir.join("maps")).ok()?;
        let maps = String::from_utf8_lossy(&maps);
        let mut paths = maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..]));
        paths.find(|path| file_name(path).starts_with(start)).map(PathBuf::from)
    }

    /// Whether it, or a model's server of it, holds a file for which `is_it` says so, of its name and what it is,
    /// where that is told; `None` for another user's process.
    pub(crate) fn has_open(&self, is_it: fn(&str, Option<&fs::Metadata>) -> bool) -> Option<bool> {
        let models = self.models.iter().map(|model| model.has_open(is_it));
        models.fold(self.has_open_itself(is_it), |one, other| match (one, other) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), other) => other,
            (None, _) => None,
        })
    }

    fn has_open_itself(&self, is_it: fn(&str, Option<&fs::Metadata>) -> bool) -> Option<bool> {
        for file in fs::read_dir(self.dir.join("fd")).ok()?.flatten() {
            match fs::read_link(file.path()) {
                Ok(name) => {
                    let what = fs::metadata(file.path()).ok();
                    if is_it(&name.to_string_lossy(), what.as_ref()) {
                        return Some(true);
                    }
                }
                // Closed in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => return None,
            }
        }
        Some(false)
    }
}

pub(crate) fn file_name(path: &str) -> String {
    // A login shell has a dash in front.
    path.rsplit('/').next().unwrap_or_default().trim_start_matches('-').to_owned()
}

/// Strings that each end in a zero byte.
pub(crate) fn strings(path: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(path).ok()?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Some(bytes.split(|byte| *byte == 0).map(|s| String::from_utf8_lossy(s).into_owned()).collect())
}
