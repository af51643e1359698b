//! Tests of pushing: nothing is sent twice, nothing is named before it is whole, and what broke off goes on.

use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, bytes};
use super::*;

#[test]
fn the_name_comes_last_and_nothing_is_sent_twice() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(5000));
    let name = registry.name("q/m:1");
    bench.image(&name, &[layer, layer]);
    let image = bench.store.find(&name.full()).unwrap();
    let digest = bench.push(&name).unwrap();
    assert_eq!(Some(digest), image.index.as_ref().map(Digest::of));
    assert_eq!(registry.has("q/m", "1"), image.index);
    assert_eq!(registry.has("q/m", &Digest::of(&image.manifest).to_string()), Some(image.manifest));
    assert!(registry.has_blob("q/m", &layer.diff_id));
    let log = registry.log();
    assert_eq!(log.last().unwrap(), "PUT /v2/q/m/manifests/1");
    assert_eq!(log.iter().filter(|line| line.starts_with("PATCH")).count(), 3, "{log:?}");
    assert_eq!(bench.ends(), ["pushed"]);
    bench.push(&name).unwrap();
    assert!(!registry.log().iter().any(|line| line.starts_with("PATCH")));
    assert_eq!(bench.ends(), ["already there"]);
}

#[test]
fn a_layer_that_another_repository_has_is_mounted() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(5000));
    let (first, second) = (registry.name("q/m:1"), registry.name("q/other:1"));
    bench.image(&first, &[layer]);
    bench.push(&first).unwrap();
    bench.store.tag(&first.full(), &second).unwrap();
    bench.ends();
    bench.push(&second).unwrap();
    assert_eq!(bench.ends(), ["mounted"]);
    assert!(registry.has_blob("q/other", &layer.diff_id));
}

#[test]
fn an_upload_goes_on_where_it_broke_off() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(3_000_000));
    let name = registry.name("q/m:1");
    bench.image(&name, &[layer]);
    registry.fault("PATCH", 1, Fault::CutUpload(1_000_000));
    registry.fault("PATCH", 1, Fault::Answer(500, "", ""));
    registry.fault("PUT /v2/q/m/blobs", 1, Fault::Close);
    bench.push(&name).unwrap();
    let log = registry.log();
    let resumed = format!(" 1000000-{}", layer.size - 1);
    assert_eq!(log.iter().filter(|line| line.ends_with(&resumed)).count(), 2, "{log:?}");
    assert!(registry.has_blob("q/m", &layer.diff_id));
    let second = Bench::new();
    second.pull(&name).unwrap();
    second.store.check(true).unwrap();
}

#[test]
fn an_upload_that_the_registry_lost_begins_anew() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(3_000_000));
    let name = registry.name("q/m:1");
    bench.image(&name, &[layer]);
    registry.fault("PATCH", 1, Fault::CutUpload(1_000_000));
    registry.fault("GET /v2/q/m/blobs/uploads", 1, Fault::Answer(404, "", ""));
    registry.fault("PATCH", 1, Fault::Answer(416, "", ""));
    bench.push(&name).unwrap();
    assert!(registry.has_blob("q/m", &layer.diff_id));
}

/// Harbor's words.
const QUOTA: &str = "{\"errors\":[{\"code\":\"DENIED\",\
    \"message\":\"it will exceed the configured upper limit of 10 GiB\"}]}";
const UNKNOWN: &str = "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"no\"}]}";

#[test]
fn what_fails_is_not_named() {
    for (fault, told) in [
        (Fault::Close, "does not answer"),
        (Fault::Answer(403, "", ""), "you may not push"),
        (
            Fault::Answer(413, "", ""),
            "or a proxy before it, limits the size of requests: cannot push",
        ),
        (
            Fault::Answer(403, "", QUOTA),
            "has no room for `N`\n  | DENIED: it will exceed the configured upper limit of 10 GiB\n  hint: \
            remove images there",
        ),
        (
            Fault::Answer(404, "", UNKNOWN),
            "| NAME_UNKNOWN: no\n  hint: check the name\n  hint: or create the repository first",
        ),
        (Fault::Answer(400, "", "no tags here"), "| no tags here"),
        (Fault::Answer(400, "", "<html>no"), "answered 400 Bad Request: cannot push `N`"),
        (Fault::Answer(503, "", ""), "repeatedly answered 503 Service Unavailable: cannot"),
    ] {
        let (registry, bench) = (Registry::start(), Bench::new());
        let layer = bench.layer("models/m.gguf", &bytes(5000));
        let name = registry.name("q/m:1");
        bench.image(&name, &[layer]);
        registry.fault("POST", 99, fault);
        let error = bench.push(&name).unwrap_err().to_string();
        let error = error.replace(&name.to_string(), "N");
        assert!(error.contains(told) && error.contains("`N`"), "{told}: {error}");
        assert_eq!(registry.has("q/m", "1"), None);
    }
}

#[test]
fn what_the_store_does_not_have_is_not_pushed() {
    let (registry, bench) = (Registry::start(), Bench::new());
    let name = registry.name("q/m:1");
    let error = bench.push(&name).unwrap_err().to_string();
    assert!(error.starts_with(&format!("no such image in the store: `{name}`")), "{error}");
}
