//! Uploads of layers: streamed, gone on with where they broke off.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE,
};
use reqwest::{Body, Method, Response, StatusCode};
use tokio::sync::mpsc;

use super::ask::{Ask, Tries, scope};
use super::http::{Silence, is_of_the_web};
use super::{Session, refusal};
use crate::Error;
use crate::digest::Digest;
use crate::gguf::bytes;
use crate::progress::Event;
use crate::store::Store;
use crate::web::{is_passing, is_same_host};

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// Pieces that may wait to be sent.
const QUEUE: usize = 4;

/// Bytes of a request where not all may come at once: Cloudflare lets 100 MB through, and Amazon ECR wants 5 MiB at least.
const CHUNK: u64 = if cfg!(test) { 1 << 20 } else { 64 << 20 };

/// What is uploaded.
enum Content<'a> {
    Bytes(&'a [u8]),
    Layer(&'a Store),
    File(&'a Store),
}

/// A content on its way.
struct Upload<'a> {
    content: Content<'a>,
    digest: &'a Digest,
    size: u64,
    /// Most bytes of one request, once a larger one was refused.
    most: Option<u64>,
}

/// An upload that has begun: where it goes on, and from which byte.
struct Begun {
    location: url::Url,
    at: u64,
}

impl Session<'_> {
    /// Uploads a layer unless the registry has it; `known` are repositories of the same registry that may.
    pub(super) fn push_layer(
        &self,
        store: &Store,
        digest: &Digest,
        size: u64,
        known: &[String],
    ) -> Result<(), Error> {
        self.push_content(Content::Layer(store), "layer", digest, size, known)
    }

    /// Uploads a file of the store as it is, unless the registry has it; `known` are repositories that may.
    pub(super) fn push_file(
        &self,
        store: &Store,
        digest: &Digest,
        size: u64,
        known: &[String],
    ) -> Result<(), Error> {
        self.push_content(Content::File(store), "file", digest, size, known)
    }

    fn push_content(
        &self,
        content: Content<'_>,
        text: &str,
        digest: &Digest,
        size: u64,
        known: &[String],
    ) -> Result<(), Error> {
        let id = digest.short();
        (self.report)(Event::Started { id: &id, text });
        let has = self.has(digest)?;
        let upload = Upload { content, digest, size, most: self.most() };
        let how = if has { "already there" } else { self.upload(upload, known)? };
        (self.report)(Event::Done { id: &id, text: how });
        Ok(())
    }

    /// Uploads a small document unless the registry has it.
    pub(super) fn push_bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(bytes);
        if self.has(&digest)? {
            return Ok(());
        }
        let (content, size) = (Content::Bytes(bytes), bytes.len() as u64);
        self.upload(Upload { content, digest: &digest, size, most: self.most() }, &[]).map(drop)
    }

    /// Most bytes of a request that the registry is known to take.
    fn most(&self) -> Option<u64> {
        self.client.tokens.is_limited(self.registry()).then_some(CHUNK)
    }

    fn has(&self, digest: &Digest) -> Result<bool, Error> {
        let response = self.ask(&Ask::new(Method::HEAD, self.path(&format!("blobs/{digest}"))))?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refusal::of(self, response)),
        }
    }

    fn upload(&self, mut upload: Upload<'_>, known: &[String]) -> Result<&'static str, Error> {
        let (mut tries, mut furthest) = (Tries::default(), 0);
        let begun = self.begin_upload(upload.digest, known)?;
        let Some(mut begun) = begun else { return Ok("mounted") };
        loop {
            let sent = self.send_rest(&upload, &mut begun)?;
            let status = sent.as_ref().map(Response::status).ok();
            if status.is_some_and(|status| status.is_success()) {
                return Ok("pushed");
            }
            if status == Some(StatusCode::PAYLOAD_TOO_LARGE) && upload.in_chunks() {
                if self.client.tokens.limits(self.registry()) {
                    let (registry, chunk) = (self.registry(), bytes(CHUNK));
                    self.note(&format!("{registry} limits requests; sending {chunk} at a time"));
                }
                begun = self.fresh()?;
                continue;
            }
            self.trouble(sent, &mut tries)?;
            // It may have all of it, and only the answer was lost.
            if begun.at == upload.size && self.has(upload.digest)? {
                return Ok("pushed");
            }
            let lost = [StatusCode::NOT_FOUND, StatusCode::RANGE_NOT_SATISFIABLE];
            begun = match status {
                Some(status) if lost.contains(&status) => self.fresh()?,
                _ => self.go_on(&begun)?,
            };
            if begun.at > furthest {
                furthest = begun.at;
                tries.forget();
            }
        }
    }

    /// Waits after what may pass; an error is what will not.
    fn trouble(&self, sent: Result<Response, Silence>, tries: &mut Tries) -> Result<(), Error> {
        let response = match sent {
            Ok(response) => response,
            Err(silence) => return self.wait_out(silence, tries),
        };
        let why = match response.status() {
            status if is_passing(status) => return self.wait_after(response, tries),
            // The next question gets a new one.
            StatusCode::UNAUTHORIZED => "the token expired",
            StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => {
                "the registry lost the upload"
            }
            _ => return Err(refusal::of(self, response)),
        };
        self.wait_out(Silence { why: why.to_owned(), lasting: false }, tries)
    }

    /// Begins an upload; none when the registry has the content from another of its repositories.
    fn begin_upload(&self, digest: &Digest, known: &[String]) -> Result<Option<Begun>, Error> {
        for from in known {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("mount", digest.to_string().as_str()), ("from", from)])
                .finish();
            let path = self.path(&format!("blobs/uploads/?{query}"));
            let response = self.ask(&Ask::new(Method::POST, path).from(from))?;
            match response.status() {
                StatusCode::CREATED => return Ok(None),
                StatusCode::ACCEPTED => return self.begun(&response, 0).map(Some),
                // Not from there; perhaps as if there was nothing to mount from.
                _ => {}
            }
        }
        self.fresh().map(Some)
    }

    fn fresh(&self) -> Result<Begun, Error> {
        let response = self.ask(&Ask::new(Method::POST, self.path("blobs/uploads/")))?;
        if response.status() == StatusCode::ACCEPTED {
            return self.begun(&response, 0);
        }
        Err(refusal::of(self, response))
    }

    /// Asks how far an upload came; begins anew when the registry does not know it.
    fn go_on(&self, begun: &Begun) -> Result<Begun, Error> {
        let response = self.ask(&Ask::new(Method::GET, begun.location.as_str()))?;
        // Quay tells no address, and a range with a byte too many.
        if !response.status().is_success() || !response.headers().contains_key(LOCATION) {
            return self.fresh();
        }
        let range = response.headers().get(RANGE).and_then(|value| value.to_str().ok());
        let last: Option<u64> = range
            .map(|range| range.trim_start_matches("bytes="))
            .and_then(|range| range.split_once('-')?.1.parse().ok());
        // `0-0` is what registries say of nothing.
        let at = last.filter(|last| *last > 0).map_or(0, |last| last + 1);
        self.begun(&response, at)
    }

    fn begun(&self, response: &Response, at: u64) -> Result<Begun, Error> {
        let said = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = said.and_then(|location| response.url().join(location).ok());
        let host = self.host()?;
        let location =
            url.filter(is_of_the_web).and_then(|url| secured(url, &host.base, host.insecure));
        let location = location.ok_or_else(|| {
            let said = said.map_or(String::new(), |location| format!(": `{location}`"));
            let (registry, name) = (self.registry(), self.name);
            Error::refused(format!("{registry} sent no usable upload URL for `{name}`{said}"))
        })?;
        Ok(Begun { location, at })
    }

    /// Sends what is missing, then the digest: the answer to the last of it, or a refusal before.
    fn send_rest(
        &self,
        upload: &Upload<'_>,
        begun: &mut Begun,
    ) -> Result<Result<Response, Silence>, Error> {
        if begun.at > upload.size {
            // Not ours.
            *begun = self.fresh()?;
        }
        while begun.at < upload.size {
            let to = upload.most.map_or(upload.size, |most| upload.size.min(begun.at + most));
            let sent = match self.patch(upload, begun, to)? {
                Ok(response) => response,
                Err(silence) => return Ok(Err(silence)),
            };
            // 202, but Amazon ECR says 201 and others 204: none of them is the end of it.
            if !sent.status().is_success() {
                return Ok(Ok(sent));
            }
            begun.at = to;
            if sent.headers().contains_key(LOCATION) {
                *begun = self.begun(&sent, to)?;
            }
        }
        let mut url = begun.location.clone();
        url.query_pairs_mut().append_pair("digest", &upload.digest.to_string());
        self.ask_once(&Ask::new(Method::PUT, url).patient())
    }

    /// Streams the content from where the upload is.
    fn patch(
        &self,
        upload: &Upload<'_>,
        begun: &Begun,
        to: u64,
    ) -> Result<Result<Response, Silence>, Error> {
        let host = self.host()?;
        let sent = Arc::new(AtomicU64::new(begun.at));
        let mut request = host
            .client
            .patch(begun.location.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, to - begun.at)
            .body(upload.body(begun.at, to, &sent)?);
        if begun.at > 0 || to < upload.size {
            request = request.header(CONTENT_RANGE, format!("{}-{}", begun.at, to - 1));
        }
        let scope = scope(self.name, true, None);
        // It may go to another host: the token is not for that one.
        let own = is_same_host(begun.location.as_str(), &host.base);
        let token = self.client.tokens.get(self.registry(), &scope).filter(|_| own);
        if let Some(Ok(mut value)) = token.as_deref().map(HeaderValue::from_str) {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let id = upload.digest.short();
        let alive = || {
            let done = sent.load(Ordering::Relaxed);
            (self.report)(Event::Step { id: &id, done, total: upload.size });
            done
        };
        Ok(self.send_patiently(request, alive, to))
    }
}

impl Upload<'_> {
    /// Goes over to smaller requests; false where that cannot help.
    fn in_chunks(&mut self) -> bool {
        let helps = self.most.is_none() && self.size > CHUNK;
        self.most = Some(CHUNK);
        helps
    }

    /// The content between two bytes.
    fn body(&self, from: u64, to: u64, sent: &Arc<AtomicU64>) -> Result<Body, Error> {
        let digest = self.digest;
        match &self.content {
            Content::Bytes(bytes) => {
                let at = |byte| usize::try_from(byte).expect("it is not more than their length");
                Ok(Body::from(bytes[at(from)..at(to)].to_vec()))
            }
            Content::Layer(store) => {
                let mut reader = store.read_layer(digest)?;
                let sought = reader.seek(SeekFrom::Start(from));
                sought.map_err(|e| Error::new(format!("cannot read the layer {digest}: {e}")))?;
                stream(reader.take(to - from), Arc::clone(sent))
            }
            Content::File(store) => {
                let mut file = store.open_blob(digest)?;
                let sought = file.seek(SeekFrom::Start(from));
                sought.map_err(|e| Error::io("read", &store.blob_path(digest), &e))?;
                stream(file.take(to - from), Arc::clone(sent))
            }
        }
    }
}

/// An upload's address, with TLS where the registry at `base` has it; none where that cannot be. A proxy that ends TLS may
/// not tell the registry, which then names itself with `http`, and without its port.
fn secured(mut url: url::Url, base: &str, insecure: bool) -> Option<url::Url> {
    let base = url::Url::parse(base).ok()?;
    if base.scheme() == "https" && url.scheme() == "http" {
        if url.host() == base.host() {
            url.set_scheme("https").and_then(|()| url.set_port(base.port())).ok()?;
        } else if !insecure {
            return None;
        }
    }
    Some(url)
}

/// A body that a thread reads from the store, a little ahead.
fn stream(mut reader: impl Read + Send + 'static, sent: Arc<AtomicU64>) -> Result<Body, Error> {
    let (pieces, queue) = mpsc::channel::<std::io::Result<Vec<u8>>>(QUEUE);
    let read = move || {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            match reader.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
                Ok(0) => return,
                Ok(n) => drop(sent.fetch_add(n as u64, Ordering::Relaxed)),
                Err(error) => return drop(pieces.blocking_send(Err(error))),
            }
            if pieces.blocking_send(Ok(piece)).is_err() {
                return;
            }
        }
    };
    let started = thread::Builder::new().name("upload".to_owned()).spawn(read);
    started.map_err(|e| Error::new(format!("cannot start a thread: {e}")))?;
    let next = |mut queue: mpsc::Receiver<_>| async move { Some((queue.recv().await?, queue)) };
    Ok(Body::wrap_stream(futures_util::stream::unfold(queue, next)))
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
