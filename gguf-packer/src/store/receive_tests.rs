//! Tests of layers that arrive: whole, in pieces, broken off, compressed, and wrong in every way.

use std::fs;
use std::io::Read;

use tar::{Builder, EntryType, Header};

use super::*;
use crate::store::testing;
use crate::tree::{Entry, Kind};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_at(folder.path()).unwrap();
    (folder, store)
}

fn add(tar: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, link: &str, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    if link.is_empty() {
        tar.append_data(&mut header, path, bytes).unwrap();
    } else {
        tar.append_link(&mut header, path, link).unwrap();
    }
}

/// Any bytes, twice as many as can be gone on from.
fn large() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..2_500_000).map(&mut next).collect()
}

/// A layer as others make them: a large file between small ones, links, a device, and trailing zeros.
fn foreign() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, EntryType::Directory, "./", "", b"");
    add(&mut tar, EntryType::Directory, "./models/", "", b"");
    add(&mut tar, EntryType::Regular, "models/small", "", b"small");
    add(&mut tar, EntryType::Regular, "models/m.gguf", "", &large());
    add(&mut tar, EntryType::Link, "models/same", "models/m.gguf", b"");
    add(&mut tar, EntryType::Symlink, "models/link", "/models/m.gguf", b"");
    add(&mut tar, EntryType::Regular, &format!("{}x", "long/".repeat(30)), "", b"");
    add(&mut tar, EntryType::Char, "dev", "", b"");
    add(&mut tar, EntryType::Regular, ".wh.gone", "", b"");
    add(&mut tar, EntryType::Regular, "models/sub/.wh..wh..opq", "", b"");
    add(&mut tar, EntryType::Regular, ".wh..wh.plnk", "", b"");
    let mut bytes = tar.into_inner().unwrap();
    bytes.resize(bytes.len() + 8192, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn receive(store: &Store, blob: &[u8], compression: Compression) -> Result<Layer, Error> {
    let mut receiver = store.receive_layer(&Digest::of(blob), compression)?;
    let from = usize::try_from(receiver.received()).unwrap();
    for piece in blob[from..].chunks(100_000) {
        receiver.write(piece)?;
    }
    receiver.finish(None)
}

fn leftovers(store: &Store) -> Vec<String> {
    let mut left = disk::names(&store.root().join("partial")).unwrap();
    left.extend(disk::names(store.temp.as_ref().unwrap().path()).unwrap());
    left.retain(|name| name != "lock");
    left
}

#[test]
fn a_foreign_layer_is_read_as_it_came() {
    let tar = foreign();
    for (blob, compression) in [
        (tar.clone(), Compression::None),
        (gzip(&tar), Compression::Gzip),
        ([gzip(&tar[..700]), gzip(&tar[700..])].concat(), Compression::Gzip),
        (testing::zstd(&tar), Compression::Zstd),
    ] {
        let (_folder, store) = store();
        let layer = receive(&store, &blob, compression).unwrap();
        assert_eq!(layer, Layer { diff_id: Digest::of(&tar), size: tar.len() as u64 });
        let mut again = Vec::new();
        store.read_layer(&layer.diff_id).unwrap().read_to_end(&mut again).unwrap();
        assert!(again == tar, "{compression:?}");
        assert_eq!(leftovers(&store), Vec::<String>::new());
        // The recipe has none of the contents.
        let recipe = disk::size(&store.layer_path(&layer.diff_id)).unwrap();
        assert!(recipe < 30_000, "{recipe}");
    }
}

#[test]
fn a_foreign_layer_says_what_it_has() {
    let (_folder, store) = store();
    let layer = receive(&store, &foreign(), Compression::None).unwrap();
    let file = |bytes: &[u8]| Kind::File { digest: Digest::of(bytes), size: bytes.len() as u64 };
    let entries = store.layer_entries(&layer.diff_id).unwrap();
    let found: Vec<(&str, &Kind)> =
        entries.iter().map(|Entry { path, kind, .. }| (path.as_str(), kind)).collect();
    let long = "long/".repeat(30) + "x";
    assert_eq!(
        found,
        [
            ("models", &Kind::Folder),
            ("models/small", &file(b"small")),
            ("models/m.gguf", &file(&large())),
            ("models/same", &file(&large())),
            ("models/link", &Kind::Link { target: "/models/m.gguf".to_owned() }),
            (&long, &file(b"")),
            ("dev", &Kind::Special),
            ("gone", &Kind::Whiteout),
            ("models/sub", &Kind::Opaque),
        ]
    );
    assert_eq!(store.blob_size(&Digest::of("")), Some(0));
    assert_eq!(store.blob_size(&Digest::of(large())), Some(2_500_000));
}

#[test]
fn what_broke_off_is_gone_on_from() {
    let tar = foreign();
    for (blob, compression) in [(tar.clone(), Compression::None), (gzip(&tar), Compression::Gzip)] {
        let (_folder, store) = store();
        let mut asked = Vec::new();
        // In a header, in the small file, in the large one twice, and behind it.
        for share in [300, 2100, 900_000, 1_900_000, blob.len() - 100] {
            let mut receiver = store.receive_layer(&Digest::of(&blob), compression).unwrap();
            let from = usize::try_from(receiver.received()).unwrap();
            asked.push(from);
            receiver.write(&blob[from..share.max(from)]).unwrap();
            drop(receiver);
        }
        let from = store.receive_layer(&Digest::of(&blob), compression).unwrap().received();
        assert_eq!(from, blob.len() as u64 - 100, "{asked:?}");
        assert_eq!(asked[1..], [300, 2100, 900_000, 1_900_000]);
        let layer = receive(&store, &blob, compression).unwrap();
        assert_eq!(layer.diff_id, Digest::of(&tar));
        assert_eq!(leftovers(&store), Vec::<String>::new());
        store.check(true).unwrap();
    }
}

#[test]
fn two_that_take_the_same_layer_do_not_disturb_each_other() {
    let (_folder, store) = store();
    let tar = foreign();
    let mut first = store.receive_layer(&Digest::of(&tar), Compression::None).unwrap();
    first.write(&tar[..5000]).unwrap();
    let mut second = store.receive_layer(&Digest::of(&tar), Compression::None).unwrap();
    assert_eq!(second.received(), 0);
    second.write(&tar).unwrap();
    let layer = second.finish(Some(&Digest::of(&tar))).unwrap();
    first.write(&tar[5000..]).unwrap();
    assert_eq!(first.finish(None).unwrap(), layer);
    assert_eq!(leftovers(&store), Vec::<String>::new());
}

#[test]
fn another_layer_than_was_asked_for_is_not_stored() {
    let (_folder, store) = store();
    let (tar, wanted) = (foreign(), Digest::of("wanted"));
    let mut receiver = store.receive_layer(&wanted, Compression::None).unwrap();
    receiver.write(&tar).unwrap();
    let error = receiver.finish(None).unwrap_err().to_string();
    assert_eq!(error, format!("the layer has the digest {}, not {wanted}", Digest::of(&tar)));
    let blob = gzip(&tar);
    let mut receiver = store.receive_layer(&Digest::of(&blob), Compression::Gzip).unwrap();
    receiver.write(&blob).unwrap();
    let error = receiver.finish(Some(&wanted)).unwrap_err().to_string();
    assert_eq!(error, format!("the layer unpacks to {}, not {wanted}", Digest::of(&tar)));
    assert_eq!(leftovers(&store), Vec::<String>::new());
    assert_eq!(disk::names(&store.root().join("layers/sha256")).unwrap(), Vec::<String>::new());
}

#[test]
fn a_layer_that_is_none_is_refused() {
    let one = |kind, path: &str, link: &str| {
        let mut tar = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(0);
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
        tar.into_inner().unwrap()
    };
    let pax = |text: &str| {
        let mut tar = Builder::new(Vec::new());
        add(&mut tar, EntryType::XHeader, "pax", "", text.as_bytes());
        add(&mut tar, EntryType::Regular, "x", "", b"");
        tar.into_inner().unwrap()
    };
    let mut flipped = foreign();
    flipped[3] ^= 1;
    let (whole, plain) = (foreign(), Compression::None);
    let (file, link) = (EntryType::Regular, EntryType::Link);
    for (blob, compression, told) in [
        (one(file, "../x", ""), plain, "invalid layer: `../x` is outside the image"),
        (one(file, "a/../../x", ""), plain, "is outside the image"),
        (pax("12 path=a\0b\n"), plain, "is outside the image"),
        (pax(&format!("266 path={}\n", "y".repeat(256))), plain, "is too long"),
        (pax(&format!("526 path={}\n", "d/".repeat(258))), plain, "is more than 256 folders deep"),
        (pax("22 GNU.sparse.major=1\n"), plain, "sparse file"),
        (pax("12 size=-10\n"), plain, "invalid `size`: `-10`"),
        (pax("99 path=x\n"), plain, "invalid pax header"),
        (pax("x"), plain, "invalid pax header"),
        (one(EntryType::GNUSparse, "x", ""), plain, "is a sparse file"),
        (one(EntryType::new(b'Z'), "x", ""), plain, "has the unknown type `Z`"),
        (one(EntryType::Symlink, "x", ""), plain, "is a link without a target"),
        (one(link, "x", "y"), plain, "`x` is a hard link to `y`, which is not a file in the layer"),
        (one(link, "x", "/../etc/passwd"), plain, "is outside the image"),
        (flipped, plain, "the checksum of a header is wrong"),
        (whole[..2_000_000].to_vec(), plain, "bytes too early"),
        (whole[..700].to_vec(), plain, "ends in the middle of an entry"),
        (b"GGUF".repeat(1000), plain, "the checksum of a header is wrong"),
        (b"GGUF".repeat(1000), Compression::Gzip, "cannot unpack the layer"),
        (b"GGUF".repeat(1000), Compression::Zstd, "cannot unpack the layer"),
        (gzip(&whole)[..9000].to_vec(), Compression::Gzip, "the layer"),
    ] {
        let (_folder, store) = store();
        let error = receive(&store, &blob, compression).map(drop).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(leftovers(&store), Vec::<String>::new(), "{told}");
        assert_eq!(disk::names(&store.root().join("layers/sha256")).unwrap(), Vec::<String>::new());
    }
}

#[test]
fn what_is_wrong_of_what_is_here_is_asked_for_again() {
    let (_folder, store) = store();
    let tar = foreign();
    let mut receiver = store.receive_layer(&Digest::of(&tar), Compression::None).unwrap();
    receiver.write(&tar[..2_000_000]).unwrap();
    drop(receiver);
    let folder = store.root().join("partial").join(Digest::of(&tar).hex());
    let names = disk::names(&folder).unwrap();
    let content = folder.join(names.iter().find(|name| name.starts_with("content-")).unwrap());
    fs::write(&content, vec![0; 1_000_000]).unwrap();
    let error = receive(&store, &tar, Compression::None).unwrap_err().to_string();
    assert!(error.starts_with("the layer has the digest"), "{error}");
    assert_eq!(receive(&store, &tar, Compression::None).unwrap().diff_id, Digest::of(&tar));
}
