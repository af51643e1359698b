//! Downloads: several layers at a time, each going on where it broke off, each verified.

use llama_src::Kind;
use reqwest::header::RANGE;
use reqwest::{Method, Response, StatusCode};

use super::ask::{Ask, Tries};
use super::{Session, refusal};
use crate::Error;
use crate::digest::Digest;
use crate::image::manifest::Descriptor;
use crate::parallel;
use crate::progress::Event;
use crate::store::{Compression, Layer, Receiver, Store};
use crate::web::{begins_at, is_passing};

/// Downloads at the same time.
pub(super) const AT_ONCE: usize = 4;

/// Bytes of a config or another small document.
const SMALL: u64 = 32 << 20;

/// Something to download.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Of the registry, or in full.
    pub(super) url: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// What progress calls it.
    pub(super) text: String,
}

impl Session<'_> {
    /// The layers, of which those that the store has are not asked for.
    pub(super) fn layers(
        &self,
        store: &Store,
        layers: &[(Descriptor, Compression, Digest)],
    ) -> Result<Vec<Layer>, Error> {
        parallel::map(layers, AT_ONCE, |(layer, compression, diff_id)| {
            self.layer(store, layer, *compression, Some(diff_id))
        })
    }

    /// A layer; `diff_id` is what it has to unpack to.
    pub(super) fn layer(
        &self,
        store: &Store,
        layer: &Descriptor,
        compression: Compression,
        diff_id: Option<&Digest>,
    ) -> Result<Layer, Error> {
        let plain = (compression == Compression::None).then_some(&layer.digest);
        if let Some(diff_id) = diff_id.or(plain) {
            if let Some(known) = store.whole_layer(diff_id)? {
                store.forget_partial(&layer.digest)?;
                self.begin(&layer.digest, "layer");
                self.end(&layer.digest, "already there");
                return Ok(known);
            }
        }
        let wanted = self.blob(layer, "layer");
        let mut receiver = store.receive_layer(&layer.digest, compression)?;
        self.download(&wanted, &mut receiver)?;
        let done = receiver.finish(diff_id).map_err(|error| self.wrong(&wanted, &error))?;
        self.end(&layer.digest, "pulled");
        Ok(done)
    }

    /// A file, as it is in the registry.
    pub(super) fn file(&self, store: &Store, wanted: &Wanted) -> Result<(), Error> {
        if store.blob_size(&wanted.digest) == Some(wanted.size) {
            store.forget_partial(&wanted.digest)?;
            self.begin(&wanted.digest, &wanted.text);
            self.end(&wanted.digest, "already there");
            return Ok(());
        }
        let mut receiver = store.receive_blob(&wanted.digest)?;
        self.download(wanted, &mut receiver)?;
        let size =
            receiver.finish_as(&wanted.digest).map_err(|error| self.wrong(wanted, &error))?;
        debug_assert_eq!(size, wanted.size, "what has the digest has the size");
        self.end(&wanted.digest, "pulled");
        Ok(())
    }

    /// A small document, which is kept nowhere.
    pub(super) fn small(&self, blob: &Descriptor, what: &str) -> Result<Vec<u8>, Error> {
        struct Memory(Vec<u8>);
        impl Receiver for Memory {
            fn received(&self) -> u64 {
                self.0.len() as u64
            }
            fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
                self.0.extend_from_slice(bytes);
                Ok(())
            }
        }
        if blob.size > SMALL {
            let text = format!("the {what} of `{}` is too large: {} bytes", self.name, blob.size);
            return Err(Error::new(text));
        }
        let (mut memory, wanted) = (Memory(Vec::new()), self.blob(blob, what));
        self.download(&wanted, &mut memory)?;
        let found = Digest::of(&memory.0);
        if found == blob.digest {
            return Ok(memory.0);
        }
        let error = Error::new(format!("the registry sent {found}, not {}", blob.digest));
        Err(self.wrong(&wanted, &error))
    }

    pub(super) fn blob(&self, blob: &Descriptor, what: &str) -> Wanted {
        Wanted {
            url: self.path(&format!("blobs/{}", blob.digest)),
            digest: blob.digest,
            size: blob.size,
            text: what.to_owned(),
        }
    }

    fn begin(&self, digest: &Digest, text: &str) {
        let id = digest.short();
        (self.report)(Event::Started { id: &id, text });
    }

    fn end(&self, digest: &Digest, text: &str) {
        (self.report)(Event::Done { id: &digest.short(), text });
    }

    /// Asks for what is missing until nothing is.
    fn download(&self, wanted: &Wanted, sink: &mut dyn Receiver) -> Result<(), Error> {
        self.begin(&wanted.digest, &wanted.text);
        let mut tries = Tries::default();
        while sink.received() < wanted.size {
            let from = sink.received();
            let mut ask = Ask::new(Method::GET, &wanted.url).patient();
            if from > 0 {
                ask = ask.header(RANGE, format!("bytes={from}-"));
            }
            let response = match self.ask_once(&ask)? {
                Err(silence) => {
                    self.wait_out(silence, &mut tries)?;
                    continue;
                }
                Ok(response) if is_passing(response.status()) => {
                    self.wait_after(response, &mut tries)?;
                    continue;
                }
                Ok(response) => response,
            };
            if !response.status().is_success() {
                return Err(refusal::of(self, response).looked_in(&wanted.url));
            }
            let received = self.receive(wanted, sink, response)?;
            if sink.received() > from {
                tries.forget();
            }
            if let Err(silence) = received {
                self.wait_out(silence, &mut tries)?;
            }
        }
        Ok(())
    }

    /// Takes a body, less what is here already.
    fn receive(
        &self,
        wanted: &Wanted,
        sink: &mut dyn Receiver,
        mut response: Response,
    ) -> Result<Result<(), super::http::Silence>, Error> {
        // A server without ranges sends all of it.
        let begins = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                begins_at(response.headers()).unwrap_or_else(|| sink.received())
            }
            _ => 0,
        };
        let mut skip = sink.received().checked_sub(begins).ok_or_else(|| {
            Error::new(format!("{} sent a different range than requested", self.registry()))
        })?;
        let id = wanted.digest.short();
        loop {
            let chunk = match self.client.http.chunk(&mut response) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(silence) => return Ok(Err(silence)),
            };
            let bytes = chunk.as_ref();
            let known = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
            skip -= known as u64;
            let bytes = &bytes[known..];
            if sink.received() + bytes.len() as u64 > wanted.size {
                let error =
                    Error::new(format!("the registry sent more than {} bytes", wanted.size));
                return Err(self.wrong(wanted, &error));
            }
            sink.write(bytes).map_err(|error| self.wrong(wanted, &error))?;
            (self.report)(Event::Step { id: &id, done: sink.received(), total: wanted.size });
        }
        let missing = wanted.size - sink.received();
        let why = format!("{} bytes of {} are missing", missing, wanted.size);
        Ok(if missing == 0 { Ok(()) } else { Err(super::http::Silence { why, lasting: false }) })
    }

    /// Says which part of which name was wrong.
    fn wrong(&self, wanted: &Wanted, error: &Error) -> Error {
        let what = &wanted.text;
        let place = format!("cannot pull the {what} {} of `{}`", wanted.digest, self.name);
        explained(&place, error)
    }
}

/// Says whose fault it may be: the registry's, unless this machine failed.
fn explained(place: &str, error: &Error) -> Error {
    if matches!(error.kind(), Kind::DiskFull | Kind::OutOfMemory | Kind::Io) {
        return error.clone().at(place);
    }
    Error::new(format!("{place}: {error}")).hint(
        "run the same command again; if it fails again, the copy in the registry is \
        damaged",
    )
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use super::*;

    #[test]
    fn a_registry_is_not_blamed_for_this_machine() {
        let told = |kind: ErrorKind| {
            let error = Error::from_io("cannot write x", &io::Error::from(kind));
            explained("cannot pull it", &error).to_string()
        };
        let full = told(ErrorKind::StorageFull);
        assert!(full.starts_with("cannot pull it: cannot write x: "), "{full}");
        let hints: Vec<&str> = full.lines().skip(1).collect();
        assert_eq!(hints, ["  hint: free some disk space and run the same command again"]);
        assert!(!told(ErrorKind::PermissionDenied).contains("hint"));
        let wrong = explained("cannot pull it", &Error::new("the content is another one"));
        assert!(wrong.to_string().ends_with("the copy in the registry is damaged"), "{wrong}");
    }
}
