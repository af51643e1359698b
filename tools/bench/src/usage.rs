//! What a command takes: time, time of all processors, and memory of all processes that it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use llama_src::sh::Cmd;

/// Between two looks at the memory.
const PAUSE: Duration = Duration::from_millis(50);
/// Linux counts processor time for programs in hundredths of a second.
const TICKS: f64 = 100.0;
const PAGE: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// Seconds that a person waits.
    pub(crate) wall: f64,
    /// Seconds of processors, in user and kernel.
    pub(crate) cpu: f64,
    /// Most bytes of memory at one time, looked at twenty times a second.
    pub(crate) memory: f64,
}

/// Runs `cmd`, whose output goes to `log`.
///
/// # Errors
/// When it fails, or the system tells nothing of processes.
pub(crate) fn measure(cmd: &Cmd, log: &Path, on_line: impl FnMut(&str)) -> Result<Usage> {
    let (before, started) = (children_cpu()?, Instant::now());
    let done = AtomicBool::new(false);
    let (result, wall, memory) = std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = memory_of_children().max(most);
                std::thread::sleep(PAUSE);
            }
            most
        });
        let result = cmd.run_logged(log, on_line);
        // The last look at the memory may end later.
        let wall = started.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        (result, wall, watch.join().expect("it only reads"))
    });
    result?;
    Ok(Usage { wall, cpu: children_cpu()? - before, memory: memory as f64 })
}

/// Seconds of all descendants that have ended.
fn children_cpu() -> Result<f64> {
    let stat =
        fs::read_to_string("/proc/self/stat").context("only Linux tells what builds take")?;
    let ticks = |at| field(&stat, at).context("a line of /proc/self/stat is not understood");
    Ok((ticks(16)? + ticks(17)?) as f64 / TICKS)
}

fn memory_of_children() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let id: u64 = entry.file_name().to_str()?.parse().ok()?;
        // It may have ended meanwhile.
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((id, (field(&stat, 4)?, field(&stat, 24)?)))
    });
    PAGE * pages_below(u64::from(std::process::id()), &stats.collect())
}

/// Pages of the descendants of `root` among processes: parent and pages by number.
fn pages_below(root: u64, processes: &BTreeMap<u64, (u64, u64)>) -> u64 {
    let mut family = BTreeSet::from([root]);
    loop {
        let size = family.len();
        let of_family = |(_, (parent, _)): &(&u64, &(u64, u64))| family.contains(parent);
        let children: Vec<u64> =
            processes.iter().filter(of_family).map(|(child, _)| *child).collect();
        family.extend(children);
        if family.len() == size {
            break;
        }
    }
    family.remove(&root);
    family.iter().filter_map(|id| processes.get(id)).map(|(_, pages)| pages).sum()
}

/// The field of a line of `stat` with this number in proc(5). The second, a name, may hold anything.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "12 (a ) b) S 7 12 12 0 -1 4194560 1 2 3 4 50 60 70 80 20 0 1 0 100 2000 300 9";
        assert_eq!(field(stat, 4), Some(7));
        assert_eq!((field(stat, 16), field(stat, 17)), (Some(70), Some(80)));
        assert_eq!(field(stat, 24), Some(300));
        assert_eq!(field("", 4), None);
    }

    #[test]
    fn memory_is_that_of_all_descendants() {
        let processes = BTreeMap::from([
            (1, (0, 1)),
            (5, (9, 10)),
            (9, (1, 100)),
            (10, (5, 1000)),
            (11, (2, 7)),
        ]);
        assert_eq!(pages_below(1, &processes), 1110);
        assert_eq!(pages_below(11, &processes), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_command_is_measured_with_what_it_starts() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done";
        let cmd = Cmd::new("sh").args(["-c", &format!("sh -c '{work}'; sleep 0.5")]);
        let mut lines = Vec::new();
        let usage = measure(&cmd, &log, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["done"]);
        assert!(usage.wall > 0.5 && usage.cpu > 0.0 && usage.memory > 0.0, "{usage:?}");
        let failing = Cmd::new("sh").args(["-c", "exit 3"]);
        assert!(
            measure(&failing, &log, |_| ()).unwrap_err().to_string().contains("exit status: 3")
        );
    }
}
