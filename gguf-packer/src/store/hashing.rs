//! SHA-256 on a thread of its own, so that it costs no time beside reading and writing.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Bytes that are read or handed on at a time.
pub(crate) const CHUNK: usize = 256 << 10;

/// Chunks that may wait for a lane.
const QUEUE: usize = 4;

/// Hashes what passes; a thread is started once there is more than one chunk.
pub(crate) struct Lane {
    pending: Vec<u8>,
    hasher: Sha256,
    worker: Option<Worker>,
}

struct Worker {
    chunks: SyncSender<Arc<Vec<u8>>>,
    thread: JoinHandle<Sha256>,
}

impl Lane {
    pub(crate) fn new() -> Self {
        Self { pending: Vec::new(), hasher: Sha256::new(), worker: None }
    }

    /// Hashes `bytes`.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = bytes.len().min(CHUNK - self.pending.len());
            self.pending.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if self.pending.len() == CHUNK {
                self.hand_on();
            }
        }
    }

    /// Hashes a chunk that others read too, without a copy of it.
    pub(crate) fn update_shared(&mut self, chunk: &Arc<Vec<u8>>) {
        if chunk.len() < CHUNK {
            return self.update(chunk);
        }
        self.hand_on();
        self.send(Arc::clone(chunk));
    }

    /// The digest of all of it.
    pub(crate) fn finish(mut self) -> Digest {
        let Some(worker) = self.worker.take() else {
            self.hasher.update(&self.pending);
            return Digest::finish(self.hasher);
        };
        if !self.pending.is_empty() {
            worker.chunks.send(Arc::new(self.pending)).expect("the thread receives until the end");
        }
        drop(worker.chunks);
        Digest::finish(worker.thread.join().expect("hashing does not panic"))
    }

    fn hand_on(&mut self) {
        if !self.pending.is_empty() {
            let chunk = std::mem::take(&mut self.pending);
            self.send(Arc::new(chunk));
        }
    }

    fn send(&mut self, chunk: Arc<Vec<u8>>) {
        if self.worker.is_none() {
            self.worker = start(&self.hasher);
        }
        match &self.worker {
            Some(worker) => {
                worker.chunks.send(chunk).expect("the thread receives until the end");
            }
            None => self.hasher.update(&*chunk),
        }
    }
}

/// None when there are too many threads; then the caller's one hashes.
fn start(hasher: &Sha256) -> Option<Worker> {
    let (chunks, queue) = mpsc::sync_channel::<Arc<Vec<u8>>>(QUEUE);
    let mut hasher = hasher.clone();
    let run = move || {
        for chunk in queue {
            hasher.update(&*chunk);
        }
        hasher
    };
    let thread = thread::Builder::new().name("hash".to_owned()).spawn(run).ok()?;
    Some(Worker { chunks, thread })
}

/// Reads `from` to its end; each chunk goes to `each`.
pub(crate) fn chunks(
    mut from: impl Read,
    mut each: impl FnMut(Arc<Vec<u8>>) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        from.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if chunk.is_empty() {
            return Ok(());
        }
        each(Arc::new(chunk))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_hashes_pieces_of_any_size() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 5).map(|n| (n % 251) as u8).collect();
        let pieces: [&[usize]; 5] =
            [&[], &[0], &[1, CHUNK], &[CHUNK - 1, 1, CHUNK], &[CHUNK + 7, 2 * CHUNK - 7, 5]];
        for sizes in pieces {
            let (mut lane, mut at) = (Lane::new(), 0);
            for size in sizes {
                lane.update(&bytes[at..at + size]);
                at += size;
            }
            assert_eq!(lane.finish(), Digest::of(&bytes[..at]), "{sizes:?}");
        }
        let mut lane = Lane::new();
        lane.update(b"head");
        let mut all = b"head".to_vec();
        all.extend_from_slice(&bytes);
        chunks(&bytes[..], |chunk| {
            lane.update_shared(&chunk);
            Ok(())
        })
        .unwrap();
        assert_eq!(lane.finish(), Digest::of(all));
    }
}
