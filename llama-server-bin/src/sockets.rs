//! Where a process listens, as Linux knows it: what was bound, whatever was asked for or written into a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// A listening socket's state in `/proc/PID/net/tcp`.
const LISTEN: &str = "0A";
/// A listening socket's flag in `/proc/PID/net/unix`: `__SO_ACCEPTCON` of the kernel.
const ACCEPTS: u32 = 0x0001_0000;

/// What somebody can connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// An address and a port; the address can be that of every interface.
    Tcp(SocketAddr),
    /// A socket's file, as it was given to the server: it can be relative.
    Unix(PathBuf),
}

impl Listener {
    /// Its address, if it has one.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

/// Where process `pid` of those in `proc` listens: TCP first, by address.
///
/// # Errors
/// When the process is gone or another user's, or the system does not tell.
pub fn of(proc: &Path, pid: u32) -> io::Result<Vec<Listener>> {
    let dir = proc.join(pid.to_string());
    let own = inodes(&dir)?;
    let mut text = fs::read_to_string(dir.join("net/tcp"))?;
    // There is none without IPv6.
    text += &fs::read_to_string(dir.join("net/tcp6")).unwrap_or_default();
    let mut tcp: Vec<_> = text.lines().filter_map(|line| tcp_listener(line, &own)).collect();
    tcp.sort_unstable();
    let text = fs::read(dir.join("net/unix"))?;
    let text = String::from_utf8_lossy(&text);
    let unix = text.lines().filter_map(|line| unix_listener(line, &own));
    Ok(tcp.into_iter().map(Listener::Tcp).chain(unix.map(Listener::Unix)).collect())
}

/// The same of `pid` and of all that it has started: a server can be the child of a script.
///
/// # Errors
/// When one of them does not tell.
pub fn of_family(proc: &Path, pid: u32) -> io::Result<Vec<Listener>> {
    let mut listeners = of(proc, pid)?;
    if listeners.is_empty() {
        let parents = parents(proc);
        for child in parents.iter().filter(|(_, parent)| **parent == pid) {
            listeners.extend(of_family(proc, *child.0)?);
        }
    }
    Ok(listeners)
}

/// Every process in `proc` with its parent.
#[must_use]
pub fn parents(proc: &Path) -> BTreeMap<u32, u32> {
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

/// The numbers of the sockets that a process holds.
fn inodes(dir: &Path) -> io::Result<BTreeSet<u64>> {
    let mut inodes = BTreeSet::new();
    for entry in fs::read_dir(dir.join("fd"))? {
        let target = match fs::read_link(entry?.path()) {
            Ok(target) => target,
            // Closed in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // Root without further rights sees the names of another user's files, and no more.
            Err(error) => return Err(error),
        };
        let target = target.to_string_lossy().into_owned();
        let number = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    Ok(inodes)
}

/// From `0: 0100007F:1F90 00000000:0000 0A … 4711 …`.
fn tcp_listener(line: &str, own: &BTreeSet<u64>) -> Option<SocketAddr> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    if *state != LISTEN || !own.contains(&inode.parse().ok()?) {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    Some(SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?))
}

/// Words of 32 bits as this machine holds them.
fn ip(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).into())
}

/// From `0000: 00000002 00000000 00010000 0001 01 4711 /run/llama.sock`.
fn unix_listener(line: &str, own: &BTreeSet<u64>) -> Option<PathBuf> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (flags, inode, path) = (words.get(3)?, words.get(6)?, words.get(7)?);
    let accepts = u32::from_str_radix(flags, 16).ok()? & ACCEPTS != 0;
    // The path can have spaces in it.
    let at = line.find(&format!(" {inode} {path}"))? + inode.len() + 2;
    (accepts && own.contains(&inode.parse().ok()?)).then(|| PathBuf::from(&line[at..]))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_this_process_has_bound_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a b.sock");
        let (tcp, _unix) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&file).unwrap());
        let found = of(Path::new("/proc"), std::process::id()).unwrap();
        assert!(found.contains(&Listener::Tcp(tcp.local_addr().unwrap())), "{found:?}");
        assert!(found.contains(&Listener::Unix(file)), "{found:?}");
        // A connection is no listener.
        let stream = std::net::TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let found = of(Path::new("/proc"), std::process::id()).unwrap();
        assert!(!found.contains(&Listener::Tcp(stream.local_addr().unwrap())), "{found:?}");
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let own = BTreeSet::from([7]);
        let of = |local: &str, inode: u32| {
            let line = format!("0: {local} 00000000:0000 0A 0:0 00:0 0 10001 0 {inode} 1 x");
            tcp_listener(&line, &own).map(|address| address.to_string())
        };
        let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
        assert_eq!(of(&format!("{}:1F90", word([127, 0, 0, 1])), 7).unwrap(), "127.0.0.1:8080");
        let zero = word([0; 4]);
        let home = format!("{zero}{zero}{zero}{}:0050", word([0, 0, 0, 1]));
        assert_eq!(of(&home, 7).unwrap(), "[::1]:80");
        assert_eq!(of(&home, 8), None, "another process's");
        assert_eq!(of("0100:0050", 7), None);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(of(dir.path(), 1).is_err());
        assert!(of_family(Path::new("/proc"), std::process::id()).is_ok());
    }
}
