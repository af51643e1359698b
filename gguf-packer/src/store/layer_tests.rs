//! Tests of layers: the same bytes everywhere, readable by others, and exactly what was stored.

use std::io::{Seek, SeekFrom};

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_at(folder.path()).unwrap();
    (folder, store)
}

fn entry(path: &str, kind: Kind) -> Entry {
    Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
}

fn file(store: &Store, path: &str, bytes: &[u8]) -> Entry {
    let digest = store.add_bytes(bytes).unwrap();
    entry(path, Kind::File { digest, size: bytes.len() as u64 })
}

fn tar(store: &Store, layer: &Layer) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.read_layer(&layer.diff_id).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// One of each kind, names and numbers that the header has no room for included.
fn all(store: &Store) -> Vec<Entry> {
    let mut owned = file(store, &format!("models/{}", "long/".repeat(40) + "x"), b"deep");
    (owned.uid, owned.gid, owned.mtime) = (3_000_000, 4_000_000, 1 << 34);
    let mut folder = entry("models", Kind::Folder);
    folder.mode = 0o755;
    vec![
        folder,
        file(store, "models/m.gguf", &[7; 1000]),
        file(store, "models/empty", b""),
        file(store, "models/é", &[8; 512]),
        owned,
        entry("models/link", Kind::Link { target: "m.gguf".to_owned() }),
        entry("models/far", Kind::Link { target: "/".to_owned() + &"y".repeat(120) }),
        entry("gone", Kind::Whiteout),
        entry("models/gone", Kind::Whiteout),
        entry("models/sub", Kind::Opaque),
        entry("", Kind::Opaque),
    ]
}

#[test]
fn a_layer_is_the_same_everywhere() {
    let (_folder, store) = store();
    let mut folder = entry("models", Kind::Folder);
    folder.mode = 0o755;
    let layer = store.build_layer(&[folder, file(&store, "models/m.gguf", b"GGUF")]).unwrap();
    assert_eq!(layer.size, 3 * 512 + 1024);
    // As GNU tar makes it: --format=ustar -b1 --owner=0 --group=0 --numeric-owner --mtime=@0.
    let expected = "sha256:01e69ecc4bf7822d5612fd03fdab52c7583c6f2f9fe02c25f87624d0060bda4b";
    assert_eq!(layer.diff_id.to_string(), expected);
    assert_eq!(Digest::of(tar(&store, &layer)), layer.diff_id);
    assert_eq!(store.layer(&layer.diff_id).unwrap(), Some(layer));
}

#[test]
fn what_a_layer_was_built_of_is_what_it_has() {
    let (_folder, store) = store();
    let entries = all(&store);
    let layer = store.build_layer(&entries).unwrap();
    assert_eq!(store.layer_entries(&layer.diff_id).unwrap(), entries);
    let bytes = tar(&store, &layer);
    assert_eq!((bytes.len() as u64, Digest::of(&bytes)), (layer.size, layer.diff_id));
    let mut archive = tar::Archive::new(&bytes[..]);
    let read: Vec<(String, u64, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            (path, entry.size(), entry.header().uid().unwrap())
        })
        .collect();
    assert_eq!(read[1], ("models/m.gguf".to_owned(), 1000, 0));
    assert_eq!(read[3].0, "models/é");
    assert_eq!(read[4].0, entries[4].path);
    assert_eq!(read[9].0, "models/sub/.wh..wh..opq");
    assert_eq!(read.len(), entries.len());
}

#[test]
fn a_file_of_more_than_8_gib_fits() {
    let size = (8 << 30) + 1;
    let head = header::head(&entry("m", Kind::File { digest: Digest::of(""), size })).unwrap();
    assert_eq!(head.len(), 3 * 512);
    assert_eq!(&head[512..533], b"19 size=8589934593\n\0\0");
}

#[test]
fn any_place_of_a_layer_can_be_read() {
    let (_folder, store) = store();
    let layer = store.build_layer(&all(&store)).unwrap();
    let bytes = tar(&store, &layer);
    let mut reader = store.read_layer(&layer.diff_id).unwrap();
    let size = layer.size;
    for at in [0, 1, size, 1536, 512, 1023, 1024, 2535, 2536, 2537, size - 1, 3, 3, 700, 0] {
        assert_eq!(reader.seek(SeekFrom::Start(at)).unwrap(), at);
        let mut part = Vec::new();
        reader.by_ref().take(600).read_to_end(&mut part).unwrap();
        let at = usize::try_from(at).unwrap();
        assert!(part == bytes[at..bytes.len().min(at + 600)], "at {at}");
    }
    reader.seek(SeekFrom::End(-1024)).unwrap();
    assert_eq!(reader.stream_position().unwrap(), size - 1024);
    assert!(reader.seek(SeekFrom::Start(size + 1)).is_err());
}

#[test]
fn a_layer_without_its_contents_is_not_built() {
    let (_folder, store) = store();
    let missing = Kind::File { digest: Digest::of("x"), size: 1 };
    let error = store.build_layer(&[entry("m", missing)]).unwrap_err().to_string();
    assert!(error.contains(&Digest::of("x").hex()), "{error}");
    let mut short = file(&store, "m", b"abc");
    short.kind = Kind::File { digest: Digest::of("abc"), size: 4 };
    let error = store.build_layer(&[short]).unwrap_err().to_string();
    assert!(error.contains("no longer has 4 bytes"), "{error}");
    for path in ["/m", "m/", "a/../m", "./m", "a//m", ".."] {
        let error = store.build_layer(&[entry(path, Kind::Folder)]).unwrap_err().to_string();
        assert!(error.contains(path), "{error}");
    }
    assert!(store.build_layer(&[entry("dev", Kind::Special)]).is_err());
    assert_eq!(disk::names(&store.root().join("layers/sha256")).unwrap(), Vec::<String>::new());
    assert_eq!(disk::names(store.temp.as_ref().unwrap().path()).unwrap(), ["lock"]);
    let error = store.read_layer(&Digest::of("x")).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("the store does not have the layer"), "{error}");
}
