//! The system as the server finds it, read once.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What a plan depends on besides the command line.
pub(crate) struct System<'a> {
    /// A variable of the environment.
    pub(crate) env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The text of a file, where it can be read.
    pub(crate) read: &'a dyn Fn(&Path) -> Option<String>,
    /// Whether there is something.
    pub(crate) exists: &'a dyn Fn(&Path) -> bool,
    /// Symbolic links in a folder and in its folders.
    pub(crate) links: &'a dyn Fn(&Path) -> Vec<PathBuf>,
    /// The current folder.
    pub(crate) folder: PathBuf,
    /// This program.
    pub(crate) program: PathBuf,
    /// Files that are mapped already: libraries.
    pub(crate) mapped: BTreeSet<PathBuf>,
    /// The loader's files of folders, `/etc/ld.so.conf` and others, one after the other.
    pub(crate) loader_conf: String,
    /// Files of `/dev`.
    pub(crate) devices: Vec<PathBuf>,
    /// The number of the user.
    pub(crate) user: u32,
}

impl System<'static> {
    /// That of this process.
    ///
    /// # Errors
    /// A sentence where `/proc` is not there.
    pub(crate) fn here() -> Result<Self, String> {
        let maps = std::fs::read_to_string("/proc/self/maps")
            .map_err(|error| format!("cannot read /proc/self/maps: {error}"))?;
        let program =
            std::env::current_exe().map_err(|error| format!("/proc/self/exe: {error}"))?;
        let devices = std::fs::read_dir("/dev").into_iter().flatten().flatten();
        Ok(Self {
            env: &variable,
            read: &|file| std::fs::read_to_string(file).ok(),
            exists: &|path| path.exists(),
            links: &|folder| links(folder, 2),
            folder: std::env::current_dir().unwrap_or_default(),
            program,
            mapped: mapped(&maps),
            loader_conf: loader_conf(),
            devices: devices.map(|entry| entry.path()).collect(),
            user: rustix::process::getuid().as_raw(),
        })
    }
}

fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the server's variables, not a build's")]
    std::env::var_os(name)
}

/// Symbolic links in so many levels of folders.
fn links(folder: &Path, levels: u32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => vec![entry.path()],
        Ok(kind) if kind.is_dir() && levels > 1 => links(&entry.path(), levels - 1),
        _ => Vec::new(),
    });
    below.collect()
}

/// Files in the text of `/proc/self/maps`.
fn mapped(maps: &str) -> BTreeSet<PathBuf> {
    maps.lines().filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..]))).collect()
}

/// The text of the loader's files of folders.
fn loader_conf() -> String {
    let others = std::fs::read_dir("/etc/ld.so.conf.d").into_iter().flatten().flatten();
    let files = others.map(|entry| entry.path()).chain(["/etc/ld.so.conf".into()]);
    files.filter_map(|file| std::fs::read_to_string(file).ok()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_in_the_maps() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 1  /usr/lib/x86_64-linux-gnu/libc.so.6\n\
                    7f01-7f02 r-xp 00001000 fe:00 1  /usr/lib/x86_64-linux-gnu/libc.so.6\n\
                    7f03-7f04 rw-p 00000000 00:00 0  [heap]\n";
        assert_eq!(mapped(maps), BTreeSet::from(["/usr/lib/x86_64-linux-gnu/libc.so.6".into()]));
    }
}
