//! Recipes of layers: the bytes of a tar that are not contents of files, and the names of those that are,
//! in the tar's order. From one the exact tar is read, so that the disk needs none.
//!
//! ```text
//! "gguf-packer layer 1\n" then records: L length:u32 bytes | B digest:32 size:u64 | E size of the tar:u64
//! ```

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::disk;
use super::tarball::Stream;
use crate::Error;
use crate::digest::Digest;

const START: &[u8] = b"gguf-packer layer 1\n";

/// Bytes of an end record.
const END: i64 = 9;

/// Literal bytes are collected up to this many.
const LITERAL: usize = 64 << 10;

/// Writes one.
pub(crate) struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    literal: Vec<u8>,
    size: u64,
}

impl Writer {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let mut writer = Self::go_on(path, disk::create(path)?, 0);
        writer.put(START)?;
        Ok(writer)
    }

    /// Goes on at the end of `file`, whose records are `size` bytes of the tar.
    pub(crate) fn go_on(path: &Path, file: File, size: u64) -> Self {
        let out = BufWriter::with_capacity(LITERAL, file);
        Self { path: path.to_owned(), out, literal: Vec::new(), size }
    }

    pub(crate) fn literal(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for part in bytes.chunks(LITERAL) {
            if self.literal.len() + part.len() > LITERAL {
                self.put_literal()?;
            }
            self.literal.extend_from_slice(part);
        }
        Ok(())
    }

    pub(crate) fn blob(&mut self, digest: &Digest, size: u64) -> Result<(), Error> {
        self.put_literal()?;
        self.put(&[b"B", &digest.bytes()[..], &size.to_le_bytes()].concat())?;
        self.size += size;
        Ok(())
    }

    /// Writes what was collected: a reader finds all records so far.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.put_literal()?;
        self.out.flush().map_err(|e| Error::io("write", &self.path, &e))
    }

    /// Ends it; says how long the tar is.
    pub(crate) fn finish(mut self) -> Result<u64, Error> {
        self.put_literal()?;
        self.put(&[b"E", &self.size.to_le_bytes()[..]].concat())?;
        self.flush()?;
        Ok(self.size)
    }

    fn put_literal(&mut self) -> Result<(), Error> {
        if self.literal.is_empty() {
            return Ok(());
        }
        let literal = std::mem::take(&mut self.literal);
        let length = u32::try_from(literal.len()).expect("64 KiB at most");
        self.put(&[b"L", &length.to_le_bytes()[..]].concat())?;
        self.put(&literal)?;
        self.size += literal.len() as u64;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        disk::step();
        self.out.write_all(bytes).map_err(|e| Error::io("write", &self.path, &e))
    }
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    /// So many bytes follow in the recipe.
    Literal(u64),
    /// A content.
    Blob(Digest, u64),
    /// The end of a tar of so many bytes.
    End(u64),
}

/// Reads the records of one.
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes left of the last record, when that is a literal.
    literal: u64,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = BufReader::new(disk::open(path)?);
        let mut start = [0; START.len()];
        let read = file.read_exact(&mut start);
        if read.is_err() || start != START {
            return Err(damaged(path));
        }
        Ok(Self { path: path.to_owned(), file, literal: 0 })
    }

    /// The next record, after what is left of a literal.
    pub(crate) fn record(&mut self) -> Result<Record, Error> {
        self.skip(self.literal)?;
        let record = match self.take::<1>()? {
            [b'L'] => Record::Literal(u64::from(u32::from_le_bytes(self.take()?))),
            [b'B'] => Record::Blob(Digest::from(self.take()?), u64::from_le_bytes(self.take()?)),
            [b'E'] => Record::End(u64::from_le_bytes(self.take()?)),
            _ => return Err(damaged(&self.path)),
        };
        if let Record::Literal(length) = record {
            self.literal = length;
        }
        Ok(record)
    }

    /// Reads bytes of the literal.
    fn read_literal(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let most = into.len().min(usize::try_from(self.literal).unwrap_or(usize::MAX));
        self.file.read_exact(&mut into[..most]).map_err(|_| damaged(&self.path))?;
        self.literal -= most as u64;
        Ok(most)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let by = i64::try_from(bytes).map_err(|_| damaged(&self.path))?;
        self.file.seek_relative(by).map_err(|e| Error::io("read", &self.path, &e))?;
        self.literal -= bytes;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|_| damaged(&self.path))?;
        Ok(bytes)
    }
}

/// A known layer as its own parser sees it: no content is read.
impl Stream for Reader {
    fn literal(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while done < into.len() {
            if self.literal > 0 {
                done += self.read_literal(&mut into[done..])?;
                continue;
            }
            match self.record()? {
                Record::Literal(_) => {}
                Record::End(_) => {
                    // The next one who asks is told so again.
                    let back = self.file.seek_relative(-END);
                    back.map_err(|e| Error::io("read", &self.path, &e))?;
                    break;
                }
                Record::Blob(..) => return Err(damaged(&self.path)),
            }
        }
        Ok(done)
    }

    fn content(&mut self, size: u64) -> Result<Digest, Error> {
        if size == 0 {
            return Ok(Digest::of(""));
        }
        match self.record()? {
            Record::Blob(digest, found) if found == size => Ok(digest),
            _ => Err(damaged(&self.path)),
        }
    }
}

/// How long the tar of the recipe is; none when there is no such recipe, or half of one.
pub(crate) fn size(path: &Path) -> Result<Option<u64>, Error> {
    let failed = |e: &io::Error| Error::io("read", path, e);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if disk::is_absent(&e) => return Ok(None),
        Err(e) => return Err(failed(&e)),
    };
    let mut end = [0; END as usize];
    let read = file.seek(SeekFrom::End(-END)).and_then(|_| file.read_exact(&mut end));
    let size = u64::from_le_bytes(end[1..].try_into().expect("eight bytes"));
    Ok((read.is_ok() && end[0] == b'E').then_some(size))
}

/// How far an unfinished recipe is whole: its bytes, and the bytes of the tar that they say.
pub(crate) fn whole_records(path: &Path) -> Result<(u64, u64), Error> {
    let Some(length) = disk::size(path) else { return Ok((0, 0)) };
    let Ok(mut reader) = Reader::open(path) else { return Ok((0, 0)) };
    let (mut end, mut size) = (START.len() as u64, 0);
    loop {
        let (bytes, of_tar) = match reader.record() {
            Ok(Record::Literal(bytes)) => (5 + bytes, bytes),
            Ok(Record::Blob(_, bytes)) => (41, bytes),
            Ok(Record::End(_)) | Err(_) => return Ok((end, size)),
        };
        if end + bytes > length {
            return Ok((end, size));
        }
        (end, size) = (end + bytes, size + of_tar);
    }
}

/// Reads the exact tar of a layer.
pub struct LayerReader {
    recipe: Reader,
    blobs: PathBuf,
    /// The content that is being read and how much of it is left.
    blob: Option<(File, u64)>,
    position: u64,
    size: u64,
}

impl LayerReader {
    pub(crate) fn open(path: &Path, blobs: PathBuf, size: u64) -> Result<Self, Error> {
        Ok(Self { recipe: Reader::open(path)?, blobs, blob: None, position: 0, size })
    }

    /// Makes the next record the current one, `skip` bytes into it; says how many it has.
    fn advance(&mut self, skip: u64) -> Result<u64, Error> {
        self.blob = None;
        match self.recipe.record()? {
            Record::Literal(length) => {
                self.recipe.skip(skip.min(length))?;
                Ok(length)
            }
            Record::Blob(digest, size) => {
                let path = self.blobs.join(digest.hex());
                let mut file =
                    disk::open(&path).map_err(|e| e.hint("pull or build the image again"))?;
                let sought = file.seek(SeekFrom::Start(skip.min(size)));
                sought.map_err(|e| Error::io("read", &path, &e))?;
                self.blob = Some((file, size - skip.min(size)));
                Ok(size)
            }
            Record::End(_) => Err(damaged(&self.recipe.path)),
        }
    }

    fn left(&self) -> u64 {
        self.blob.as_ref().map_or(self.recipe.literal, |(_, left)| *left)
    }

    fn go_to(&mut self, target: u64) -> Result<(), Error> {
        let mut start = self.position + self.left();
        if target < start {
            self.recipe = Reader::open(&self.recipe.path)?;
            start = 0;
        }
        self.position = target;
        if target == 0 {
            self.blob = None;
            return Ok(());
        }
        // The record that has the byte before it, so that the end of the tar is the end of a record.
        loop {
            let length = self.advance(target - start)?;
            start += length;
            if start >= target {
                return Ok(());
            }
        }
    }
}

impl Read for LayerReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || into.is_empty() {
            return Ok(0);
        }
        while self.left() == 0 {
            self.advance(0).map_err(io::Error::other)?;
        }
        let n = match &mut self.blob {
            None => self.recipe.read_literal(into).map_err(io::Error::other)?,
            Some((file, left)) => {
                let most = into.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let n = file.read(&mut into[..most])?;
                *left -= n as u64;
                n
            }
        };
        if n == 0 {
            let text = "a file of the layer is truncated: pull or build the image again";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.position += n as u64;
        Ok(n)
    }
}

impl Seek for LayerReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let target = target.filter(|target| *target <= self.size);
        let target = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if target != self.position {
            self.go_to(target).map_err(io::Error::other)?;
        }
        Ok(target)
    }
}

fn damaged(path: &Path) -> Error {
    Error::new(format!("the recipe {} is damaged", path.display()))
        .hint("remove the image and pull or build it again")
}
