//! No bytes of a layer make the reader panic; what it takes it gives back byte for byte, and no path leads out.

use std::io::Read;
use std::time::{Duration, Instant};

use tar::{Builder, EntryType, Header};

use super::*;
use crate::mutation::{Dice, change};
use crate::tree::Kind;

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
