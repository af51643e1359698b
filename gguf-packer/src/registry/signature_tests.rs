//! Tests of what goes with an image: documents and signatures come before its name, are there once, and what is
//! not signed is not pulled.

use serde_json::json;

use super::super::attach::subjects;
use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, bytes};
use super::*;
use crate::attached::{Attached, Kind};
use crate::reference::Name;
use crate::store::{NewImage, StoredImage};

fn key(sealed: bool) -> PrivateKey {
    let text = if sealed {
        include_str!("../signing/tests/sealed.key")
    } else {
        include_str!("../signing/tests/plain.key")
    };
    PrivateKey::parse(text, || Ok("sesame".to_owned())).unwrap()
}

/// An image for two platforms, with both documents.
fn image(bench: &Bench, name: &Name) -> StoredImage {
    let layer = bench.layer("models/m.gguf", &bytes(5000));
    bench.image(name, &[layer]);
    let image = bench.store.find(&name.full()).unwrap();
    let names: Vec<(String, Digest)> =
        subjects(&image).iter().map(|subject| (String::new(), subject.digest)).collect();
    let statement = provenance::statement(&names, Kind::Provenance, json!({"x": 1}));
    let keep = |(kind, text): (Kind, String)| {
        let digest = bench.store.add_bytes(text.as_bytes()).unwrap();
        Attached { kind, digest, size: text.len() as u64 }
    };
    let texts = [(Kind::Provenance, statement.to_string()), (Kind::Sbom, "{\"y\":2}".to_owned())];
    let new = NewImage {
        config: image.config.clone(),
        layers: image.layers.clone(),
        manifest: image.manifest.clone(),
        index: image.index.clone(),
        others: image.others.clone(),
        attached: texts.map(keep).into(),
    };
    bench.store.commit(&new, &[]).unwrap();
    bench.store.find(&name.full()).unwrap()
}

fn push(bench: &Bench, name: &Name, key: &PrivateKey) -> Result<Digest, Error> {
    let image = bench.store.find(&name.full())?;
    bench.client.push_image(&image, name, &bench.store, Some(key), &|_| ())
}

fn layers(registry: &Registry, digest: &Digest, what: &str) -> usize {
    let manifest = registry.has("q/m", &tag(digest, what)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"].as_array().unwrap().len()
}

#[test]
fn documents_go_with_an_image_and_come_with_it() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let image = image(&bench, &name);
    let digest = bench.push(&name).unwrap();
    let log = registry.log();
    assert_eq!(log.last().unwrap(), "PUT /v2/q/m/manifests/1", "the name comes last");
    for subject in subjects(&image) {
        let list = registry.has("q/m", &format!("sha256-{}", subject.digest.hex())).unwrap();
        let list: Value = serde_json::from_slice(&list).unwrap();
        let kinds: Vec<&str> = list["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["artifactType"].as_str())
            .collect();
        assert_eq!(kinds, Kind::ALL.map(Kind::media_type));
        let first = list["manifests"][0]["digest"].as_str().unwrap();
        let first: Value = serde_json::from_slice(&registry.has("q/m", first).unwrap()).unwrap();
        assert_eq!(first["subject"]["digest"], subject.digest.to_string());
        assert_eq!(first["subject"]["size"], subject.size);
    }
    // Nothing is listed twice.
    bench.push(&name).unwrap();
    let lists = |line: &&String| line.starts_with("PUT") && line.contains("/sha256-");
    assert_eq!(registry.log().iter().filter(lists).count(), 0);

    let other = Bench::new();
    other.pull(&name).unwrap();
    let pulled = other.store.find(&name.full()).unwrap();
    assert_eq!(pulled.attached, image.attached);
    other.store.check(true).unwrap();
    assert_eq!(other.notes(), [""; 0]);
    let told = other.client.documents(&name, &|_| ()).unwrap();
    assert_eq!(told.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), Kind::ALL);
    assert_eq!(Digest::of(&told[1].1), image.attached[1].digest);
    assert_eq!(digest, subjects(&image)[0].digest);
}

/// The same image without documents, from a registry that lost them, takes none away.
#[test]
fn documents_stay_with_an_image_and_go_with_it() {
    let (registry, mut bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let image = image(&bench, &name);
    let blob = bench.store.blob_path(&image.attached[0].digest);
    bench.push(&name).unwrap();
    registry.fault("manifests/sha256-", 9, Fault::Answer(404, "", ""));
    bench.pull(&name).unwrap();
    assert_eq!(bench.store.find(&name.full()).unwrap().attached, image.attached);
    bench.store.prune().unwrap();
    assert!(blob.is_file());
    std::fs::remove_file(&blob).unwrap();
    let error = bench.store.check(false).unwrap_err().to_string();
    assert!(error.starts_with("the provenance of the image "), "{error}");
    bench.store.remove(&name.full()).unwrap();
    bench.store.check(true).unwrap();
    assert!(!bench.store.blob_path(&image.attached[1].digest).exists());
}

#[test]
fn a_registry_that_lists_referrers_is_asked_first() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let image = image(&bench, &name);
    bench.push(&name).unwrap();
    let subject = subjects(&image)[0].digest;
    let list = registry.has("q/m", &format!("sha256-{}", subject.hex())).unwrap();
    registry.page(&format!("/v2/q/m/referrers/{subject}"), 200, "", &list);
    registry.fault("manifests/sha256-", 9, Fault::Close);
    assert_eq!(bench.client.documents(&name, &|_| ()).unwrap().len(), 2);
}

/// A document that is not what its digest says, or no JSON, is not taken; the model is.
#[test]
fn what_is_wrong_with_a_document_stops_no_pull() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let image = image(&bench, &name);
    bench.push(&name).unwrap();
    registry.fault(&format!("blobs/{}", image.attached[0].digest), 9, Fault::Lie(b"{}"));
    let other = Bench::new();
    other.pull(&name).unwrap();
    let notes = other.notes();
    let note = notes.last().unwrap();
    assert!(note.starts_with("cannot pull the provenance: "), "{note}");
    assert_eq!(other.store.find(&name.full()).unwrap().attached, []);
}

#[test]
fn what_is_signed_is_pulled_and_nothing_else() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let (sealed, plain) = (key(true), key(false));
    let image = image(&bench, &name);
    bench.push(&name).unwrap();
    let other = Bench::new();
    let pull = |key: &PrivateKey| {
        other.client.pull_signed(&name, None, &key.public(), &other.store, &|_| ())
    };
    let index = subjects(&image)[0].digest;
    let error = pull(&sealed).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("`{name}` is not signed with this key\n  looked in: ")),
        "{error}"
    );
    assert!(error.contains(&format!("/q/m:sha256-{}.sig", index.hex())), "{error}");

    registry.log();
    assert_eq!(push(&bench, &name, &sealed).unwrap(), index);
    assert_eq!(registry.log().last().unwrap(), "PUT /v2/q/m/manifests/1", "the name comes last");
    for subject in subjects(&image) {
        assert_eq!(layers(&registry, &subject.digest, "sig"), 1);
        assert_eq!(layers(&registry, &subject.digest, "att"), 2);
    }
    assert_eq!(pull(&sealed).unwrap(), image.id);
    let error = pull(&plain).unwrap_err().to_string();
    assert!(error.contains("is not signed with this key"), "{error}");

    // Once more changes nothing; another key's signature stands beside the first one.
    push(&bench, &name, &sealed).unwrap();
    assert_eq!((layers(&registry, &index, "sig"), layers(&registry, &index, "att")), (1, 2));
    push(&bench, &name, &plain).unwrap();
    assert_eq!((layers(&registry, &index, "sig"), layers(&registry, &index, "att")), (2, 4));
    assert!(pull(&sealed).is_ok() && pull(&plain).is_ok());
}

/// The signature of one image is none of another one, under whichever tag it stands.
#[test]
fn a_signature_is_of_one_image() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let (name, other) = (registry.name("q/m:1"), registry.name("q/m:2"));
    let key = key(false);
    let signed = push(&bench, &image(&bench, &name).names[0], &key).unwrap();
    let layer = bench.layer("models/m.gguf", &bytes(7000));
    bench.image(&other, &[layer]);
    let unsigned = bench.push(&other).unwrap();
    let moved = registry.has("q/m", &tag(&signed, "sig")).unwrap();
    registry.manifest("q/m", &tag(&unsigned, "sig"), media::MANIFEST, &moved);
    let error = bench.client.verify(&other, &key.public(), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("is not signed with this key"), "{error}");
    assert_eq!(bench.client.verify(&name, &key.public(), &|_| ()).unwrap(), signed);
}

/// The tag is moved between the check and the pull: what was signed is pulled.
#[test]
fn what_is_pulled_is_what_was_checked() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let key = key(false);
    let image = image(&bench, &name);
    push(&bench, &name, &key).unwrap();
    let other = Bench::new();
    other.client.pull_signed(&name, None, &key.public(), &other.store, &|_| ()).unwrap();
    let by_tag = |line: &&String| line.ends_with("manifests/1") && line.starts_with("GET");
    let digest = format!("GET /v2/q/m/manifests/{}", subjects(&image)[0].digest);
    let log = registry.log();
    assert_eq!(log.iter().filter(by_tag).count(), 1, "{log:?}");
    assert!(log.contains(&digest), "{log:?}");
    assert_eq!(other.store.find(&name.full()).unwrap().id, image.id);
}

#[test]
fn what_cosign_3_signs_is_signed() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let key = key(false);
    let image = image(&bench, &name);
    bench.push(&name).unwrap();
    let index = subjects(&image)[0].digest;
    let bundle = |digest: &Digest, predicate: &str| {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": predicate,
            "subject": [{"digest": {"sha256": digest.hex()}}],
        });
        let envelope = signing::envelope(statement.to_string().as_bytes(), &key);
        let envelope: Value = serde_json::from_slice(&envelope).unwrap();
        json!({"mediaType": BUNDLE, "dsseEnvelope": envelope}).to_string().into_bytes()
    };
    let verify = || bench.client.verify(&name, &key.public(), &|_| ());
    for (text, good) in [
        (bundle(&Digest::of("another"), SIGN), false),
        (bundle(&index, "https://slsa.dev/provenance/v1"), false),
        (bundle(&index, SIGN), true),
    ] {
        let layer = registry.blob("q/m", &text);
        let empty = registry.blob("q/m", EMPTY.1);
        let manifest = json!({
            "config": {"mediaType": EMPTY.0, "digest": empty, "size": 2},
            "layers": [{"mediaType": BUNDLE, "digest": layer, "size": text.len()}],
        });
        let manifest = manifest.to_string();
        let digest = registry.manifest("q/m", "bundle", media::MANIFEST, manifest.as_bytes());
        let list = json!({"manifests": [{"digest": digest, "artifactType": EMPTY.0}]}).to_string();
        registry.page(&format!("/v2/q/m/referrers/{index}"), 200, "", list.as_bytes());
        assert_eq!(verify().is_ok(), good);
    }
}

/// Signing that was asked for and failed leaves no name.
#[test]
fn what_cannot_be_signed_is_not_named() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    image(&bench, &name);
    registry.fault(".sig", 9, Fault::Answer(403, "", ""));
    let error = push(&bench, &name, &key(false)).unwrap_err().to_string();
    assert!(error.contains("you may not push"), "{error}");
    assert_eq!(registry.has("q/m", "1"), None);
    // Documents that a registry does not take are told, and the image is there.
    registry.fault("manifests/sha256:", 1, Fault::Answer(201, "", ""));
    registry.fault("manifests/sha256-", 9, Fault::Answer(400, "", ""));
    bench.push(&name).unwrap();
    assert!(bench.notes()[0].starts_with("cannot push the provenance: "));
    assert!(registry.has("q/m", "1").is_some());
}

#[test]
fn a_repository_of_hugging_face_is_not_signed() {
    let bench = Bench::new();
    let name: Name = "hf://a/B".parse().unwrap();
    let error = bench.client.verify(&name, &key(false).public(), &|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("cannot verify `hf.co/a/B:latest`"), "{error}");
}
