//! Takes a tar apart while it streams: contents become contents of the store, the rest a recipe.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::compression::Compression;
use super::hashing::{self, CHUNK, Lane};
use super::recipe::{self, Reader, Record, Writer};
use super::{disk, tarball};
use crate::Error;
use crate::digest::Digest;

/// A content from this size on can be gone on from in its middle.
const LARGE: u64 = 1 << 20;

/// Bytes of a layer that are not contents.
const LITERALS: u64 = 1 << 30;

/// Where things are put.
pub(crate) struct Place {
    /// What is on its way: `recipe`, and `content-N`, the content that begins at byte N of the tar.
    pub(crate) folder: PathBuf,
    pub(crate) blobs: PathBuf,
}

/// A layer that was taken apart.
pub(crate) struct Unpacked {
    /// Digest of the blob, compressed as it was.
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) size: u64,
}

/// Why one was not.
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// Whether what came before it is right.
    pub(crate) keep: bool,
}

impl Failure {
    pub(crate) fn wrong(error: Error) -> Self {
        Self { error, keep: false }
    }
}

/// How many bytes of the uncompressed layer in `folder` are here, all of which [`run`] goes on from.
pub(crate) fn received(folder: &Path) -> Result<u64, Error> {
    let (_, size) = recipe::whole_records(&folder.join("recipe"))?;
    let content = disk::size(&folder.join(format!("content-{size}")));
    Ok(size + content.unwrap_or(0))
}

/// Takes apart what comes from `pieces`.
pub(crate) fn run(
    place: Place,
    pieces: Pieces,
    compression: Compression,
) -> Result<Unpacked, Failure> {
    let mut tap = Tap { pieces, lane: (compression != Compression::None).then(Lane::new) };
    let source: Box<dyn Read + '_> = match compression {
        Compression::None => Box::new(&mut tap),
        _ => compression.plain(BufReader::with_capacity(CHUNK, &mut tap)),
    };
    let mut live = Live::begin(place, source).map_err(|error| Failure { error, keep: true })?;
    let read = tarball::read(&mut live, |_| Ok(()));
    let (diff_id, size) = live.end(read)?;
    io::copy(&mut tap, &mut io::sink()).map_err(|e| Failure::wrong(unreadable(&e)))?;
    Ok(Unpacked { digest: tap.lane.map_or(diff_id, Lane::finish), diff_id, size })
}

/// The tar as it comes: first again what is here of it, then what follows.
struct Live<'a> {
    place: Place,
    source: Box<dyn Read + 'a>,
    lane: Lane,
    recipe: Writer,
    /// Records of the last time, and how many bytes of the tar are left of them.
    again: Option<(Reader, u64)>,
    position: u64,
    literals: u64,
    /// Whether the store, not the layer, was what failed.
    ours: bool,
}

impl<'a> Live<'a> {
    fn begin(place: Place, source: Box<dyn Read + 'a>) -> Result<Self, Error> {
        let path = place.folder.join("recipe");
        let (end, size) = recipe::whole_records(&path)?;
        let (recipe, again) = if end == 0 {
            disk::remove_file(&path)?;
            (Writer::create(&path)?, None)
        } else {
            let failed = |e: io::Error| Error::io("write", &path, &e);
            let mut file = disk::go_on(&path, File::options().write(true))?;
            file.set_len(end).map_err(failed)?;
            file.seek(SeekFrom::End(0)).map_err(failed)?;
            (Writer::go_on(&path, file, size), Some((Reader::open(&path)?, size)))
        };
        let (lane, ours) = (Lane::new(), false);
        Ok(Self { place, source, lane, recipe, again, position: 0, literals: 0, ours })
    }

    /// Ends the recipe of a whole layer; of half of one, writes what is there of it.
    fn end(mut self, read: Result<(), Error>) -> Result<(Digest, u64), Failure> {
        if let Err(error) = read {
            let keep = self.ours || self.recipe.flush().is_err();
            return Err(Failure { error, keep });
        }
        let size = self.recipe.finish().map_err(|error| Failure { error, keep: true })?;
        Ok((self.lane.finish(), size))
    }

    /// Remembers that it was the store that failed.
    fn own<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        self.ours |= done.is_err();
        done
    }

    fn literal_again(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let Some((reader, left)) = &mut self.again else { return Ok(0) };
        let most = into.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        let n = tarball::Stream::literal(reader, &mut into[..most])?;
        *left -= n as u64;
        if *left == 0 {
            self.again = None;
        }
        Ok(n)
    }

    /// A content that is in the store since the last time.
    fn content_again(&mut self, size: u64) -> Result<Option<Digest>, Error> {
        let Some((reader, left)) = &mut self.again else { return Ok(None) };
        let record = reader.record()?;
        *left = left.saturating_sub(size);
        if *left == 0 {
            self.again = None;
        }
        let Record::Blob(digest, found) = record else {
            return Err(Error::new("the stored part of the layer is damaged"));
        };
        let path = self.place.blobs.join(digest.hex());
        if found != size || disk::size(&path) != Some(size) {
            return Err(Error::new("the stored part of the layer is damaged"));
        }
        let lane = &mut self.lane;
        let read = hashing::chunks(disk::open(&path)?, |chunk| {
            lane.update_shared(&chunk);
            Ok(())
        });
        read.map_err(|e| Error::io("read", &path, &e))?;
        Ok(Some(digest))
    }

    /// A content that comes, after what is here of it.
    fn content_now(&mut self, size: u64) -> Result<Digest, Error> {
        if size >= LARGE {
            let flushed = self.recipe.flush();
            self.own(flushed)?;
        }
        let name =
            if size >= LARGE { format!("content-{}", self.position) } else { "small".to_owned() };
        let path = self.place.folder.join(name);
        let opened = open_content(&path, size);
        let (file, here) = self.own(opened)?;
        let digest = self.fill(file, &path, here, size)?;
        let published = disk::publish(&path, &self.place.blobs.join(digest.hex()));
        self.own(published)?;
        let noted = self.recipe.blob(&digest, size);
        self.own(noted)?;
        Ok(digest)
    }

    /// Writes what is missing of a content to its file; hashes all of it.
    fn fill(&mut self, mut file: File, path: &Path, here: u64, size: u64) -> Result<Digest, Error> {
        let mut own = Lane::new();
        let (lane, source) = (&mut self.lane, &mut self.source);
        let mut hash = |chunk: &Arc<Vec<u8>>| {
            lane.update_shared(chunk);
            own.update_shared(chunk);
        };
        let again = hashing::chunks((&mut file).take(here), |chunk| {
            hash(&chunk);
            Ok(())
        });
        again.map_err(|e| Error::io("read", path, &e))?;
        let (mut written, mut came) = (Ok(()), here);
        let read = hashing::chunks(source.take(size - here), |chunk| {
            came += chunk.len() as u64;
            hash(&chunk);
            disk::step();
            written = file.write_all(&chunk);
            if written.is_err() { Err(io::Error::other("full")) } else { Ok(()) }
        });
        let written = written.map_err(|e| Error::io("write", path, &e));
        self.own(written)?;
        read.map_err(|e| unreadable(&e))?;
        if came < size {
            return Err(Error::new(format!("the layer ends {} bytes too early", size - came)));
        }
        Ok(own.finish())
    }
}

impl tarball::Stream for Live<'_> {
    fn literal(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let mut done = self.literal_again(into)?;
        self.lane.update(&into[..done]);
        let again = done;
        while done < into.len() {
            match self.source.read(&mut into[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&e)),
            }
        }
        self.lane.update(&into[again..done]);
        let noted = self.recipe.literal(&into[again..done]);
        self.own(noted)?;
        self.position += done as u64;
        self.literals += done as u64;
        if self.literals > LITERALS {
            return Err(Error::new("the layer has more than 1 GiB besides its files"));
        }
        Ok(done)
    }

    fn content(&mut self, size: u64) -> Result<Digest, Error> {
        if size == 0 {
            let empty = Digest::of("");
            let path = self.place.folder.join("small");
            let made = open_content(&path, 0)
                .and_then(|_| disk::publish(&path, &self.place.blobs.join(empty.hex())));
            return self.own(made).map(|()| empty);
        }
        let digest = match self.content_again(size)? {
            Some(digest) => digest,
            None => self.content_now(size)?,
        };
        self.position += size;
        Ok(digest)
    }
}

/// A file for a content, and how much of it is there.
fn open_content(path: &Path, size: u64) -> Result<(File, u64), Error> {
    let mut options = File::options();
    let file =
        disk::go_on(path, options.create(true).truncate(size < LARGE).write(true).read(true))?;
    let failed = |e: io::Error| Error::io("write", path, &e);
    let here = file.metadata().map_err(failed)?.len();
    if here > size {
        file.set_len(0).map_err(failed)?;
        return Ok((file, 0));
    }
    Ok((file, here))
}

/// What has come, in order, and after it what comes.
pub(crate) struct Pieces {
    before: Option<PathBuf>,
    left: u64,
    file: Option<File>,
    queue: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    pub(crate) fn new(before: Option<PathBuf>, bytes: u64, queue: Receiver<Vec<u8>>) -> Self {
        let left = if before.is_some() { bytes } else { 0 };
        Self { before, left, file: None, queue, piece: Vec::new(), at: 0 }
    }

    fn read_before(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(path) = self.before.take() {
            self.file = Some(File::open(path)?);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        let n = file.take(self.left).read(into)?;
        self.left -= n as u64;
        Ok(n)
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left > 0 {
            return self.read_before(into);
        }
        while self.at == self.piece.len() {
            // None is sent any more: the end.
            let Ok(piece) = self.queue.recv() else { return Ok(0) };
            (self.piece, self.at) = (piece, 0);
        }
        let n = into.len().min(self.piece.len() - self.at);
        into[..n].copy_from_slice(&self.piece[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Hashes what is read of a compressed blob.
struct Tap {
    pieces: Pieces,
    lane: Option<Lane>,
}

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.pieces.read(into)?;
        if let Some(lane) = &mut self.lane {
            lane.update(&into[..n]);
        }
        Ok(n)
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::new(format!("cannot unpack the layer: {error}"))
}
