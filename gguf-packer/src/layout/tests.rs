//! Tests of layouts: written and read again, and what is broken.

mod broken;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use crate::image::{Platform, manifest};
use crate::reference::Name;
use crate::store::{Layer, NewImage, Store, StoredImage, testing};
use crate::tree::{Entry, Kind};

struct Fixture {
    folder: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_at(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn layer(&self, text: &str) -> Layer {
        let digest = self.store.add_bytes(text.as_bytes()).unwrap();
        let kind = Kind::File { digest, size: text.len() as u64 };
        let path = format!("models/{text}");
        self.store
            .build_layer(&[Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime: 0 }])
            .unwrap()
    }

    /// An image of two layers, for two platforms.
    fn image(&self, names: &[&str]) -> (StoredImage, Vec<Name>) {
        let layers = vec![self.layer("a"), self.layer("b")];
        let ids: Vec<_> = layers.iter().map(|layer| layer.diff_id).collect();
        let sized: Vec<_> = layers.iter().map(|layer| (layer.diff_id, layer.size)).collect();
        let of = |platform: &Platform| {
            let config = config(platform, &ids);
            let manifest = manifest::manifest(&config, &sized);
            (config, manifest)
        };
        let platforms = Platform::defaults();
        let ((config, manifest), other) = (of(&platforms[0]), of(&platforms[1]));
        let all = [(platforms[0].clone(), manifest.as_slice()), (platforms[1].clone(), &other.1)];
        let index = Some(manifest::index(&all));
        let image =
            NewImage { config, layers, manifest, index, others: vec![other], attached: vec![] };
        let names: Vec<Name> = names.iter().map(|name| name.parse().unwrap()).collect();
        let id = self.store.commit(&image, &names).unwrap();
        (self.store.find(&id.hex()).unwrap(), names)
    }
}

fn config(platform: &Platform, ids: &[Digest]) -> Vec<u8> {
    let config = json!({
        "architecture": platform.architecture, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ids},
    });
    serde_json::to_vec(&config).unwrap()
}

fn saved(images: &[(StoredImage, Vec<Name>)]) -> Vec<Saved> {
    let item = |(image, names): &(StoredImage, _)| (Item::Image(image.clone()), Vec::clone(names));
    images.iter().map(item).collect()
}

/// Names and contents of a tar, in its order.
fn entries(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}

/// Writes a tar of these files.
fn pack(path: &Path, files: &[(String, Vec<u8>)]) {
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, content) in files.iter().filter(|(name, _)| !name.ends_with('/')) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    builder.finish().unwrap();
}

fn parsed(files: &[(String, Vec<u8>)], name: &str) -> Value {
    let content = files.iter().find(|(known, _)| known == name).unwrap();
    serde_json::from_slice(&content.1).unwrap()
}

#[test]
fn every_format_is_read_again_as_it_was() {
    let from = Fixture::new();
    let images = [from.image(&["qwen2:tiny", "registry.example/q:1"])];
    for format in [Format::OciDir, Format::OciArchive, Format::DockerArchive] {
        let path = from.path(&format!("{format:?}"));
        save(&from.store, &saved(&images), format, &path).unwrap();
        let to = Fixture::new();
        let loaded = load(&to.store, &path).unwrap();
        let mut names = images[0].1.clone();
        names.sort();
        let expected = if Platform::here() == Platform::defaults()[1] {
            Digest::of(&images[0].0.others[0].0)
        } else {
            images[0].0.id
        };
        assert_eq!(loaded, [Loaded { id: expected, names }], "{format:?}");
        let stored = to.store.find("qwen2:tiny").unwrap();
        assert_eq!(stored.layers, images[0].0.layers);
        assert_eq!(stored.index, images[0].0.index);
        assert_eq!(stored.others.len(), 1);
        assert_eq!(fs::read_to_string(stored.folder.join("models/b")).unwrap(), "b");
        assert!(!from.path(&format!(".{format:?}.part")).exists());
    }
}

#[test]
fn a_digest_in_a_name_counts_if_it_is_the_manifests() {
    let from = Fixture::new();
    let (image, _) = from.image(&[]);
    let zeros = format!("r.io/q@sha256:{}", "0".repeat(64));
    let own = format!("r.io/q@{}", Digest::of(image.index.as_ref().unwrap()));
    let names: Vec<Name> = [&zeros, &own].map(|name| name.parse().unwrap()).into();
    for format in [Format::OciDir, Format::OciArchive, Format::DockerArchive] {
        let path = from.path(&format!("{format:?}"));
        save(&from.store, &saved(&[(image.clone(), names.clone())]), format, &path).unwrap();
        let to = Fixture::new();
        assert_eq!(load(&to.store, &path).unwrap()[0].names, names[1..]);
        assert!(to.store.find(&own).is_ok() && to.store.find(&zeros).is_err());
    }
    let path = from.path("old.tar");
    let docker = |(name, content): (String, Vec<u8>)| match name.as_str() {
        "index.json" => None,
        "manifest.json" => {
            let mut all: Value = serde_json::from_slice(&content).unwrap();
            all[0]["RepoTags"] = json!([zeros, own, "r.io/q:1"]);
            Some((name, all.to_string().into_bytes()))
        }
        _ => Some((name, content)),
    };
    let files: Vec<_> =
        entries(&from.path("DockerArchive")).into_iter().filter_map(docker).collect();
    pack(&path, &files);
    let loaded = load(&Fixture::new().store, &path).unwrap();
    assert_eq!(loaded[0].names, ["r.io/q:1".parse().unwrap()], "there is no manifest");
}

#[test]
fn an_archive_is_what_docker_and_others_read() {
    let from = Fixture::new();
    let images = [from.image(&["qwen2:tiny"])];
    let path = from.path("x.tar");
    save(&from.store, &saved(&images), Format::DockerArchive, &path).unwrap();
    let files = entries(&path);
    let image = &images[0].0;
    let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let start = ["blobs/", "blobs/sha256/", "index.json", "manifest.json", "oci-layout"];
    assert_eq!(names[..5], start);
    assert_eq!(names.len(), 5 + 5 + 2);
    for (name, content) in &files[5..] {
        assert_eq!(*name, blob(&Digest::of(content)));
    }
    let layers: Vec<_> = image.layers.iter().map(|layer| blob(&layer.diff_id)).collect();
    let docker = json!([{"Config": blob(&image.id), "RepoTags": ["qwen2:tiny"], "Layers": layers}]);
    assert_eq!(parsed(&files, "manifest.json"), docker);
    let index = image.index.as_ref().unwrap();
    let expected = json!({"schemaVersion": 2, "mediaType": manifest::INDEX, "manifests": [{
        "mediaType": manifest::INDEX, "digest": Digest::of(index), "size": index.len(),
        "annotations": {
            "io.containerd.image.name": "docker.io/library/qwen2:tiny",
            "org.opencontainers.image.ref.name": "tiny"
        }
    }]});
    assert_eq!(parsed(&files, "index.json"), expected);
    let again = from.path("y.tar");
    save(&from.store, &saved(&images), Format::DockerArchive, &again).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    let mut oci = Vec::new();
    write_archive(&from.store, &saved(&images), Format::OciArchive, &mut oci).unwrap();
    assert!(oci.len() < usize::try_from(fs::metadata(&path).unwrap().len()).unwrap());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A tar of these files, and a link.
fn packed(files: &[(&str, Vec<u8>)], link: (&str, &str)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content.as_slice()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, link.0, link.1).unwrap();
    builder.into_inner().unwrap()
}

/// `docker save` before version 25: layers in folders of their own, links between them, and no digests.
#[test]
fn an_archive_of_an_older_docker_is_read() {
    let from = Fixture::new();
    let (image, _) = from.image(&[]);
    let mut tars = BTreeMap::new();
    for layer in &image.layers {
        let mut content = Vec::new();
        from.store.read_layer(&layer.diff_id).unwrap().read_to_end(&mut content).unwrap();
        tars.insert(layer.diff_id, content);
    }
    let (a, b) = (image.layers[0].diff_id, image.layers[1].diff_id);
    let docker = json!([{"Config": "abc.json", "RepoTags": ["old:1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]);
    let plain = packed(
        &[
            ("0/layer.tar", tars[&a].clone()),
            ("2/layer.tar", gzip(&tars[&b])),
            ("abc.json", image.config.clone()),
            ("manifest.json", serde_json::to_vec(&docker).unwrap()),
        ],
        ("1/layer.tar", "../0/layer.tar"),
    );
    let gzipped = gzip(&plain);
    let zstd = testing::zstd(&plain);
    for (name, bytes) in [("old.tar", plain), ("old.tar.gz", gzipped), ("old.zst", zstd)] {
        let to = Fixture::new();
        fs::write(to.path(name), bytes).unwrap();
        let loaded = load(&to.store, &to.path(name)).unwrap();
        assert_eq!(loaded, [Loaded { id: image.id, names: vec!["old:1".parse().unwrap()] }]);
        let stored = to.store.find("old:1").unwrap();
        assert_eq!(stored.layers, image.layers);
        assert_eq!(stored.manifest, image.manifest);
    }
}

#[test]
fn a_layer_that_lost_a_content_is_taken_again() {
    let at = Fixture::new();
    let (image, names) = at.image(&["qwen2:tiny"]);
    let path = at.path("x.tar");
    save(&at.store, &saved(&[(image, names)]), Format::OciArchive, &path).unwrap();
    // A power cut leaves such a file.
    let content = at.store.blob_path(&Digest::of("b"));
    fs::remove_file(&content).unwrap();
    fs::write(&content, "").unwrap();
    assert!(at.store.check(true).is_err());
    load(&at.store, &path).unwrap();
    assert_eq!(fs::read_to_string(&content).unwrap(), "b");
    at.store.check(true).unwrap();
}

#[test]
fn layers_that_came_compressed_are_plain_afterwards() {
    let from = Fixture::new();
    let (image, names) = from.image(&["qwen2:tiny"]);
    let single = StoredImage { index: None, others: vec![], ..image.clone() };
    let path = from.path("x.tar");
    save(&from.store, &saved(&[(single, names)]), Format::OciArchive, &path).unwrap();
    // The same image with its layers by gzip.
    let mut files = entries(&path);
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    for (at, layer) in image.layers.iter().enumerate() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::copy(&mut from.store.read_layer(&layer.diff_id).unwrap(), &mut gzip).unwrap();
        let packed = gzip.finish().unwrap();
        let digest = Digest::of(&packed);
        manifest["layers"][at] = json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": packed.len()
        });
        files.push((format!("blobs/sha256/{}", digest.hex()), packed));
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let index = json!({"manifests": [{
        "mediaType": manifest::MANIFEST, "digest": Digest::of(&manifest), "size": manifest.len()
    }]});
    files.retain(|(name, _)| name != "index.json");
    files.push((format!("blobs/sha256/{}", Digest::of(&manifest).hex()), manifest));
    files.push(("index.json".to_owned(), serde_json::to_vec(&index).unwrap()));
    pack(&path, &files);
    let to = Fixture::new();
    let loaded = load(&to.store, &path).unwrap();
    assert_eq!(loaded, [Loaded { id: image.id, names: vec![] }]);
    assert_eq!(to.store.find(&image.id.hex()).unwrap().manifest, image.manifest);
}
