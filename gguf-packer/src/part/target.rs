//! Where a path that a person names leads: to a file, perhaps through links, or to a device or a pipe, which must stay
//! what it is.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use super::Part;
use crate::Error;

/// Links that are followed to a file that does not exist yet, as many as Linux follows.
const LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// A file, which may not exist yet. No link.
    File(PathBuf),
    /// A device, a pipe or a socket: what it is.
    Stream(&'static str),
}

/// What takes bytes in their order: a file that appears as a whole, or a device or a pipe that takes them at once.
pub(crate) enum Sink {
    /// A file.
    File(Part),
    /// A device or a pipe.
    Stream(File),
}

impl Sink {
    /// Opens `to`, or begins it.
    ///
    /// # Errors
    /// When it cannot be written, another process is writing it, or it is a folder or a terminal.
    pub(crate) fn open(to: &Path) -> Result<Self, Error> {
        match target(to)? {
            Target::File(file) => Part::begin_at(&file).map(Self::File),
            Target::Stream(_) => {
                let stream = File::options().write(true).open(to);
                let stream = stream.map_err(|e| Error::io("write", to, &e))?;
                if stream.is_terminal() {
                    return Err(terminal(&to.display().to_string()));
                }
                Ok(Self::Stream(stream))
            }
        }
    }

    /// To write to.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::File(part) => part.file(),
            Self::Stream(stream) => stream,
        }
    }

    /// Gives a file its name. A device or a pipe has everything already.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self {
            Self::File(part) => part.finish(),
            Self::Stream(_) => Ok(()),
        }
    }
}

/// The error of an archive that would go to a terminal.
pub(crate) fn terminal(name: &str) -> Error {
    Error::usage(format!("cannot write an archive to {name}: it is a terminal"))
        .hint("write a file: --output FILE")
        .hint("or send standard output to a program: gguf-packer save --output - IMAGE | PROGRAM")
}

/// The file that `to` leads to, for a writer that goes back in the file.
///
/// # Errors
/// When `to` is a folder, a device or a pipe, or cannot be looked at.
pub(crate) fn check_file(to: &Path) -> Result<PathBuf, Error> {
    match target(to)? {
        Target::File(file) => Ok(file),
        Target::Stream(kind) => {
            let to = to.display();
            Err(Error::usage(format!("{to} is {kind}, and this command can write only a file"))
                .hint(format!("name a new file, and then copy it: cat FILE > {to}")))
        }
    }
}

fn target(to: &Path) -> Result<Target, Error> {
    let failed = |e: &std::io::Error| Error::io("write", to, e);
    match fs::metadata(to) {
        Ok(known) if known.is_dir() => Err(Error::usage(format!("{} is a folder", to.display()))
            .hint("name a file in that folder")),
        Ok(known) if !known.is_file() => Ok(Target::Stream(kind(&known))),
        Ok(_) if is_link(to) => fs::canonicalize(to).map(Target::File).map_err(|e| failed(&e)),
        Ok(_) => Ok(Target::File(to.to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Target::File(followed(to))),
        Err(e) => Err(failed(&e)),
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|known| known.is_symlink())
}

/// Where the links of `path` end, at a file that does not exist.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().map_or(next.clone(), |folder| folder.join(next));
    }
    path
}

#[cfg(unix)]
fn kind(known: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = known.file_type();
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_: &Metadata) -> &'static str {
    "a device"
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_gets_the_bytes_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read_to_string(path).unwrap()
        });
        let sink = Sink::open(&path).unwrap();
        sink.file().write_all(b"abc").unwrap();
        sink.finish().unwrap();
        assert_eq!(reader.join().unwrap(), "abc");
        assert_eq!(kind(&fs::symlink_metadata(&path).unwrap()), "a pipe");
        let error = check_file(&path).unwrap_err().to_string();
        let path = path.display();
        let expected = format!(
            "{path} is a pipe, and this command can write only a file\n  \
             hint: name a new file, and then copy it: cat FILE > {path}"
        );
        assert_eq!(error.trim_end(), expected);
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/old"), "old").unwrap();
        symlink("far/old", at("link")).unwrap();
        symlink("far/new", at("dangling")).unwrap();
        symlink("dangling", at("twice")).unwrap();
        for (link, to) in [("link", "far/old"), ("twice", "far/new")] {
            let part = Part::begin(&at(link)).unwrap();
            part.file().write_all(b"whole").unwrap();
            assert!(part.path().parent().unwrap().ends_with("far"), "{}", part.path().display());
            part.finish().unwrap();
            assert!(is_link(&at(link)));
            assert_eq!(fs::read_to_string(at(to)).unwrap(), "whole");
        }
        assert_eq!(fs::read_link(at("twice")).unwrap(), Path::new("dangling"));
    }

    #[test]
    fn what_no_file_can_replace_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let error = Sink::open(folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(" is a folder\n  hint: name a file in that folder"), "{error}");
        symlink("round", folder.path().join("round")).unwrap();
        assert!(Part::begin(&folder.path().join("round")).is_err());
        let error = terminal("/dev/tty").to_string();
        assert!(error.starts_with("cannot write an archive to /dev/tty: it is a terminal\n"));
    }
}
