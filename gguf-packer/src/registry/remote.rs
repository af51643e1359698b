//! The beginning of a file on a server: read piece by piece, no further than somebody asks for.

use std::io::{self, Read, Seek, SeekFrom};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use reqwest::{Method, Response, StatusCode};

use super::ask::{Ask, Tries};
use super::http::Silence;
use super::{Session, refusal};
use crate::Error;
use crate::gguf::Header;
use crate::web::{begins_at, is_passing};

/// The first piece; each one is twice as long as the one before, up to the longest.
const FIRST: u64 = 256 << 10;
const LONGEST: u64 = 4 << 20;

/// Bytes that are read of one file; the longest vocabularies have some thirty millions.
const MOST: u64 = 64 << 20;

/// A file on a server. Going forward asks for another piece, where the server gives pieces.
pub(super) struct Remote<'a> {
    session: Session<'a>,
    url: String,
    /// Bytes of the whole file, when they are known.
    size: Option<u64>,
    /// The body that is being read, and whether it is all of the file.
    body: Option<(Response, bool)>,
    piece: u64,
    chunk: Vec<u8>,
    used: usize,
    /// What follows the chunk.
    next: u64,
    /// Where the piece begins.
    asked: u64,
    spent: u64,
    failed: Option<Error>,
}

impl<'a> Remote<'a> {
    pub(super) fn new(session: Session<'a>, url: &str, size: Option<u64>) -> Self {
        Self {
            session,
            url: url.to_owned(),
            size,
            body: None,
            piece: FIRST,
            chunk: Vec::new(),
            used: 0,
            next: 0,
            asked: 0,
            spent: 0,
            failed: None,
        }
    }

    /// The header of a GGUF file.
    pub(super) fn header(&mut self) -> Result<Header, Error> {
        if self.size.is_none() {
            self.fill()?;
        }
        // A server that does not say how long its file is has it whole.
        let size = self.size.unwrap_or(i64::MAX as u64);
        let read = Header::read(&mut *self, size);
        read.map_err(|error| self.why(error))
    }

    /// The reason behind what a reader of this file says.
    pub(super) fn why(&mut self, said: Error) -> Error {
        self.failed.take().unwrap_or_else(|| said.looked_in(&self.url))
    }

    /// Whether more was read than anything needs.
    pub(super) fn is_spent(&self) -> bool {
        self.spent > MOST
    }

    /// Gets the next chunk; none at the end of the file.
    fn fill(&mut self) -> Result<bool, Error> {
        let mut tries = Tries::default();
        loop {
            let Some((body, whole)) = &mut self.body else {
                if self.size.is_some_and(|size| self.next >= size) {
                    return Ok(false);
                }
                self.begin(&mut tries)?;
                continue;
            };
            match self.session.client.http.chunk(body) {
                Ok(Some(chunk)) => {
                    self.chunk = chunk.as_ref().to_vec();
                    self.used = 0;
                    self.next += self.chunk.len() as u64;
                    self.spent += self.chunk.len() as u64;
                    if self.is_spent() {
                        return Err(self.too_much());
                    }
                    return Ok(true);
                }
                Ok(None) if *whole => return Ok(false),
                Ok(None) => {
                    self.body = None;
                    if self.next == self.asked {
                        let why = format!("cannot read byte {} of a file", self.next);
                        self.session.wait_out(Silence { why, lasting: false }, &mut tries)?;
                    }
                }
                Err(silence) => {
                    self.body = None;
                    self.session.wait_out(silence, &mut tries)?;
                }
            }
        }
    }

    /// Asks for the next piece.
    fn begin(&mut self, tries: &mut Tries) -> Result<(), Error> {
        let to = self.next + self.piece - 1;
        let ask = Ask::new(Method::GET, &self.url).patient();
        let ask = ask.header(RANGE, format!("bytes={}-{to}", self.next));
        let response = match self.session.ask_once(&ask)? {
            Err(silence) => return self.session.wait_out(silence, tries),
            Ok(response) if is_passing(response.status()) => {
                return self.session.wait_after(response, tries);
            }
            Ok(response) => response,
        };
        if !response.status().is_success() {
            return Err(refusal::of(&self.session, response).looked_in(&self.url));
        }
        let whole = response.status() != StatusCode::PARTIAL_CONTENT;
        if whole && self.next > 0 {
            let text = format!("{} does not support range requests", self.session.registry());
            return Err(Error::new(text).looked_in(&self.url).hint(format!(
                "pull it, then run the same command again: gguf-packer pull {}",
                self.session.name
            )));
        }
        if !whole && begins_at(response.headers()).is_some_and(|at| at != self.next) {
            let registry = self.session.registry();
            let text = format!("{registry} sent a different range than requested");
            return Err(Error::new(text).looked_in(&self.url));
        }
        self.asked = self.next;
        self.size = self.size.or_else(|| told_size(&response, whole));
        self.piece = (self.piece * 2).min(LONGEST);
        self.body = Some((response, whole));
        Ok(())
    }

    fn too_much(&self) -> Error {
        Error::new(format!("the header is larger than {}", crate::gguf::bytes(MOST)))
            .looked_in(&self.url)
    }
}

/// Bytes of the whole file, as the server says them.
fn told_size(response: &Response, whole: bool) -> Option<u64> {
    let header = if whole { CONTENT_LENGTH } else { CONTENT_RANGE };
    let told = response.headers().get(header)?.to_str().ok()?;
    told.rsplit('/').next()?.trim().parse().ok()
}

impl Read for Remote<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.chunk.len() {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    let text = error.to_string();
                    self.failed = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.used);
        buffer[..count].copy_from_slice(&self.chunk[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}

/// Forward only, which is what reading an archive takes.
impl Seek for Remote<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let left = (self.chunk.len() - self.used) as u64;
        let at = self.next - left;
        let target = match to {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::Current(by) => at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let ahead = target.and_then(|target| target.checked_sub(at));
        let ahead = ahead.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        if ahead <= left {
            self.used += usize::try_from(ahead).unwrap_or(0);
            return Ok(at + ahead);
        }
        self.next += ahead - left;
        (self.chunk, self.used, self.body, self.piece) = (Vec::new(), 0, None, FIRST);
        Ok(self.next)
    }
}
