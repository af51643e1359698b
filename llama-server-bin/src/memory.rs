//! How much memory earlier prompts may take where a container has a limit: llama.cpp's default, 8 GiB, is more than most
//! limits, and the kernel kills who exceeds one.

use std::path::Path;

/// How many MiB the server keeps earlier prompts in at most, unless somebody says so. `vendor/patches/0054` reads it.
pub(crate) const VARIABLE: &str = "LLAMA_SERVER_CACHE_RAM";
/// The part of a limit that they may take.
const PART: u64 = 8;

/// An eighth of the limit of this process, in MiB.
pub(crate) fn cache() -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the server, not of a build")]
    let is_set = std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty());
    limit(Path::new("/")).filter(|_| !is_set).map(|limit| (limit / PART / (1 << 20)).max(1))
}

/// The tightest limit of all control groups that hold this process, bytes.
fn limit(root: &Path) -> Option<u64> {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut limits = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mount = root.join(mount);
        let mut dir = mount.join(path.trim_start_matches('/'));
        while dir.starts_with(&mount) {
            let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
            limits.extend(text.trim().parse::<u64>());
            dir.pop();
        }
    }
    // Without a limit version 1 names more than any machine has.
    limits.into_iter().min().filter(|limit| *limit < 1 << 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(limit(root.path()), None);
        write("proc/self/cgroup", "0::/a/b\n");
        assert_eq!(limit(root.path()), None);
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        assert_eq!(limit(root.path()), None);
        write("sys/fs/cgroup/a/memory.max", "8589934592\n");
        assert_eq!(limit(root.path()), Some(8 << 30));
        write("sys/fs/cgroup/a/b/memory.max", "4294967296\n");
        assert_eq!(limit(root.path()), Some(4 << 30));
        write("proc/self/cgroup", "3:memory:/of-the-host\n1:cpu:/x\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit(root.path()), None);
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
        assert_eq!(limit(root.path()), Some(2 << 30));
    }
}
