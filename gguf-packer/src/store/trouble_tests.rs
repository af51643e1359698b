//! Tests of what happens to a store: kills at every step, several processes, a full disk.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use super::kill::{lives, variable};
use super::*;
use crate::reference::Name;
use crate::tree::{Entry, Kind};

/// The store that a child works on, and what it does to it.
const STORE: &str = "GGUF_PACKER_TEST_STORE";
const WORK: &str = "GGUF_PACKER_TEST_WORK";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn file(path: &str, digest: Digest, size: u64) -> Entry {
    let kind = Kind::File { digest, size };
    Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
}

/// Stores an image of two layers, one of which all have.
fn build(store: &Store, label: &str, names: &[Name]) -> Result<Digest, Error> {
    let temp = store.temp_folder()?;
    let path = temp.path().join("m.gguf");
    fs::write(&path, vec![7; 1 << 20]).map_err(|e| Error::io("write", &path, &e))?;
    let (shared, size) = store.take_file(&path)?;
    let own = store.add_bytes(label.as_bytes())?;
    let layers = vec![
        store.build_layer(&[file("models/m.gguf", shared, size)])?,
        store.build_layer(&[file("models/label", own, label.len() as u64)])?,
    ];
    store.remember(&Digest::of(label), layers[1].diff_id.to_string().as_bytes())?;
    let ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let config = serde_json::json!({ "rootfs": { "diff_ids": ids } }).to_string().into_bytes();
    let manifest = serde_json::json!({ "config": { "digest": Digest::of(&config) } });
    let manifest = manifest.to_string().into();
    store.commit(&NewImage { config, layers, manifest, ..NewImage::default() }, names)
}

fn work(root: &Path, what: &str) {
    let mut store = Store::open_at(root).unwrap();
    match what {
        "build" => {
            build(&store, "new", &[name("m:1"), name("m:2")]).unwrap();
            store.tag("m:2", &name("r.io/x:1")).unwrap();
        }
        "receive" => {
            let tar = tar();
            let mut receiver = store.receive_layer(&Digest::of(&tar), Compression::None).unwrap();
            let from = usize::try_from(receiver.received()).unwrap();
            tar[from..].chunks(100_000).for_each(|piece| receiver.write(piece).unwrap());
            receiver.finish(None).unwrap();
        }
        "remove" => drop(store.remove("m:1").unwrap()),
        "prune" => drop(store.prune().unwrap()),
        other => panic!("{other}"),
    }
}

/// A layer with a large file between small ones.
fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, size) in [("models/a", 5), ("models/m.gguf", 1 << 21), ("models/z", 600)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, &vec![3; usize::try_from(size).unwrap()][..]).unwrap();
    }
    tar.into_inner().unwrap()
}

fn leftovers(root: &Path) -> usize {
    ["temp", "partial"].iter().map(|folder| disk::names(&root.join(folder)).unwrap().len()).sum()
}

/// Kills it at each step; after each kill the store is whole, and the same work succeeds.
#[test]
fn a_kill_at_any_step_spoils_nothing() {
    if let (Some(root), Some(what)) = (variable(STORE), variable(WORK)) {
        return work(Path::new(&root), &what);
    }
    let test = "store::trouble_tests::a_kill_at_any_step_spoils_nothing";
    for what in ["build", "receive", "remove", "prune"] {
        let mut kills = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("store");
            let store = Store::open_at(&root).unwrap();
            build(&store, "old", &[name("m:1"), name("old:1")]).unwrap();
            build(&store, "gone", &[name("m:1")]).unwrap();
            drop(store);
            let variables = [(STORE, root.to_str().unwrap()), (WORK, what)];
            if lives(test, &variables, kills + 1) {
                assert_eq!(leftovers(&root), 0, "{what}");
                break;
            }
            kills += 1;
            let store = Store::open_at(&root).unwrap();
            let checked = store.check(true);
            assert!(checked.is_ok(), "{what} killed at {kills}: {}", checked.unwrap_err());
            assert!(store.find("old:1").is_ok());
            // A name that was removed before the kill is no error of it.
            let gone = what == "remove" && store.find("m:1").is_err();
            drop(store);
            if !gone {
                work(&root, what);
            }
            let mut store = Store::open_at(&root).unwrap();
            store.check(true).unwrap();
            store.prune().unwrap();
            assert_eq!(leftovers(&root), 1, "{what}: only what is open has a folder");
            drop(store);
        }
        assert!(kills >= 10, "{what} has {kills} steps");
    }
}

#[test]
fn several_processes_do_the_same_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for round in 0..5 {
                    let mut store = Store::open_at(root).unwrap();
                    build(
                        &store,
                        &format!("{round}"),
                        &[name("m:1"), name(&format!("m:{worker}x"))],
                    )
                    .unwrap();
                    // Somebody else may be there all the time.
                    let removed =
                        store.alone(Duration::from_millis(1), |store| store.remove_alone("m:1"));
                    if let Err(error) = removed {
                        let text = error.to_string();
                        let known =
                            text.contains("is using the store") || text.contains("has no image");
                        assert!(known, "{text}");
                    }
                }
            });
        }
    });
    let store = Store::open_at(root).unwrap();
    store.check(true).unwrap();
    for worker in 0..4 {
        assert!(store.find(&format!("m:{worker}x")).is_ok());
    }
    drop(store);
    assert_eq!(leftovers(root), 0);
}

/// A folder with room for 6 MB, in a run of the test `name` in namespaces of its own; none in the one that starts it.
fn little_room(name: &str) -> Option<PathBuf> {
    const VARIABLE: &str = "GGUF_PACKER_TEST_LITTLE_ROOM";
    if let Some(folder) = variable(VARIABLE) {
        return Some(folder.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let mount =
        format!("mount -t tmpfs -o size=6M tmpfs \"${VARIABLE}\" && exec \"$0\" --exact \"$1\"");
    let again = llama_src::sh::Cmd::new("unshare").args(["--map-root-user", "--mount"]);
    let again = again.args(["sh", "-c", &mount]).arg(std::env::current_exe().unwrap()).arg(name);
    let said = again.env(VARIABLE, folder.path()).read().unwrap_or_else(|e| panic!("{e}"));
    assert!(said.contains("1 passed"), "{said}");
    None
}

#[test]
fn a_full_disk_is_told_and_spoils_nothing() {
    let own = "store::trouble_tests::a_full_disk_is_told_and_spoils_nothing";
    let Some(folder) = little_room(own) else { return };
    let root = folder.join("store");
    let foreign = tempfile::tempdir().unwrap();
    let path = foreign.path().join("m.gguf");
    fs::write(&path, vec![1; 16 << 20]).unwrap();
    let mut store = Store::open_at(&root).unwrap();
    build(&store, "old", &[name("old:1")]).unwrap();
    let full = |error: Error| {
        let text = error.to_string();
        assert!(
            text.ends_with("hint: free some disk space and run the same command again"),
            "{text}"
        );
    };
    full(store.add_file(&path).map(drop).unwrap_err());
    let mut blob = store.new_blob().unwrap();
    full(blob.write_all(&vec![2; 16 << 20]).map_err(|e| blob.failed(&e)).unwrap_err());
    drop(blob);
    // What came before stays, to go on from.
    let tar = [&tar()[..1024 + 512], &vec![3; 4 << 20]].concat();
    let ballast = root.join("ballast");
    fs::write(&ballast, vec![0; 3 << 20]).unwrap();
    let write = |store: &Store| {
        let mut receiver = store.receive_layer(&Digest::of("x"), Compression::None)?;
        let from = usize::try_from(receiver.received()).unwrap();
        tar[from..].chunks(50_000).try_for_each(|piece| receiver.write(piece))?;
        Ok::<_, Error>(())
    };
    full(write(&store).unwrap_err());
    let received = store.receive_layer(&Digest::of("x"), Compression::None).unwrap().received();
    assert!(received > 1 << 20, "{received}");
    full(build(&store, "new", &[name("new:1")]).map(drop).unwrap_err());
    fs::remove_file(&ballast).unwrap();
    store.check(true).unwrap();
    store.prune().unwrap();
    build(&store, "new", &[name("new:1")]).unwrap();
    store.check(true).unwrap();
    drop(store);
    assert_eq!(leftovers(&root), 0);
}
