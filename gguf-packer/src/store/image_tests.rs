//! Tests of images and their names: stored as a whole, found, listed, and removed when nothing needs them.

use std::fs;

use super::super::disk;
use super::*;
use crate::store::Checked;
use crate::tree::{Entry, Kind};

struct Fixture {
    _folder: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(folder.path()).unwrap();
        Self { _folder: folder, store }
    }

    fn entry(&self, path: &str, text: &str) -> Entry {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => Kind::Link { target: target.to_owned() },
            None => {
                let digest = self.store.add_bytes(text.as_bytes()).unwrap();
                Kind::File { digest, size: text.len() as u64 }
            }
        };
        Entry { path: path.to_owned(), kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }
    }

    /// An image of these layers, each of these files.
    fn image(&self, layers: &[&[(&str, &str)]], label: &str) -> NewImage {
        let layers = layers.iter().map(|files| {
            let entries: Vec<Entry> =
                files.iter().map(|(path, text)| self.entry(path, text)).collect();
            self.store.build_layer(&entries).unwrap()
        });
        image(layers.collect(), label)
    }

    fn commit(&self, label: &str, names: &[&str]) -> Digest {
        let image = self.image(&[&[("models/m.gguf", label)]], label);
        self.store
            .commit(&image, &names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>())
            .unwrap()
    }

    /// `NAME:TAG ID` of all that is listed.
    fn list(&self) -> Vec<String> {
        let shown = |image: ListedImage| {
            let none = || "<none>".to_owned();
            let (name, tag) = (image.name.unwrap_or_else(none), image.tag.unwrap_or_else(none));
            format!("{name}:{tag} {}", image.summary.architecture.unwrap())
        };
        self.store.images().unwrap().into_iter().map(shown).collect()
    }

    fn files(&self, folder: &str) -> usize {
        disk::names(&self.store.root().join(folder)).unwrap().len()
    }
}

fn image(layers: Vec<Layer>, label: &str) -> NewImage {
    let ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    let config = serde_json::json!({
        "created": "2024-07-22T22:26:43.778747613Z",
        "config": { "Labels": { "gguf.model.architecture": label, "gguf.model.parameters": "1 B" } },
        "rootfs": { "type": "layers", "diff_ids": ids },
    });
    let config = config.to_string().into_bytes();
    let manifest = serde_json::json!({ "config": { "digest": Digest::of(&config) } });
    NewImage { config, layers, manifest: manifest.to_string().into(), ..NewImage::default() }
}

#[test]
fn an_image_is_found_by_name_and_by_the_start_of_its_id() {
    let fixture = Fixture::new();
    let image = fixture.image(&[&[("models/m.gguf", "GGUF")]], "qwen2");
    let names: [Name; 2] = ["r.io/qwen2:0.5b", "qwen2"].map(|name| name.parse().unwrap());
    let id = fixture.store.commit(&image, &names).unwrap();
    let hex = id.hex();
    for text in ["r.io/qwen2:0.5b", "qwen2:latest", &hex[..12], &hex, &id.to_string()] {
        let found = fixture.store.find(text).unwrap();
        assert_eq!(
            (found.id, &found.config, found.layers),
            (id, &image.config, image.layers.clone())
        );
        assert_eq!(found.names, [names[1].clone(), names[0].clone()]);
        assert_eq!(fs::read(found.folder.join("models/m.gguf")).unwrap(), b"GGUF");
    }
    let listed = fixture.store.images().unwrap();
    assert_eq!(listed[1].name.as_deref(), Some("r.io/qwen2"));
    assert_eq!(listed[1].summary.parameters.as_deref(), Some("1 B"));
    assert_eq!((listed[1].summary.created, listed[1].summary.size), (Some(1_721_687_203), 2048));
    let link = fixture.store.root().join("models/metadata/r.io/qwen2/0.5b");
    assert_eq!(fs::read(link).unwrap(), image.config, "the original's client follows it");
}

#[test]
fn a_name_that_is_not_there_names_the_near_ones() {
    let fixture = Fixture::new();
    fixture.commit("a", &["r.io/qwen2:0.5b", "r.io/qwen2:1.5b", "r.io/llama:1"]);
    let error = fixture.store.find("r.io/qwen2:0.6b").unwrap_err().to_string();
    let expected = "no such image in the store: `r.io/qwen2:0.6b`\n  hint: did you mean \
        `r.io/qwen2:0.5b`?\n  hint: did you mean `r.io/qwen2:1.5b`?\n  hint: list all images: \
        gguf-packer list\n  hint: or pull it: gguf-packer pull r.io/qwen2:0.6b";
    assert_eq!(error, expected);
    let error = fixture.store.find("0123456789abcdef").unwrap_err().to_string();
    assert!(error.starts_with("no such image in the store: `0123456789abcdef`"), "{error}");
}

#[test]
fn an_id_that_several_images_begin_with_is_not_guessed() {
    let fixture = Fixture::new();
    fixture.commit("a", &[]);
    let (first, second) = ("0".repeat(63) + "1", "0".repeat(63) + "2");
    for id in [&first, &second] {
        fs::write(fixture.store.root().join("images").join(id), "").unwrap();
    }
    let error = fixture.store.find("000000000000").unwrap_err().to_string();
    let expected = format!(
        "the ID `000000000000` is ambiguous: 2 images match\n  hint: write {first}\n  hint: write \
        {second}"
    );
    assert_eq!(error, expected);
}

#[test]
fn an_image_whose_tag_moved_on_is_listed_without_one() {
    let fixture = Fixture::new();
    fixture.commit("a", &["r.io/m:1"]);
    fixture.commit("b", &["r.io/m:1", "r.io/m:2"]);
    assert_eq!(fixture.list(), ["r.io/m:<none> a", "r.io/m:1 b", "r.io/m:2 b"]);
    // One that still has a name needs no tombstone.
    fixture.commit("c", &["r.io/m:1"]);
    assert_eq!(fixture.list(), ["r.io/m:<none> a", "r.io/m:1 c", "r.io/m:2 b"]);
    // And one that gets one again has none any more.
    fixture.commit("a", &["r.io/m:1"]);
    assert_eq!(fixture.list(), ["r.io/m:<none> c", "r.io/m:1 a", "r.io/m:2 b"]);
    fixture.commit("d", &[]);
    assert_eq!(fixture.list().last().unwrap(), "<none>:<none> d");
}

#[test]
fn a_digest_names_the_image_whose_manifest_has_it() {
    let fixture = Fixture::new();
    let new = fixture.image(&[&[("models/m.gguf", "a")]], "a");
    let (own, pulled) = (Digest::of(&new.manifest), Digest::of("packed"));
    let name = |digest: &Digest| format!("r.io/m@{digest}").parse::<Name>().unwrap();
    let id = fixture.store.commit(&new, &["m:1".parse().unwrap(), name(&pulled)]).unwrap();
    let error = fixture.store.tag("m:1", &name(&own)).unwrap_err().to_string();
    assert!(
        error.starts_with("refusing to create a tag with a digest reference: `r.io/m"),
        "{error}"
    );
    // As an earlier version let anybody do.
    let zeros = Digest::from_hex(&"0".repeat(64)).unwrap();
    for digest in [own, zeros] {
        fixture.store.name(&name(&digest), &id).unwrap();
    }
    let find = |digest: &Digest| fixture.store.find(&name(digest).full()).map(|found| found.id);
    assert_eq!((find(&own), find(&pulled)), (Ok(id), Ok(id)));
    let error = find(&zeros).unwrap_err().to_string();
    assert!(error.starts_with("no such image in the store: `r.io/m@sha256:000"), "{error}");
    assert!(!fixture.store.find("m:1").unwrap().names.contains(&name(&zeros)));
    fixture.store.commit(&new, &[]).unwrap();
    assert_eq!(find(&pulled), Ok(id), "it is still known");
    let mut store = fixture.store;
    assert_eq!(store.remove(&name(&zeros).full()).unwrap().names, [name(&zeros)]);
}

#[test]
fn a_tag_is_one_more_name() {
    let fixture = Fixture::new();
    let id = fixture.commit("a", &["m:1"]);
    assert_eq!(fixture.store.tag("m:1", &"r.io/o/m:2".parse().unwrap()).unwrap(), id);
    assert_eq!(fixture.store.find("r.io/o/m:2").unwrap().id, id);
    assert!(fixture.store.tag("m:3", &"r.io/o/m:2".parse().unwrap()).is_err());
    // A repository cannot be where a tag is, nor the other way round.
    for clash in ["r.io/o/m/2:x", "r.io/o:m"] {
        let error = fixture.store.tag("m:1", &clash.parse().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot name an image `{clash}")), "{error}");
    }
}

#[test]
fn what_is_removed_is_what_nothing_else_needs() {
    let mut fixture = Fixture::new();
    let shared: &[(&str, &str)] = &[("models/base.gguf", "base")];
    let first = fixture.image(&[shared, &[("models/a", "a")]], "a");
    let second = fixture.image(&[shared, &[("models/b", "b")]], "b");
    let names =
        |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<Name>>();
    let id = fixture.store.commit(&first, &names(&["m:1", "m:2"])).unwrap();
    fixture.store.commit(&second, &names(&["m:3"])).unwrap();
    let removed = fixture.store.remove("m:1").unwrap();
    assert_eq!((removed.names, removed.image, removed.freed), (names(&["m:1"]), None, 0));
    assert!(fixture.store.find("m:2").is_ok());
    let removed = fixture.store.remove("m:2").unwrap();
    assert_eq!((removed.names, removed.image), (names(&["m:2"]), Some(id)));
    assert!(removed.freed > 0);
    assert_eq!(fixture.list(), ["m:3 b"]);
    assert_eq!((fixture.files("blobs/sha256"), fixture.files("layers/sha256")), (2, 2));
    assert_eq!(fixture.files("models/layers/sha256"), 1);
    assert_eq!(
        fixture.store.check(true).unwrap(),
        Checked { images: 1, names: 1, layers: 2, blobs: 2 }
    );
    // What a build step remembers stays, until it is forgotten.
    let step = format!("{{\"layer\":\"{}\"}}", second.layers[1].diff_id);
    fixture.store.remember(&Digest::of("step"), step.as_bytes()).unwrap();
    fixture.store.remove(&Digest::of(&second.config).short()).unwrap();
    assert_eq!((fixture.files("blobs/sha256"), fixture.files("layers/sha256")), (1, 1));
    let pruned = fixture.store.prune().unwrap();
    assert_eq!((pruned.cached, pruned.layers, pruned.blobs), (1, 1, 1));
    for folder in
        ["blobs/sha256", "layers/sha256", "images", "models/config/sha256", "models/metadata"]
    {
        assert_eq!(fixture.files(folder), 0, "{folder}");
    }
    let error = fixture.store.remove("m:3").unwrap_err().to_string();
    assert!(error.starts_with("no such image in the store: `m:3`"), "{error}");
}

#[test]
fn prune_removes_images_without_a_name_and_downloads() {
    let mut fixture = Fixture::new();
    let old = fixture.commit("a", &["m:1"]);
    fixture.commit("b", &["m:1"]);
    let partial = fixture.store.root().join("partial/x");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("content"), [0; 5000]).unwrap();
    let pruned = fixture.store.prune().unwrap();
    assert_eq!((pruned.images, pruned.partial), (vec![old], 1));
    assert!(pruned.freed > 5000, "{}", pruned.freed);
    assert_eq!(fixture.list(), ["m:1 b"]);
    assert_eq!(
        fixture.store.check(true).unwrap(),
        Checked { images: 1, names: 1, layers: 1, blobs: 1 }
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let fixture = Fixture::new();
    let first = fixture.image(&[&[("models/m", "one")]], "a");
    let second = fixture.image(&[&[("models/m", "two!")]], "b");
    for (image, name) in [(&first, "m:1"), (&second, "m:2")] {
        fixture.store.commit(image, &[name.parse().unwrap()]).unwrap();
    }
    fixture.store.check(true).unwrap();
    let root = fixture.store.root();
    for (text, other) in [("one", "on"), ("two!", "twoo")] {
        let path = fixture.store.blob_path(&Digest::of(text));
        fs::remove_file(&path).unwrap();
        fs::write(&path, other).unwrap();
    }
    let short =
        format!("the layer {} lacks {} (3 bytes)", first.layers[0].diff_id, Digest::of("one"));
    let error = fixture.store.check(false).unwrap_err().to_string();
    assert!(error.contains(&short) && !error.contains("is corrupt"), "{error}");
    assert!(error.contains(" (needed by m:1)\n  hint: gguf-packer remove m:1 && "), "{error}");
    let error = fixture.store.check(true).unwrap_err().to_string();
    let corrupt = format!("the content {} is corrupt (needed by m:2)", Digest::of("two!"));
    assert!(error.contains(&corrupt), "{error}");
    let id = Digest::of(&second.config);
    fs::write(root.join("models/config/sha256").join(id.hex()), "{}").unwrap();
    fs::remove_file(root.join("layers/sha256").join(second.layers[0].diff_id.hex())).unwrap();
    fs::remove_file(root.join("images").join(Digest::of(&first.config).hex())).unwrap();
    fs::write(root.join("blobs/sha256/x"), "").unwrap();
    let error = fixture.store.check(true).unwrap_err().to_string();
    for told in [
        &format!("`m:1` names the image {}, which is missing", Digest::of(&first.config).short()),
        &format!("the config of the image {} is corrupt", id.short()),
        &format!("the store does not have the layer {}", second.layers[0].diff_id),
        &format!("the content {} is corrupt (no image needs it)", Digest::of("two!")),
        &short,
        "unexpected file `x` in `blobs`",
    ] {
        assert!(error.contains(told), "{told} is not in {error}");
    }
}

#[test]
fn what_does_not_belong_together_is_not_stored() {
    let fixture = Fixture::new();
    let good = fixture.image(&[&[("m", "1")]], "a");
    let other = fixture.image(&[&[("m", "2")]], "b");
    let missing = Layer { diff_id: Digest::of("x"), size: 1 };
    for (broken, text) in [
        (
            NewImage { manifest: other.manifest.clone(), ..good.clone() },
            "does not belong to the config",
        ),
        (
            NewImage { layers: other.layers.clone(), ..good.clone() },
            "the layers of the image do not match",
        ),
        (image(vec![missing], "a"), "does not have the layer"),
        (
            NewImage { others: vec![(b"{}".to_vec(), b"{}".to_vec())], ..good.clone() },
            "does not belong to the config",
        ),
        (
            NewImage { manifest: b"{".to_vec(), ..good.clone() },
            "cannot read the manifest of the image",
        ),
    ] {
        let error = fixture.store.commit(&broken, &["m".parse().unwrap()]).unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
        assert_eq!((fixture.files("images"), fixture.files("models/config/sha256")), (0, 0));
    }
}

#[test]
fn files_lie_as_the_layers_say_and_are_links_to_the_contents() {
    let fixture = Fixture::new();
    let image = fixture.image(
        &[
            &[("bin", "-> usr/bin"), ("usr/bin/x", "1"), ("models/m", "old"), ("gone/a", "a")],
            &[("models/m", "new"), (".wh.gone", ""), ("models/empty", "")],
        ],
        "a",
    );
    // What was built is a file of that name; read back it is a whiteout.
    let id = fixture.store.commit(&image, &["m".parse().unwrap()]).unwrap();
    let folder = fixture.store.load(&id).unwrap().folder;
    assert_eq!(fs::read(folder.join("models/m")).unwrap(), b"new");
    assert_eq!(fs::read(folder.join("models/empty")).unwrap(), b"");
    assert!(!folder.join("gone").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::read(folder.join("bin/x")).unwrap(), b"1");
        let inode = |path: &std::path::Path| fs::metadata(path).unwrap().ino();
        let blob = fixture.store.blob_path(&Digest::of("new"));
        assert_eq!(inode(&folder.join("models/m")), inode(&blob));
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    let target = format!("-> {}", outside.path().display());
    let image = fixture.image(&[&[("out", &target)], &[("out/x", "1")]], "a");
    let error = fixture.store.commit(&image, &["m".parse().unwrap()]).unwrap_err().to_string();
    assert_eq!(error, "invalid image: `out/x` is below `out`, which is a link");
    assert_eq!(disk::names(outside.path()).unwrap(), Vec::<String>::new());
    assert_eq!((fixture.files("images"), fixture.files("models/layers/sha256")), (0, 0));
}

#[test]
fn times_have_zones() {
    assert_eq!(seconds("1970-01-01T00:00:10Z"), Some(10));
    assert_eq!(seconds("1970-01-01T02:00:10.5+02:00"), Some(10));
    assert_eq!(seconds("1969-12-31T22:30:10-01:30"), None);
    assert_eq!(seconds("yesterday"), None);
}
