//! Tests of pulling: what was pushed comes back as it was, through every trouble that a registry can make.

use serde_json::json;

use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, artifact, bytes, config};
use super::*;
use crate::reference::Version;
use crate::store::Layer;

/// An image in a registry, with a small layer and one of this size.
fn pushed(size: usize) -> (Registry, Bench, [Layer; 2]) {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layers = [bench.layer("models/x.txt", b"x"), bench.layer("models/m.gguf", &bytes(size))];
    bench.image(&registry.name("q/m:1"), &layers);
    bench.push(&registry.name("q/m:1")).unwrap();
    registry.log();
    bench.ends();
    (registry, bench, layers)
}

fn blob(layer: &Layer) -> String {
    format!("GET /v2/q/m/blobs/{}", layer.diff_id)
}

#[test]
fn what_was_pushed_comes_back_with_the_same_digests() {
    let (registry, first, layers) = pushed(300_000);
    let name = registry.name("q/m:1");
    let second = Bench::new();
    let id = second.pull(&name).unwrap();
    let (one, two) =
        (first.store.find(&name.full()).unwrap(), second.store.find(&name.full()).unwrap());
    assert_eq!(id, one.id);
    assert_eq!((&one.config, &one.manifest, &one.index), (&two.config, &two.manifest, &two.index));
    assert_eq!((one.layers, one.others), (layers.to_vec(), two.others.clone()));
    assert_eq!(std::fs::read(two.folder.join("models/m.gguf")).unwrap(), bytes(300_000));
    assert_eq!(second.ends(), ["pulled", "pulled"]);
    assert_eq!(second.notes(), [""; 0]);
    second.store.check(true).unwrap();
    // A second time no layer is asked for.
    registry.log();
    second.pull(&name).unwrap();
    assert_eq!(second.ends(), ["already there", "already there"]);
    let asked = registry.log();
    assert!(!asked.iter().any(|line| layers.iter().any(|layer| *line == blob(layer))), "{asked:?}");
    // And it can be pushed on as it is.
    let other = registry.name("q/other:1");
    second.store.tag(&name.full(), &other).unwrap();
    let index = second.push(&other).unwrap();
    assert_eq!(registry.has("q/other", "1"), registry.has("q/m", "1"));
    assert_eq!(registry.has("q/other", &index.to_string()), two.index);
}

#[test]
fn of_several_platforms_the_right_one_is_taken() {
    let (registry, first, layers) = pushed(1000);
    let name = registry.name("q/m:1");
    for (wanted, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        let bench = Bench::new();
        bench.pull_for(&name, Some(wanted)).unwrap();
        let found = bench.store.find(&name.full()).unwrap();
        assert_eq!(found.config, config(architecture, &layers));
    }
    // Data is the same for every machine.
    let bench = Bench::new();
    bench.pull_for(&name, Some("linux/riscv64")).unwrap();
    let note = "no matching manifest for linux/riscv64, using the first one: a model is the same \
        for all platforms";
    assert_eq!(bench.notes(), [note]);
    // A program is not.
    let base = first.layer("bin/sh", b"sh");
    let program = json!({ "rootfs": { "diff_ids": [base.diff_id] } }).to_string().into_bytes();
    registry.blob("q/sh", &program);
    let manifest = media::manifest(&program, &[(base.diff_id, base.size)]);
    registry.manifest("q/sh", "x", media::MANIFEST, &manifest);
    let index = media::index(&[(Platform::defaults()[1].clone(), &manifest)]);
    registry.manifest("q/sh", "1", media::INDEX, &index);
    let bench = Bench::new();
    let error = bench.refused(&registry.name("q/sh:1"));
    let expected = format!(
        "no matching manifest for linux/amd64 in the manifest list of `{}`\n  hint: use another \
        platform: --platform linux/arm64",
        registry.name("q/sh:1")
    );
    assert_eq!(error, expected);
}

#[test]
fn a_layer_goes_on_where_it_broke_off() {
    let (registry, _, layers) = pushed(3_000_000);
    registry.fault(&blob(&layers[1]), 1, Fault::Cut(1_000_000));
    registry.fault(&blob(&layers[1]), 1, Fault::Close);
    registry.fault(&blob(&layers[1]), 1, Fault::Cut(1_000_000));
    let bench = Bench::new();
    bench.pull(&registry.name("q/m:1")).unwrap();
    let asked: Vec<String> =
        registry.log().into_iter().filter(|line| line.starts_with(&blob(&layers[1]))).collect();
    let at = |from: u64| format!("{} bytes={from}-", blob(&layers[1]));
    assert_eq!(asked[0], blob(&layers[1]));
    assert_eq!(asked[1..], [at(1_000_000), at(1_000_000), at(2_000_000)]);
    assert_eq!(bench.notes().len(), 3);
    bench.store.check(true).unwrap();
}

#[test]
fn another_command_goes_on_where_one_gave_up() {
    let (registry, _, layers) = pushed(3_000_000);
    for cut in [1_000_000, 500_000] {
        registry.fault(&blob(&layers[1]), 1, Fault::Cut(cut));
        registry.fault(&blob(&layers[1]), 3, Fault::Close);
    }
    let bench = Bench::new();
    let name = registry.name("q/m:1");
    let error = bench.refused(&name);
    let start = format!("cannot pull `{name}`: 127.0.0.1:");
    assert!(error.starts_with(&start) && error.contains("does not answer"), "{error}");
    assert!(error.contains("run the same command again: it resumes where it stopped"), "{error}");
    assert_eq!(bench.partial(), 1);
    registry.log();
    bench.refused(&name);
    bench.pull(&name).unwrap();
    let asked: Vec<String> =
        registry.log().into_iter().filter(|line| line.contains("bytes=")).collect();
    assert_eq!(asked[0], format!("{} bytes=1000000-", blob(&layers[1])));
    assert_eq!(*asked.last().unwrap(), format!("{} bytes=1500000-", blob(&layers[1])));
    assert_eq!(bench.partial(), 0);
    bench.store.check(true).unwrap();
}

#[test]
fn a_registry_without_ranges_sends_it_all_again() {
    let (registry, _, layers) = pushed(2_000_000);
    registry.fault(&blob(&layers[1]), 1, Fault::Cut(700_000));
    registry.fault(&blob(&layers[1]), 9, Fault::NoRange);
    let bench = Bench::new();
    bench.pull(&registry.name("q/m:1")).unwrap();
    bench.store.check(true).unwrap();
}

#[test]
fn a_layer_that_lost_its_content_is_pulled_again() {
    let (registry, _, _) = pushed(1000);
    let (name, bench) = (registry.name("q/m:1"), Bench::new());
    bench.pull(&name).unwrap();
    bench.ends();
    let blob = bench.store.blob_path(&Digest::of(bytes(1000)));
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "").unwrap();
    assert!(bench.store.check(false).is_err());
    bench.pull(&name).unwrap();
    assert_eq!(bench.ends(), ["already there", "pulled"]);
    bench.store.check(true).unwrap();
}

#[test]
fn a_busy_registry_is_waited_for_and_the_wait_is_told() {
    let (registry, _, layers) = pushed(1000);
    registry.fault("manifests/1", 1, Fault::Answer(429, "retry-after: 1\r\n", ""));
    registry.fault("manifests/1", 1, Fault::Answer(503, "", ""));
    registry.fault(&blob(&layers[0]), 1, Fault::Answer(500, "", ""));
    let bench = Bench::new();
    bench.pull(&registry.name("q/m:1")).unwrap();
    let notes = bench.notes();
    let address = &registry.address;
    assert_eq!(notes[0], format!("{address} answered 429 Too Many Requests; trying again in 1s"));
    assert_eq!(
        notes[1],
        format!("{address} answered 503 Service Unavailable; trying again in 2ms")
    );
    assert_eq!(notes.len(), 3, "{notes:?}");
}

#[test]
fn a_registry_that_is_silent_is_asked_again() {
    let (registry, _, _) = pushed(1000);
    registry.fault("manifests/1", 1, Fault::Sleep(800));
    let bench = Bench::new();
    bench.pull(&registry.name("q/m:1")).unwrap();
    let note =
        format!("{} does not answer: no data for 500ms; trying again in 1ms", registry.address);
    assert_eq!(bench.notes(), [note]);
}

/// Status, headers, body; what is told of the name N in the registry R.
const REFUSALS: [(u16, &str, &str, &str); 7] = [
    (
        401,
        "",
        "",
        "access to `N` denied: it does not exist, or R requires a login\n  hint: check the name\n  \
        hint: log in: gguf-packer login R",
    ),
    (
        403,
        "",
        "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}",
        "access denied: you may not pull `N` at R\n  | DENIED: no\n  hint: log in as a user who \
        may: gguf-packer login R",
    ),
    (404, "", "", "R does not have `N`\n  hint: check the name and the tag"),
    (
        404,
        "",
        "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no\"}]}",
        "R has no repository `q/m`: cannot pull `N`\n  | NAME_UNKNOWN: no\n  hint: check the name",
    ),
    (
        429,
        "",
        "",
        "R limits the rate of requests: cannot pull `N`\n  hint: wait, then run the same command \
        again: it resumes where it stopped\n  hint: log in: gguf-packer login R",
    ),
    (
        429,
        "retry-after: 7200\r\n",
        "",
        "R limits the rate of requests: `N` must wait 2h\n  hint: wait, then run the same command \
        again: it resumes where it stopped\n  hint: log in, which may raise the limit: \
        gguf-packer login R",
    ),
    (
        500,
        "",
        "",
        "R repeatedly answered 500 Internal Server Error: cannot pull `N`\n  hint: run the same \
        command again later: it resumes where it stopped",
    ),
];

#[test]
fn a_refusal_says_what_to_do() {
    for (status, headers, body, told) in REFUSALS {
        let (registry, _, _) = pushed(1000);
        registry.fault("manifests/1", 99, Fault::Answer(status, headers, body));
        let error = Bench::new().refused(&registry.name("q/m:1"));
        let error = error.replace(&registry.name("q/m:1").to_string(), "N");
        assert_eq!(error.replace(&registry.address, "R"), told);
    }
}

#[test]
fn what_is_not_what_was_asked_for_is_not_taken() {
    let (registry, _, layers) = pushed(1000);
    let name = registry.name("q/m:1");
    let wrong = |layer: &Layer, text: &str| {
        format!("cannot pull the layer {} of `{name}`: {text}", layer.diff_id)
    };
    // Cut to other bytes of the same length.
    let lie: &'static [u8] =
        Box::leak(bytes(usize::try_from(layers[1].size).unwrap()).into_boxed_slice());
    registry.fault(&blob(&layers[1]), 1, Fault::Lie(lie));
    let error = Bench::new().refused(&name);
    assert!(
        error.starts_with(&wrong(&layers[1], "cannot read the layer as a tar archive")),
        "{error}"
    );
    assert!(error.contains("if it fails again, the copy in the registry is damaged"), "{error}");
    registry.fault(&blob(&layers[1]), 1, Fault::Lie(&[0; 5000]));
    let error = Bench::new().refused(&name);
    assert!(
        error.starts_with(&wrong(&layers[1], "the registry sent more than 2560 bytes")),
        "{error}"
    );
    // A short one that says it is whole.
    registry.fault(&blob(&layers[1]), 99, Fault::Lie(b""));
    let error = Bench::new().refused(&name);
    assert!(error.contains("2560 bytes of 2560 are missing"), "{error}");
    registry.fault("manifests/1", 1, Fault::Lie(b"{\"manifests\":[]}"));
    let error = Bench::new().refused(&name);
    assert!(error.contains("is empty"), "{error}");
}

#[test]
fn a_manifest_is_the_one_that_its_digest_names() {
    let (registry, first, _) = pushed(1000);
    let manifest = first.store.find(&registry.name("q/m:1").full()).unwrap().manifest;
    let name = registry.name("q/m:1").with(Version::Digest(Digest::of(&manifest)));
    let bench = Bench::new();
    bench.pull(&name).unwrap();
    assert_eq!(bench.store.find(&name.full()).unwrap().manifest, manifest);
    registry.fault("manifests/sha256", 1, Fault::Lie(b"{}"));
    let error = Bench::new().refused(&name);
    let expected = format!(
        "{} sent a different manifest for `{name}`: {}, not ",
        registry.address,
        Digest::of("{}")
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn compressed_layers_become_plain_ones_and_the_id_stays() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(5000));
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut bench.store.read_layer(&layer.diff_id).unwrap(), &mut tar)
        .unwrap();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zip, &tar).unwrap();
    let zipped = zip.finish().unwrap();
    let config = config("amd64", &[layer]);
    for kind in [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ] {
        artifact(&registry, "q/z", None, (media::CONFIG, &config), &[(kind, &zipped, json!({}))]);
        let second = Bench::new();
        let name = registry.name("q/z:1");
        assert_eq!(second.pull(&name).unwrap(), Digest::of(&config));
        let image = second.store.find(&name.full()).unwrap();
        assert_eq!((image.layers, image.config), (vec![layer], config.clone()));
        assert_eq!(image.manifest, media::manifest(&config, &[(layer.diff_id, layer.size)]));
    }
    // It has to unpack to what the config says.
    let other = super::super::tests::config("amd64", &[bench.layer("y", b"y")]);
    artifact(
        &registry,
        "q/z",
        None,
        (media::CONFIG, &other),
        &[("x.tar+gzip", &zipped, json!({}))],
    );
    let error = Bench::new().refused(&registry.name("q/z:1"));
    assert!(error.contains(&format!("the layer unpacks to {}, not", layer.diff_id)), "{error}");
    artifact(&registry, "q/z", None, (media::CONFIG, &other), &[("x.odd", &zipped, json!({}))]);
    let error = Bench::new().refused(&registry.name("q/z:1"));
    assert!(error.contains("has the unsupported type `x.odd`"), "{error}");
    artifact(&registry, "q/z", None, (media::CONFIG, &other), &[]);
    let error = Bench::new().refused(&registry.name("q/z:1"));
    assert!(error.contains("has 0 layers, but its config lists 1"), "{error}");
    artifact(&registry, "q/z", None, ("application/x", b"{}"), &[]);
    let error = Bench::new().refused(&registry.name("q/z:1"));
    assert!(
        error.contains("is neither an image nor a model: its config has the type `application/x`"),
        "{error}"
    );
}

#[test]
fn a_registry_that_is_not_there_is_told_so() {
    let error = Bench::new().refused(&"127.0.0.1:1/m:1".parse().unwrap());
    let start =
        "cannot pull `127.0.0.1:1/m:1`: 127.0.0.1:1 is unreachable\n  | https://127.0.0.1:1: ";
    assert!(error.starts_with(start), "{error}");
    assert!(error.contains("\n  hint: check its name and the network"), "{error}");
}

/// Address of the registry that a child pulls from, and the store that it pulls into.
const ADDRESS: &str = "GGUF_PACKER_TEST_REGISTRY";
const STORE: &str = "GGUF_PACKER_TEST_STORE";

#[test]
fn a_kill_at_any_step_of_a_pull_spoils_nothing() {
    use crate::store::kill::{lives, variable};

    let pull = |address: &str, store: &Store| {
        let client = super::super::Client::new(super::super::Settings::default()).unwrap();
        let name = format!("{address}/q/m:1").parse().unwrap();
        client.pull(&name, Some(&Platform::defaults()[0]), store, &|_| {}).unwrap();
    };
    if let (Some(address), Some(root)) = (variable(ADDRESS), variable(STORE)) {
        return pull(&address, &Store::open_at(root.as_ref()).unwrap());
    }
    let (registry, _, _) = pushed(1_500_000);
    let test = "registry::pull::tests::a_kill_at_any_step_of_a_pull_spoils_nothing";
    let mut kills = 0;
    loop {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_str().unwrap();
        if lives(test, &[(ADDRESS, &registry.address), (STORE, root)], kills + 1) {
            break;
        }
        kills += 1;
        let store = Store::open_at(folder.path()).unwrap();
        let checked = store.check(true);
        assert!(checked.is_ok(), "killed at {kills}: {}", checked.unwrap_err());
        pull(&registry.address, &store);
        store.check(true).unwrap();
        assert_eq!(std::fs::read_dir(store.root().join("partial")).unwrap().count(), 0);
        drop(store);
        assert_eq!(std::fs::read_dir(folder.path().join("temp")).unwrap().count(), 0);
    }
    assert!(kills > 30, "{kills}");
}
