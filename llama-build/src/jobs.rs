//! How many compilers run at once: as Cargo says, but no more than the memory holds.

use std::path::{Path, PathBuf};

use crate::config::Config;

/// Memory of one C++ compiler, bytes. The largest unit of b11549 takes 0.76 GB with GCC 12.
const CXX_JOB: u64 = 768 << 20;
/// Memory of one GPU compiler, bytes.
const GPU_JOB: u64 = 3 << 30;

/// Compile jobs for `config` when `memory` bytes are free; `None` means unknown.
#[must_use]
pub fn count(config: &Config, memory: Option<u64>) -> usize {
    if let Some(jobs) = config.overrides.jobs {
        return jobs;
    }
    let fit = |memory| usize::try_from(memory / job(config)).unwrap_or(usize::MAX);
    config.cargo_jobs.min(memory.map_or(usize::MAX, fit)).max(1)
}

/// Whether a compiler for each of `cores`, or as many as the user wants, and a process of `other` bytes fit into `memory`;
/// not if that is unknown.
#[must_use]
pub fn leave_room(config: &Config, cores: usize, other: u64, memory: Option<u64>) -> bool {
    let jobs = config.overrides.jobs.unwrap_or(cores);
    memory.is_some_and(|memory| memory >= other + job(config) * jobs as u64)
}

/// Memory of one compiler, bytes.
fn job(config: &Config) -> u64 {
    let gpu = config.features.backends().any(|backend| backend.row().gpu_compiler);
    if gpu { GPU_JOB } else { CXX_JOB }
}

/// Memory that this process may still use, bytes: what the machine has available and what its
/// control groups allow, whichever is less. `None` where neither can be read.
#[must_use]
pub fn available_memory() -> Option<u64> {
    available_memory_under(Path::new("/"))
}

fn available_memory_under(root: &Path) -> Option<u64> {
    let machine = std::fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    });
    [machine, group_memory(root)].into_iter().flatten().min()
}

/// The tightest limit less use over all control groups that hold this process. What the kernel keeps of files that
/// nobody has read lately counts as free, as it does for the kubelet: the kernel drops it before it refuses memory.
fn group_memory(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut free = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (mount, limit, usage, cache) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "),
            _ if controllers.split(',').any(|c| c == "memory") => (
                "sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file ",
            ),
            _ => continue,
        };
        let mount = root.join(mount);
        let mut dir: PathBuf = mount.join(path.trim_start_matches('/'));
        while dir.starts_with(&mount) {
            let text = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
            let read = |name: &str| -> Option<u64> { text(name)?.trim().parse().ok() };
            let cache = || -> Option<u64> {
                let stat = text("memory.stat")?;
                stat.lines().find_map(|line| line.strip_prefix(cache))?.trim().parse().ok()
            };
            if let (Some(limit), Some(usage)) = (read(limit), read(usage)) {
                let left = limit.saturating_sub(usage.saturating_sub(cache().unwrap_or(0)));
                free = Some(free.map_or(left, |free: u64| free.min(left)));
            }
            dir.pop();
        }
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_tightest_of_machine_and_groups_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(available_memory_under(root), None);
        write(root, "proc/meminfo", "MemTotal: 9 kB\nMemAvailable:   8388608 kB\n");
        assert_eq!(available_memory_under(root), Some(8 << 30));
        write(root, "proc/self/cgroup", "0::/a/b\n");
        write(root, "sys/fs/cgroup/a/memory.max", "4294967296\n");
        write(root, "sys/fs/cgroup/a/memory.current", "1073741824\n");
        write(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
        write(root, "sys/fs/cgroup/a/b/memory.current", "1\n");
        assert_eq!(available_memory_under(root), Some(3 << 30));
        let stat =
            "anon 268435456\nfile 805306368\ninactive_file 536870912\nactive_file 268435456\n";
        write(root, "sys/fs/cgroup/a/memory.stat", stat);
        assert_eq!(available_memory_under(root), Some((3 << 30) + (512 << 20)));
        write(root, "proc/self/cgroup", "5:cpu,memory:/x\n");
        write(root, "sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2147483648");
        write(root, "sys/fs/cgroup/memory/x/memory.usage_in_bytes", "1073741824");
        write(
            root,
            "sys/fs/cgroup/memory/x/memory.stat",
            "inactive_file 1\ntotal_inactive_file 1073741824\n",
        );
        assert_eq!(available_memory_under(root), Some(2 << 30));
    }

    #[test]
    fn jobs_fit_into_memory_and_the_user_has_the_last_word() {
        let mut config = crate::tests::config("x86_64-unknown-linux-gnu", "cuda");
        config.cargo_jobs = 16;
        assert_eq!(count(&config, Some(12 << 30)), 4);
        assert_eq!(count(&config, Some(1)), 1);
        assert_eq!(count(&config, None), 16);
        config.features.remove(crate::backend::Backend::Cuda);
        assert_eq!(count(&config, Some(9 << 30)), 12);
        assert!(leave_room(&config, 2, 4 << 30, Some(6 << 30)));
        assert!(!leave_room(&config, 2, 4 << 30, Some(5 << 30)), "4 and 1.5 GiB");
        assert!(!leave_room(&config, 2, 4 << 30, None));
        config.overrides.jobs = Some(99);
        assert_eq!(count(&config, Some(1)), 99);
        assert!(!leave_room(&config, 2, 4 << 30, Some(6 << 30)));
    }
}
