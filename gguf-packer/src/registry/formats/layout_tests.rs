//! Tests of artifacts in layouts: what is saved is loaded as the model that it was.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::artifact_tests::{files, store};
use crate::artifact::{Artifact, Format};
use crate::digest::Digest;
use crate::layout::{self, Format as Kind, Item, Saved};
use crate::reference::Name;
use crate::registry::tests::{Bench, model};
use crate::store::StoredImage;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The image in these formats, each under its word.
fn items(bench: &Bench, image: &StoredImage, formats: &[Format]) -> Vec<Saved> {
    let item = |format: &Format| {
        let artifact = Artifact::of(*format, image, &bench.store).unwrap();
        let item = artifact.map_or_else(|| Item::Image(image.clone()), Item::Artifact);
        (item, vec![name(&format!("m:{format}"))])
    };
    formats.iter().map(item).collect()
}

/// Writes a layout of one manifest with this config and these layers: media type, content, path.
fn layout(folder: &Path, config: (&str, &Value), layers: &[(&str, &[u8], &str)]) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |kind: &str, bytes: &[u8], path: &str| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).unwrap();
        let annotations = json!({ "org.cncf.model.filepath": path });
        json!({ "mediaType": kind, "digest": digest, "size": bytes.len(), "annotations": annotations })
    };
    let manifest = json!({
        "schemaVersion": 2,
        "config": put(config.0, config.1.to_string().as_bytes(), ""),
        "layers": layers.iter().map(|(kind, bytes, path)| put(kind, bytes, path)).collect::<Vec<_>>(),
    });
    let manifest = put(crate::image::manifest::MANIFEST, manifest.to_string().as_bytes(), "");
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

#[test]
fn one_layout_has_a_model_in_all_formats_and_its_files_once() {
    let bench = Bench::new();
    store(&bench, &name("m:1"));
    let image = bench.store.find("m:1").unwrap();
    let items = items(&bench, &image, &[Format::Image, Format::ModelPack, Format::Docker]);
    for (kind, path) in [(Kind::OciArchive, "all.tar"), (Kind::OciDir, "all")] {
        let path = bench.folder.path().join(path);
        layout::save(&bench.store, &items, kind, &path).unwrap();
        let other = Bench::new();
        let loaded = layout::load(&other.store, &path).unwrap();
        other.store.check(true).unwrap();
        assert_eq!(loaded.len(), 3);
        assert_eq!(loaded[0].id, image.id);
        assert_eq!(loaded[1].id, loaded[2].id, "no format loses anything of it");
        for (one, format) in loaded.iter().zip(["image", "modelpack", "docker"]) {
            assert_eq!(one.names, [name(&format!("m:{format}"))]);
            let there = other.store.find(&format!("m:{format}")).unwrap();
            assert_eq!(files(&there.folder), files(&image.folder), "{format}");
        }
        let again = layout::load(&other.store, &path).unwrap();
        assert_eq!(again, loaded);
    }
    // Both artifacts have the same six files as they are; the image has tars.
    let blobs = fs::read_dir(bench.folder.path().join("all/blobs/sha256")).unwrap().count();
    let documents: usize =
        [2, 2, 2 + usize::from(image.index.is_some()) + 2 * image.others.len()].iter().sum();
    assert_eq!(blobs, documents + 6 + image.layers.len());
}

#[test]
fn archives_in_a_model_pack_are_unpacked() {
    let bench = Bench::new();
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(model().len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "m.gguf", model().as_slice()).unwrap();
    let tar = tar.into_inner().unwrap().finish().unwrap();
    layout(
        bench.folder.path(),
        ("application/vnd.cncf.model.config.v1+json", &json!({})),
        &[
            ("application/vnd.cncf.model.weight.v1.tar+gzip", &tar, "m.gguf"),
            ("application/vnd.cncf.model.doc.v1.raw", b"MIT", "LICENSE"),
        ],
    );
    let loaded = layout::load(&bench.store, bench.folder.path()).unwrap();
    let image = bench.store.find(&loaded[0].id.hex()).unwrap();
    let found: Vec<String> = files(&image.folder).into_keys().collect();
    assert_eq!(found, ["models/LICENSE", "models/m.gguf"]);
}

#[test]
fn what_is_wrong_in_a_layout_is_told_and_nothing_is_stored() {
    let docker = ("application/vnd.docker.ai.model.config.v0.2+json", json!({}));
    let weights = "application/vnd.docker.ai.gguf.v3";
    let refused = |config: (&str, &Value), kind: &str, path: &str, spoil: &dyn Fn(&Path)| {
        let bench = Bench::new();
        layout(bench.folder.path(), config, &[(kind, &model(), path)]);
        spoil(&bench.folder.path().join("blobs/sha256").join(Digest::of(model()).hex()));
        let error = layout::load(&bench.store, bench.folder.path()).unwrap_err().to_string();
        assert_eq!(bench.store.images().unwrap(), []);
        error
    };
    let config = (docker.0, &docker.1);
    let error = refused(config, weights, "m.gguf", &|blob| fs::remove_file(blob).unwrap());
    assert!(error.contains("the archive is incomplete: blobs/sha256/"), "{error}");
    let error = refused(config, weights, "m.gguf", &|blob| fs::write(blob, "x").unwrap());
    assert!(error.contains(&Digest::of("x").to_string()), "{error}");
    let error = refused(config, weights, "../m.gguf", &|_| {});
    assert!(
        error.contains("`the model` contains a file with the invalid path `../m.gguf`"),
        "{error}"
    );
    let ollama = ("application/vnd.docker.container.image.v1+json", &json!({}));
    let error = refused(ollama, "application/vnd.ollama.image.model", "", &|_| {});
    let expected = "`the model` has the format ollama, which can only be pulled from a registry";
    assert!(error.contains(expected), "{error}");
}
