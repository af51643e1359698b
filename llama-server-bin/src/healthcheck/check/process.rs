//! Which processes answer for the container: its main process, or those that an init system or a shell
//! in that place has started.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use llama_server_bin::sockets::{self, Listener};

use super::server::{Server, file_name, strings};

/// What is looked for.
const SERVER: &str = "llama-server";
/// What computes for the server of another machine.
const WORKER: &str = "ggml-rpc-server";

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

/// What runs in the container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The main process is `llama-server`, or starts programs and has started these.
    Servers(Vec<Server>),
    /// The main process is `ggml-rpc-server`, or has started it: where it listens, if it is not another user's.
    Worker(Option<Vec<Listener>>),
    /// This program was told to start `llama-server`, which is not there.
    Without(String),
    /// Another program, and the servers that it has started for itself.
    Other(String, Vec<Server>),
    /// There is none, or it is hidden.
    Unseen,
}

/// What runs in this container. Its main process is `pid` of those in `proc`, unless that one is another
/// container's or the host's: where containers share their processes.
pub(crate) fn find(proc: &Path, pid: u32) -> Found {
    let table = Table { proc, parents: sockets::parents(proc) };
    let Some(main) = table.main(pid) else { return Found::Unseen };
    let (name, words) = read(proc, main);
    if name == SERVER {
        return Found::Servers(vec![table.server(main, &words)]);
    }
    if let Some(worker) = table.worker(main) {
        return Found::Worker(sockets::of(proc, worker).ok());
    }
    let is_starter = STARTERS.contains(&name.as_str());
    let servers = table.servers_below(main, is_starter);
    let was_told = || words.iter().any(|word| word.contains(SERVER));
    match (is_starter, servers.is_empty()) {
        _ if name.is_empty() => Found::Unseen,
        (true, false) => Found::Servers(servers),
        (true, true) if was_told() => Found::Without(name),
        // One that has ended and that nobody has asked about.
        (_, true) if table.has_dead_server() => Found::Without(name),
        _ => Found::Other(name, servers),
    }
}

/// Whether a container ends with `pid`: nobody in it has started that process, or only what starts others and
/// ends with them has.
pub(crate) fn is_main(proc: &Path, pid: u32) -> bool {
    let parents = sockets::parents(proc);
    let mut pid = pid;
    loop {
        match parents.get(&pid) {
            Some(0) => return true,
            Some(parent) if STARTERS.contains(&read(proc, *parent).0.as_str()) => pid = *parent,
            Some(_) | None => return false,
        }
    }
}

/// All processes that can be seen.
struct Table<'a> {
    proc: &'a Path,
    parents: BTreeMap<u32, u32>,
}

impl Table<'_> {
    /// The main process: `pid`, or the first of this container's.
    fn main(&self, pid: u32) -> Option<u32> {
        if !self.proc.join(pid.to_string()).exists() {
            return None;
        }
        if self.is_ours(pid) {
            return Some(pid);
        }
        let own = self.own();
        let is_own = |pid: &u32| own.contains(pid);
        let is_top = |pid: &u32| self.parents.get(pid).is_none_or(|parent| !self.is_ours(*parent));
        let ours = self.parents.keys().copied().filter(|pid| self.is_ours(*pid) && !is_own(pid));
        ours.filter(is_top).min_by_key(|pid| (self.start(*pid), *pid))
    }

    /// This process and those that have led to it, such as a shell of a `docker exec`.
    fn own(&self) -> Vec<u32> {
        let this = fs::read_link(self.proc.join("self")).ok();
        let this = this.and_then(|path| path.to_str()?.parse().ok());
        std::iter::successors(this, |pid| self.parents.get(pid).copied()).collect()
    }

    /// Whether `pid` is in this container: it sees the same files. Of another user's process only the group
    /// of its resources is told.
    fn is_ours(&self, pid: u32) -> bool {
        let (this, that) = (self.proc.join("self"), self.proc.join(pid.to_string()));
        let files = |dir: &Path| fs::read_link(dir.join("ns/mnt"));
        match (files(&this), files(&that)) {
            (Ok(this), Ok(that)) => this == that,
            _ => {
                let group = |dir: &Path| fs::read(dir.join("cgroup")).ok();
                group(&this) == group(&that)
            }
        }
    }

    /// When it was started, in ticks since the machine was.
    fn start(&self, pid: u32) -> u64 {
        let stat = fs::read(self.proc.join(format!("{pid}/stat"))).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat).into_owned();
        let after = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().nth(19));
        after.flatten().and_then(|ticks| ticks.parse().ok()).unwrap_or(u64::MAX)
    }

    fn children(&self, pid: u32) -> impl Iterator<Item = u32> {
        self.parents.iter().filter(move |(_, parent)| **parent == pid).map(|(child, _)| *child)
    }

    /// The servers that `pid` has started, directly or through other programs; through `starters_only` where
    /// another program's servers are that program's affair. One that a server has started is in that one.
    fn servers_below(&self, pid: u32, starters_only: bool) -> Vec<Server> {
        let below = self.children(pid).flat_map(|child| {
            let (name, words) = read(self.proc, child);
            match name.as_str() {
                SERVER => vec![self.server(child, &words)],
                name if starters_only && !STARTERS.contains(&name) => Vec::new(),
                _ => self.servers_below(child, starters_only),
            }
        });
        below.collect()
    }

    /// `pid` if it is a worker, or the worker that it has started if it does nothing else.
    fn worker(&self, pid: u32) -> Option<u32> {
        match read(self.proc, pid).0.as_str() {
            WORKER => Some(pid),
            name if STARTERS.contains(&name) => {
                self.children(pid).find_map(|child| self.worker(child))
            }
            _ => None,
        }
    }

    /// Whether a server of this container has ended and its parent has not heard of it yet.
    fn has_dead_server(&self) -> bool {
        let is_dead = |pid: &u32| {
            let stat = fs::read(self.proc.join(format!("{pid}/stat"))).unwrap_or_default();
            let stat = String::from_utf8_lossy(&stat).into_owned();
            stat.contains(&format!("({SERVER}) Z"))
        };
        self.parents.keys().any(|pid| is_dead(pid) && self.is_ours(*pid))
    }

    fn server(&self, pid: u32, words: &[String]) -> Server {
        // An emulator's command line goes on with what it runs.
        let named = |word: &&String| file_name(word) == SERVER;
        let own = words.iter().position(|word| named(&word)).map_or(1, |at| at + 1);
        let own = own + words.iter().skip(own).take_while(named).count();
        let children = self.children(pid).map(|child| (child, read(self.proc, child)));
        let models = children.filter(|(_, (name, _))| name == SERVER);
        Server {
            dir: self.proc.join(pid.to_string()),
            arguments: words.get(own..).unwrap_or_default().to_vec(),
            listeners: sockets::of(self.proc, pid).ok(),
            models: models.map(|(child, (_, words))| self.server(child, &words)).collect(),
        }
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
        // An emulator, or the loader of dynamic programs.
        Some(other) if ["qemu-", "rosetta", "ld-"].iter().any(|it| other.starts_with(it)) => {
            if word(0) == SERVER { word(0) } else { word(1) }
        }
        Some(name) => name.to_owned(),
    };
    (name, words)
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
