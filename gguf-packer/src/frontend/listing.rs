//! The files of an output, as BuildKit lists them.

use super::buildkit::BuildKit;
use super::llb::Output as Vertex;
use super::pb::Stat;
use crate::Error;
use crate::executor::copy::path;
use crate::tree::{Entry, Kind, Tree, check_path};

/// Bits of Go's `FileMode`.
const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
/// Devices, pipes, sockets and what else is no file.
const OTHER: u32 = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;
const SETUID: u32 = 1 << 23;
const SETGID: u32 = 1 << 22;
const STICKY: u32 = 1 << 20;

/// Which permissions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modes {
    /// Those that Git keeps, as of a folder of the disk.
    Git,
    /// All of them, and who owns what; of an image.
    All,
    /// All of them; of an archive.
    Kept,
}

impl BuildKit<'_> {
    /// All files of an output.
    pub(super) fn tree(&self, of: &Vertex, modes: Modes) -> Result<Tree, Error> {
        let held = self.held(of)?;
        let (mut entries, mut folders) = (Vec::new(), vec![String::new()]);
        while let Some(folder) = folders.pop() {
            for stat in self.daemon.list(&held, &format!("/{folder}"))? {
                let name = path::name(&stat.path);
                let at = path::join(&folder, name);
                check_path(&at).map_err(Error::new)?;
                let entry = self.entry(of, at.clone(), &stat, modes);
                if entry.kind == Kind::Folder {
                    folders.push(at);
                }
                entries.push(entry);
            }
        }
        Ok(entries.into_iter().collect())
    }

    fn entry(&self, of: &Vertex, path: String, stat: &Stat, modes: Modes) -> Entry {
        let kind = if stat.mode & FOLDER != 0 {
            Kind::Folder
        } else if stat.mode & LINK != 0 {
            Kind::Link { target: stat.linkname.clone() }
        } else if stat.mode & OTHER != 0 {
            Kind::Special
        } else {
            let size = u64::try_from(stat.size).unwrap_or_default();
            Kind::File { digest: self.content(of, &path), size }
        };
        let mode = match (modes, &kind) {
            (_, Kind::Link { .. }) => 0o777,
            (Modes::Git, Kind::File { .. }) if stat.mode & 0o100 == 0 => 0o644,
            (Modes::Git, _) => 0o755,
            _ => permissions(stat.mode),
        };
        let mut entry = Entry { path, kind, mode, uid: 0, gid: 0, mtime: 0 };
        if modes == Modes::All {
            (entry.uid, entry.gid) = (stat.uid.into(), stat.gid.into());
            entry.mtime = u64::try_from(stat.mod_time / 1_000_000_000).unwrap_or_default();
        }
        entry
    }
}

fn permissions(mode: u32) -> u32 {
    let special = [(SETUID, 0o4000), (SETGID, 0o2000), (STICKY, 0o1000)];
    let set = special.into_iter().filter(|(go, _)| mode & go != 0);
    set.fold(mode & 0o777, |all, (_, unix)| all | unix)
}

/// The mode that Go writes for what has these permissions.
pub(super) fn go_mode(kind: &Kind, permissions: u32) -> u32 {
    let special = [(SETUID, 0o4000), (SETGID, 0o2000), (STICKY, 0o1000)];
    let set = special.into_iter().filter(|(_, unix)| permissions & unix != 0);
    let mode = set.fold(permissions & 0o777, |all, (go, _)| all | go);
    match kind {
        Kind::Folder => mode | FOLDER,
        Kind::Link { .. } => mode | LINK,
        _ => mode,
    }
}
