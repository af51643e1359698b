//! Tests of uploads to registries that do it in their own way.

use super::super::fake::{Fault, Registry};
use super::super::tests::{Bench, bytes};
use super::*;
use crate::reference::Name;
use crate::store::Layer;

/// A registry, and an image with one layer that is to be pushed to it.
fn image(count: usize) -> (Registry, Bench, Name, Layer) {
    let (registry, bench) = (Registry::start(), Bench::new());
    let layer = bench.layer("models/m.gguf", &bytes(count));
    let name = registry.name("q/m:1");
    bench.image(&name, &[layer]);
    (registry, bench, name, layer)
}

/// Amazon ECR says 201 to a piece, Pulp said 204: the upload ends with the digest all the same.
#[test]
fn a_piece_is_not_the_end_whatever_the_answer_to_it_is() {
    for status in [200, 201, 204] {
        let (registry, bench, name, layer) = image(5000);
        registry.fault("PATCH", 99, Fault::Bare(status));
        bench.push(&name).unwrap();
        assert!(registry.has_blob("q/m", &layer.diff_id), "{status}");
        let second = Bench::new();
        second.pull(&name).unwrap();
        second.store.check(true).unwrap();
    }
}

/// Quay says how far an upload came, and not where it goes on.
#[test]
fn an_upload_whose_address_is_not_told_again_begins_anew() {
    let (registry, bench, name, layer) = image(3_000_000);
    registry.fault("PATCH", 1, Fault::CutUpload(1_000_000));
    registry.fault("GET /v2/q/m/blobs/uploads", 1, Fault::Bare(204));
    bench.push(&name).unwrap();
    assert!(registry.has_blob("q/m", &layer.diff_id));
}

#[test]
fn where_a_request_may_not_have_all_of_it_pieces_are_sent() {
    let (registry, bench, name, layer) = image(3_000_000);
    registry.fault("PATCH", 1, Fault::Answer(413, "", "<html>"));
    bench.push(&name).unwrap();
    assert!(registry.has_blob("q/m", &layer.diff_id));
    let log = registry.log();
    let ranges: Vec<&str> = log
        .iter()
        .filter_map(|line| line.strip_prefix("PATCH ")?.split_once(' ').map(|(_, range)| range))
        .collect();
    let last = format!("2097152-{}", layer.size - 1);
    assert_eq!(ranges, ["0-1048575", "1048576-2097151", &last], "{log:?}");
    let note = format!("{} limits requests; sending 1 MiB at a time", registry.address);
    assert_eq!(bench.notes(), [note]);
    // It is asked once.
    let other = registry.name("q/other:1");
    bench.image(&other, &[bench.layer("models/n.gguf", &bytes(2_000_000))]);
    bench.push(&other).unwrap();
    assert!(registry.log().iter().any(|line| line.ends_with(" 0-1048575")));
}

/// It has to read all of it once more before it can say that it is the right one.
#[test]
fn a_registry_may_take_its_time_with_what_it_has() {
    for request in ["PATCH", "PUT /v2/q/m/blobs", "GET /v2/q/m/blobs"] {
        let (registry, bench, name, layer) = image(5000);
        let slow = Fault::Sleep(1200);
        if request.starts_with("GET") {
            bench.push(&name).unwrap();
        }
        registry.fault(request, 1, slow);
        let second = Bench::new();
        let done = if request.starts_with("GET") { &second } else { &bench };
        if request.starts_with("GET") { second.pull(&name) } else { bench.push(&name) }.unwrap();
        let note = format!("{} is slow to answer; still waiting", registry.address);
        assert_eq!(done.notes(), [note], "{request}");
        assert!(registry.has_blob("q/m", &layer.diff_id));
    }
}

#[test]
fn what_was_pushed_though_the_answer_was_lost_is_not_pushed_again() {
    let (registry, bench, name, layer) = image(5000);
    registry.fault("PUT /v2/q/m/blobs", 1, Fault::Mute);
    bench.push(&name).unwrap();
    assert!(registry.has_blob("q/m", &layer.diff_id));
    let log = registry.log();
    let to_layer = log.iter().filter(|line| line.starts_with("PATCH")).count();
    assert_eq!(to_layer, 3, "the layer and two configs, once each: {log:?}");
}

#[test]
fn weights_do_not_leave_tls() {
    let secured = |url: &str, base: &str, insecure| {
        let url = secured(url.parse().unwrap(), base, insecure);
        url.map(|url| url.to_string())
    };
    let base = "https://r.io:8443";
    for (said, goes) in [
        ("https://r.io:8443/u?a=b", "https://r.io:8443/u?a=b"),
        ("http://r.io/u?a=b", "https://r.io:8443/u?a=b"),
        ("http://r.io:80/u", "https://r.io:8443/u"),
        ("https://other.io/u", "https://other.io/u"),
    ] {
        assert_eq!(secured(said, base, false).as_deref(), Some(goes), "{said}");
    }
    assert_eq!(secured("http://r.io/u", "https://r.io", false).as_deref(), Some("https://r.io/u"));
    assert_eq!(secured("http://other.io/u", base, false), None);
    assert_eq!(secured("http://other.io/u", base, true).as_deref(), Some("http://other.io/u"));
    assert_eq!(secured("http://r.io/u", "http://r.io", true).as_deref(), Some("http://r.io/u"));
}
