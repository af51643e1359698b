//! Which process answers for the container: its main process, or the one that an init system or a shell
//! in that place has started.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Variables of a process.
pub(crate) type Environment = BTreeMap<String, String>;

/// What is looked for.
const SERVER: &str = "llama-server";

/// Programs that do nothing themselves but start others. Whatever else has the first place, a server
/// among its children is its own affair.
const STARTERS: &[&str] = &[
    "ash",
    "bash",
    "busybox",
    "catatonit",
    "dash",
    "docker-init",
    "dumb-init",
    "podman-init",
    "runsv",
    "runsvdir",
    "s6-supervise",
    "s6-svscan",
    "sh",
    "tini",
    "tini-static",
];

/// The container's main process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Main {
    /// It is `llama-server`, or has started it.
    Server(Server),
    /// This program was told to start `llama-server`, which is not there.
    Without(String),
    /// Another program.
    Other(String),
    /// There is none, or it is hidden.
    Unseen,
}

/// A running `llama-server`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its folder in `/proc`.
    dir: PathBuf,
    /// What follows the program's name on its command line.
    pub(crate) arguments: Vec<String>,
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
}

/// The main process `pid` of those in `proc`.
pub(crate) fn find(proc: &Path, pid: u32) -> Main {
    let (name, words) = read(proc, pid);
    if name == SERVER {
        return Main::Server(server(proc, pid, &words));
    }
    if STARTERS.contains(&name.as_str()) {
        if let Some(server) = below(proc, pid, &parents(proc)) {
            return Main::Server(server);
        }
        if words.iter().any(|word| word.contains(SERVER)) {
            return Main::Without(name);
        }
    }
    if name.is_empty() { Main::Unseen } else { Main::Other(name) }
}

/// The first server among the children of `pid` and of the starters among them.
fn below(proc: &Path, pid: u32, parents: &BTreeMap<u32, u32>) -> Option<Server> {
    let children = parents.iter().filter(|(_, parent)| **parent == pid);
    children.map(|(child, _)| *child).find_map(|child| {
        let (name, words) = read(proc, child);
        match name.as_str() {
            SERVER => Some(server(proc, child, &words)),
            _ if STARTERS.contains(&name.as_str()) => below(proc, child, parents),
            _ => None,
        }
    })
}

fn server(proc: &Path, pid: u32, words: &[String]) -> Server {
    // An emulator's command line goes on with what it runs.
    let named = |word: &&String| file_name(word) == SERVER;
    let own = words.iter().position(|word| named(&word)).map_or(1, |at| at + 1);
    let own = own + words.iter().skip(own).take_while(named).count();
    Server {
        dir: proc.join(pid.to_string()),
        arguments: words.get(own..).unwrap_or_default().to_vec(),
    }
}

/// The name of a process's program, and its command line.
fn read(proc: &Path, pid: u32) -> (String, Vec<String>) {
    let dir = proc.join(pid.to_string());
    let words = strings(&dir.join("cmdline")).unwrap_or_default();
    let word = |at: usize| words.get(at).map(|word| file_name(word)).unwrap_or_default();
    // The kernel appends this when the file was replaced.
    let program = fs::read_link(dir.join("exe")).ok();
    let program = program.map(|path| file_name(&path.to_string_lossy()));
    let name = match program.as_deref().map(|name| name.trim_end_matches(" (deleted)")) {
        // Another user's: only its command line can be read.
        None => word(0),
        Some(emulator) if emulator.starts_with("qemu-") || emulator == "rosetta" => word(1),
        Some(name) => name.to_owned(),
    };
    (name, words)
}

fn file_name(path: &str) -> String {
    // A login shell has a dash in front.
    path.rsplit('/').next().unwrap_or_default().trim_start_matches('-').to_owned()
}

/// Strings that each end in a zero byte.
fn strings(path: &Path) -> Option<Vec<String>> {
    let bytes = fs::read(path).ok()?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Some(bytes.split(|byte| *byte == 0).map(|s| String::from_utf8_lossy(s).into_owned()).collect())
}

/// Every process with its parent.
fn parents(proc: &Path) -> BTreeMap<u32, u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        // `7 (a name) S 1 …`; the name can have anything in it.
        let stat = fs::read(proc.join(format!("{pid}/stat"))).ok()?;
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    })
    .collect()
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
