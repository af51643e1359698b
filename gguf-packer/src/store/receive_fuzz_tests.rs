//! No bytes of a layer make the reader panic; what it takes it gives back byte for byte, and no path leads out.

use std::io::Read;
use std::time::{Duration, Instant};

use tar::{Builder, EntryType, Header};

use super::*;
use crate::tree::Kind;

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        let most = most.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// A small tar of everything that a layer has.
fn sample() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut add = |kind, path: &str, link: &str, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if link.is_empty() {
            tar.append_data(&mut header, path, bytes).unwrap();
        } else {
            tar.append_link(&mut header, path, link).unwrap();
        }
    };
    add(EntryType::Directory, "models/", "", b"");
    add(EntryType::Regular, "models/a", "", &[7; 700]);
    add(EntryType::Link, "models/b", "models/a", b"");
    add(EntryType::Symlink, "models/c", "../a", b"");
    add(EntryType::Regular, &format!("{}x", "long/".repeat(30)), "", b"text");
    add(EntryType::XHeader, "pax", "", b"19 path=models/pax\n");
    add(EntryType::Regular, "short", "", b"0123456789");
    add(EntryType::Regular, "models/.wh.gone", "", b"");
    tar.into_inner().unwrap()
}

/// Where a change of one byte means something: names, sizes, kinds, links, and the checksum is made right again.
fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let block = dice.below(bytes.len() / 512) * 512;
    match dice.below(8) {
        0 => bytes.truncate(dice.below(bytes.len()) + 1),
        1 => {
            let at = dice.below(bytes.len());
            bytes[at] = u8::try_from(dice.below(256)).unwrap();
        }
        2 => {
            let from = dice.below(bytes.len() / 512) * 512;
            let copy = bytes[from..(from + 512).min(bytes.len())].to_vec();
            bytes.splice(block..block, copy);
        }
        kind => {
            let fields = [(0, 100), (100, 8), (124, 12), (156, 1), (157, 100)];
            let (field, length) = fields[kind - 3];
            let pieces: [&[u8]; 9] = [
                b"../../x",
                b"/etc/x",
                b"\0",
                b"77777777777",
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                b"L",
                b"x",
                b"models",
                b"./././a",
            ];
            let piece = pieces[dice.below(pieces.len())];
            let taken = piece.len().min(length);
            let end = (block + field + taken).min(bytes.len());
            let start = (block + field).min(end);
            bytes[start..end].copy_from_slice(&piece[..end - start]);
        }
    }
    if dice.below(4) != 0 {
        sum(bytes, block);
    }
}

fn sum(bytes: &mut [u8], block: usize) {
    let Some(header) = bytes.get_mut(block..block + 512) else { return };
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn changed_layers_are_taken_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_at(folder.path()).unwrap();
    let (mut dice, begin, mut taken) = (Dice(1), Instant::now(), 0);
    for _ in 0..1_500 {
        let mut bytes = sample();
        for _ in 0..=dice.below(3) {
            change(&mut bytes, &mut dice);
        }
        let digest = Digest::of(&bytes);
        let mut receiver = store.receive_layer(&digest, Compression::None).unwrap();
        let size = dice.below(2_000) + 1;
        let written = bytes.chunks(size).try_for_each(|chunk| receiver.write(chunk));
        let Ok(layer) = written.and_then(|()| receiver.finish(None)) else { continue };
        let mut again = Vec::new();
        store.read_layer(&layer.diff_id).unwrap().read_to_end(&mut again).unwrap();
        assert_eq!(again, bytes);
        for entry in store.layer_entries(&layer.diff_id).unwrap() {
            let mut parts = entry.path.split('/');
            let inside = parts.all(|part| !["", ".", ".."].contains(&part));
            assert!(inside || (entry.path.is_empty() && entry.kind == Kind::Opaque), "{entry:?}");
            if let Kind::File { digest, size } = entry.kind {
                assert_eq!(store.blob_size(&digest), Some(size), "{}", entry.path);
            }
        }
        taken += 1;
        assert!(begin.elapsed() < Duration::from_secs(60), "it hangs");
    }
    assert!(taken > 100, "{taken}");
    store.check(true).unwrap();
}
