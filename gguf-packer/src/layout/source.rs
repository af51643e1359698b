//! Files of a layout, wherever it lies: in a folder, or in a tar that may be compressed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::digest::Digest;
use crate::image::path;
use crate::registry::Opened;
use crate::store::{Compression, Store, TempFolder};

/// Bytes of a document; an index of a registry has at most 4 MiB.
const DOCUMENT: u64 = 16 << 20;

/// What a person may have meant.
pub(super) const LOADABLE: &str =
    "load the output of docker save, gguf-packer save, or skopeo copy … oci-archive:FILE";

/// Entries of an archive.
const ENTRIES: usize = 1 << 16;

/// Links that are followed.
const LINKS: usize = 8;

/// Where images are read from.
pub(super) enum Source {
    Folder(PathBuf),
    Archive {
        /// The tar, not compressed.
        file: PathBuf,
        /// What has which place in it.
        places: BTreeMap<String, Place>,
        /// What the tar was unpacked into, when it was compressed or came through a pipe.
        _unpacked: Option<TempFolder>,
    },
}

/// Where an entry's content lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    At(u64, u64),
    Link(String),
}

impl Source {
    /// Opens a folder or an archive; `-` is standard input.
    pub(super) fn open(store: &Store, from: &Path) -> Result<Self, Error> {
        if from.is_dir() {
            return Ok(Self::Folder(from.to_owned()));
        }
        if from == Path::new("-") {
            return Self::unpack(store, from, io::stdin().lock());
        }
        let mut file = File::open(from).map_err(|e| Error::io("read", from, &e))?;
        // A pipe cannot be gone back in.
        if !file.metadata().is_ok_and(|known| known.is_file()) {
            return Self::unpack(store, from, file);
        }
        let mut start = Vec::new();
        let read = (&file).take(4).read_to_end(&mut start);
        read.and_then(|_| file.rewind()).map_err(|e| Error::io("read", from, &e))?;
        match Compression::of(&start) {
            Compression::None => Ok(Self::Archive {
                places: places(&file, from)?,
                file: from.to_owned(),
                _unpacked: None,
            }),
            _ => Self::unpack(store, from, file),
        }
    }

    fn unpack(store: &Store, from: &Path, content: impl Read) -> Result<Self, Error> {
        let folder = store.temp_folder()?;
        let place = folder.path().join("archive.tar");
        let mut content = BufReader::with_capacity(64 << 10, content);
        let unpacked = File::create(&place).and_then(|file| {
            let mut file = BufWriter::with_capacity(1 << 20, file);
            let start = io::BufRead::fill_buf(&mut content)?.to_owned();
            io::copy(&mut Compression::of(&start).plain(content), &mut file)?;
            file.flush()
        });
        unpacked.map_err(|e| Error::io("unpack", from, &e))?;
        let file = File::open(&place).map_err(|e| Error::io("read", &place, &e))?;
        Ok(Self::Archive { places: places(&file, from)?, file: place, _unpacked: Some(folder) })
    }

    /// The content of a file with its size, when it is there.
    pub(super) fn content(&self, name: &str) -> Result<Option<Opened>, Error> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                let file = match File::open(&path) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => file.map_err(|e| Error::io("read", &path, &e))?,
                };
                let size = file.metadata().map_err(|e| Error::io("read", &path, &e))?.len();
                Ok(Some((Box::new(file), size)))
            }
            Self::Archive { file, places, .. } => {
                let Some((at, size)) = find(places, name) else { return Ok(None) };
                let open = File::open(file).and_then(|mut open| {
                    open.seek(SeekFrom::Start(at))?;
                    Ok(open)
                });
                let open = open.map_err(|e| Error::io("read", file, &e))?;
                Ok(Some((Box::new(open.take(size)), size)))
            }
        }
    }

    /// A small file, when it is there.
    pub(super) fn document(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some((content, size)) = self.content(name)? else { return Ok(None) };
        if size > DOCUMENT {
            return Err(Error::new(format!(
                "{name} has {size} bytes, which is too large for an image document"
            )));
        }
        let mut bytes = Vec::new();
        let read = content.take(DOCUMENT).read_to_end(&mut bytes);
        read.map_err(|e| Error::new(format!("cannot read {name}: {e}")))?;
        Ok(Some(bytes))
    }

    /// The document with this digest, checked.
    pub(super) fn blob(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let bytes = self.document(&name(digest))?.ok_or_else(|| missing(&name(digest)))?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(Error::new(format!("{} has the wrong digest {found}", name(digest)))
                .hint("save the image again")),
        }
    }
}

/// Where the blob with this digest lies.
pub(super) fn name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(super) fn missing(name: &str) -> Error {
    Error::new(format!("the archive is incomplete: {name} is missing")).hint("save the image again")
}

fn find(places: &BTreeMap<String, Place>, name: &str) -> Option<(u64, u64)> {
    let mut name = name.to_owned();
    for _ in 0..LINKS {
        match places.get(&name)? {
            Place::At(at, size) => return Some((*at, *size)),
            Place::Link(target) => name.clone_from(target),
        }
    }
    None
}

/// Where everything in a tar lies.
fn places(file: &File, from: &Path) -> Result<BTreeMap<String, Place>, Error> {
    let read = || -> io::Result<_> {
        let mut places = BTreeMap::new();
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = inside("", &path);
            let target =
                entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
            let kind = entry.header().entry_type();
            let place = match target {
                Some(target) if kind.is_symlink() => Place::Link(inside(
                    name.rsplit_once('/').map_or("", |(folder, _)| folder),
                    &target,
                )),
                Some(target) if kind.is_hard_link() => Place::Link(inside("", &target)),
                _ if kind.is_file() => Place::At(entry.raw_file_position(), entry.size()),
                _ => continue,
            };
            places.insert(name, place);
            if places.len() > ENTRIES {
                return Err(io::Error::other("it contains too many files"));
            }
        }
        Ok(places)
    };
    let places = read().map_err(|e| {
        Error::new(format!("cannot read {} as an archive: {e}", from.display())).hint(LOADABLE)
    })?;
    // A tar that was cut off ends within an entry.
    let len = file.metadata().map_err(|e| Error::io("read", from, &e))?.len();
    let end =
        |place: &Place| if let Place::At(at, size) = place { at.saturating_add(*size) } else { 0 };
    if places.values().any(|place| end(place) > len) {
        return Err(Error::new(format!("{} is truncated: it has {len} bytes", from.display()))
            .hint("save the image again"));
    }
    Ok(places)
}

/// A path of the archive, without what leads out of it.
fn inside(folder: &str, name: &str) -> String {
    path::join(folder, &format!("./{name}"))[1..].to_owned()
}
