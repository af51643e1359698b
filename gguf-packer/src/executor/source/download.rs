//! One file of the web becomes a content of the store: proved where there is something to prove it by, and
//! gone on with where an earlier try broke off.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::FileExt;
use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE,
};

use crate::Error;
use crate::digest::Digest;
use crate::executor::Unit;
use crate::executor::run::{Run, Teller, key};
use crate::store::disk;
use crate::web::begins_at;

use super::proof::{Hashes, Proof};
use crate::executor::web::{Answer, Ask, Patience, TRIES, Web};

/// What is wanted.
pub(super) struct Wanted<'a> {
    pub(super) url: &'a str,
    pub(super) token: Option<&'a str>,
    /// The file as progress calls it.
    pub(super) name: &'a str,
    pub(super) proof: Proof,
    /// Bytes, when they are known before.
    pub(super) size: Option<u64>,
    /// Headers of the first request, as those that ask whether something has changed.
    pub(super) headers: Vec<(HeaderName, String)>,
}

/// What came of it.
pub(super) enum Got {
    /// A content of the store, and the headers that came with it.
    Content { digest: Digest, size: u64, headers: HeaderMap, url: String },
    /// It is what it was.
    Unchanged,
}

/// Downloads a file into the store.
pub(super) fn download(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &Wanted<'_>,
) -> Result<Got, Error> {
    let mut partial = Partial::open(run, teller, wanted)?;
    if let Some(there) = there(run, wanted) {
        partial.remove();
        return Ok(there);
    }
    let web = run.web()?;
    let (note, go_on) = (|text: &str| teller.note(text), || run.go_on());
    let patience = Patience { note: &note, go_on: &go_on };
    let (mut tries, mut again) = (0, true);
    loop {
        let before = partial.size;
        let Some(mut answer) = ask(web, wanted, &mut partial, &patience)? else {
            return Ok(Got::Unchanged);
        };
        let (headers, url) = (answer.response.headers().clone(), answer.response.url().to_string());
        let end = receive(run, teller, wanted, &mut partial, &mut answer)?;
        let Some(broken) = end else {
            match partial.finish(run, wanted)? {
                Some((digest, size)) => return Ok(Got::Content { digest, size, headers, url }),
                // What an earlier try left was of something else.
                None if before > 0 && again => again = false,
                None => return Err(mismatch(wanted, &partial)),
            }
            continue;
        };
        tries = if partial.size > before { 0 } else { tries + 1 };
        let why = format!(
            "the download of {} stopped after {} bytes ({broken})",
            wanted.name, partial.size
        );
        if tries >= TRIES {
            return Err(
                Error::new(why).hint("run the same command again: it resumes where it stopped")
            );
        }
        web.pause(&why, web.wait * 2_u32.pow(tries), &patience)?;
    }
}

/// The file, when another process has finished it while we waited.
fn there(run: &Run<'_>, wanted: &Wanted<'_>) -> Option<Got> {
    let (Proof::Sha256(digest), Some(size)) = (&wanted.proof, wanted.size) else { return None };
    let (headers, url) = (HeaderMap::new(), wanted.url.to_owned());
    let there = run.store().blob_size(digest) == Some(size);
    there.then_some(Got::Content { digest: *digest, size, headers, url })
}

/// Asks for what is missing; nothing when the server says that it has not changed.
fn ask<'w>(
    web: &'w Web,
    wanted: &Wanted<'_>,
    partial: &mut Partial,
    patience: &Patience<'_>,
) -> Result<Option<Answer<'w>>, Error> {
    loop {
        let mut headers = wanted.headers.clone();
        if partial.size > 0 {
            headers = vec![(RANGE, format!("bytes={}-", partial.size))];
            if let Some(tag) = &partial.tag {
                headers.push((IF_RANGE, tag.clone()));
            }
        }
        let answer = web.get(&Ask { url: wanted.url, token: wanted.token, headers }, patience)?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::PARTIAL_CONTENT
                if begins_at(answer.response.headers()) == Some(partial.size) => {}
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT if partial.size > 0 => {
                partial.begin_anew()?;
                continue;
            }
            // The server knows no ranges, or the file has changed.
            status if status.is_success() => partial.begin_anew()?,
            status => return Err(refusal(wanted, status)),
        }
        if partial.size == 0 {
            let tag = answer.header(ETAG).filter(|tag| !tag.starts_with("W/"));
            partial.tag_with(tag.or_else(|| answer.header(LAST_MODIFIED)))?;
        }
        return Ok(Some(answer));
    }
}

fn refusal(wanted: &Wanted<'_>, status: StatusCode) -> Error {
    let error = Error::new(format!("cannot download {}: the server answered {status}", wanted.url));
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => error.hint("check the address"),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => super::no_access(error, wanted.token),
        _ => error,
    }
}

/// Writes the body; says what broke off, if something did.
fn receive(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &Wanted<'_>,
    partial: &mut Partial,
    answer: &mut Answer<'_>,
) -> Result<Option<String>, Error> {
    let length = answer.header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    let total = wanted.size.or(length.map(|length| length + partial.size));
    loop {
        run.go_on()?;
        match answer.chunk() {
            Ok(Some(chunk)) => partial.write(chunk.as_ref())?,
            Ok(None) => break,
            Err(why) => return Ok(Some(why)),
        }
        if wanted.size.is_some_and(|size| partial.size > size) {
            break;
        }
        teller.step(wanted.name, partial.size, total, Unit::Bytes);
    }
    let short = total.is_some_and(|total| partial.size < total);
    Ok(short.then(|| "the connection was closed".to_owned()))
}

/// What came is something else: nothing of it stays.
fn mismatch(wanted: &Wanted<'_>, partial: &Partial) -> Error {
    partial.remove();
    let found = wanted.proof.found(&partial.last);
    let expected = wanted.proof.to_string();
    let size = match wanted.size {
        Some(size) if size != partial.last_size => {
            format!(" ({} bytes instead of {size})", partial.last_size)
        }
        _ => String::new(),
    };
    Error::new(format!("checksum mismatch for {}: it is {found}, not {expected}{size}", wanted.url))
        .hint("check the checksum: the server may have a new file, or the download is damaged")
}

/// A file that is on its way. One process at a time writes it.
struct Partial {
    folder: PathBuf,
    file: File,
    _lock: File,
    size: u64,
    /// Tells whether the file of the server is still the same one.
    tag: Option<String>,
    hashes: Hashes,
    last: Hashes,
    last_size: u64,
}

impl Partial {
    fn open(run: &Run<'_>, teller: &Teller<'_>, wanted: &Wanted<'_>) -> Result<Self, Error> {
        let name = key("download", &(wanted.url, wanted.proof.to_string())).hex();
        let folder = run.store().root().join("partial").join(name);
        let lock = lock(run, teller, &folder)?;
        let path = folder.join("content");
        let file = disk::go_on(&path, File::options().create(true).append(true).read(true))?;
        let tag = fs::read_to_string(folder.join("tag")).ok().filter(|tag| !tag.is_empty());
        let hashes = Hashes::of(&wanted.proof);
        let (last, last_size) = (hashes.clone(), 0);
        let mut partial = Self { folder, file, _lock: lock, size: 0, tag, hashes, last, last_size };
        // Without a proof or a tag nobody knows whether the rest belongs to what is there.
        if partial.tag.is_none() && wanted.proof == Proof::None {
            partial.begin_anew()?;
        } else {
            partial.read_again()?;
        }
        Ok(partial)
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::io("write", &self.folder.join("content"), error)
    }

    fn read_again(&mut self) -> Result<(), Error> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = self.file.read(&mut buffer).map_err(|e| self.failed(&e))?;
            if read == 0 {
                return Ok(());
            }
            self.hashes.update(&buffer[..read]);
            self.size += read as u64;
        }
    }

    fn begin_anew(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(|e| self.failed(&e))?;
        self.hashes.clear();
        self.size = 0;
        Ok(())
    }

    fn tag_with(&mut self, tag: Option<String>) -> Result<(), Error> {
        let path = self.folder.join("tag");
        fs::write(&path, tag.as_deref().unwrap_or_default())
            .map_err(|e| Error::io("write", &path, &e))?;
        self.tag = tag;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|e| self.failed(&e))?;
        self.hashes.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives the file to the store, unless it is not what it should be: then all of it goes.
    fn finish(
        &mut self,
        run: &Run<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Option<(Digest, u64)>, Error> {
        let size_fits = wanted.size.is_none_or(|size| size == self.size);
        if !size_fits || !wanted.proof.holds(&self.hashes, self.size) {
            (self.last, self.last_size) = (self.hashes.clone(), self.size);
            self.begin_anew()?;
            return Ok(None);
        }
        let (digest, size) = (self.hashes.sha256(), self.size);
        run.store().take_hashed(&self.folder.join("content"), &digest)?;
        self.remove();
        Ok(Some((digest, size)))
    }

    fn remove(&self) {
        // What stays is removed with the store's other leftovers.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until no other process downloads the same.
fn lock(run: &Run<'_>, teller: &Teller<'_>, folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let mut told = false;
    loop {
        run.go_on()?;
        fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
        let file = match File::options().create(true).append(true).open(&path) {
            Ok(file) => file,
            // Whoever was done has removed the folder just now.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("open", &path, &error)),
        };
        if FileExt::try_lock(&file).is_ok() {
            // Whoever had it has removed the folder when it was done, and another one may have made it again.
            if is_same(&file, &path) {
                return Ok(file);
            }
            continue;
        }
        if !told {
            teller.note("another process is downloading the same file; waiting for it");
            told = true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether `path` still is the file that was opened.
#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: &fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if place(&a) == place(&b))
}

/// Whether `path` still is the file that was opened: an open file is not removed here.
#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}
