//! Addresses that a registry sends: one that no request can go to is told, and never crashes the program.

use super::fake::{Fault, Registry};
use super::tests::Bench;
use super::*;

/// Whole headers of a refusal, each with a token server that there cannot be.
const REALMS: [(&str, &str); 8] = [
    ("", "www-authenticate: Bearer realm=\"\"\r\n"),
    ("foo", "www-authenticate: Bearer realm=\"foo\"\r\n"),
    ("/token", "www-authenticate: Bearer realm=\"/token\"\r\n"),
    ("http://", "www-authenticate: Bearer realm=\"http://\"\r\n"),
    ("http://[::1", "www-authenticate: Bearer realm=\"http://[::1\"\r\n"),
    ("file:///etc/passwd", "www-authenticate: Bearer realm=\"file:///etc/passwd\"\r\n"),
    ("data:,{}", "www-authenticate: Bearer realm=\"data:,{}\"\r\n"),
    ("ftp://r.io/", "www-authenticate: Bearer realm=\"ftp://r.io/\"\r\n"),
];

#[test]
fn a_token_server_that_no_request_can_go_to_is_told() {
    for (realm, header) in REALMS {
        let (registry, bench) = (Registry::start(), Bench::new());
        registry.fault("/manifests/", 9, Fault::Answer(401, header, ""));
        registry.fault("GET /v2/", 9, Fault::Answer(401, header, ""));
        let expected = format!("{} names no usable token server: `{realm}`", registry.address);
        let told = |error: Error| error.to_string().starts_with(&expected);
        assert!(told(bench.pull(&registry.name("q/m:1")).unwrap_err()), "{realm}");
        assert!(told(bench.client.login(&registry.address, "a", "b", &|_| {}).unwrap_err()));
        assert_eq!(bench.notes(), [""; 0], "it is not asked again");
    }
}

#[test]
fn a_token_server_may_have_a_query_of_its_own() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.page("/own", 200, "", b"{\"token\":\"token-of-ann\"}");
    let realm = format!("www-authenticate: Bearer realm=\"http://{}/own?a=1#b\"", registry.address);
    let header: &'static str = format!("{realm},service=\"s\"\r\n").leak();
    registry.fault("/manifests/", 1, Fault::Answer(401, header, ""));
    bench.pull(&registry.name("q/m:1")).unwrap_err();
    let asked = registry.log();
    assert!(asked.contains(&"GET /own".to_owned()), "{asked:?}");
}

#[test]
fn an_upload_to_no_address_of_the_web_is_told() {
    for (location, header) in [
        ("file:///etc/passwd", "location: file:///etc/passwd\r\n"),
        ("data:,x", "location: data:,x\r\n"),
        ("http://[::1", "location: http://[::1\r\n"),
    ] {
        let (registry, bench) = (Registry::start(), Bench::new());
        let name = registry.name("q/m:1");
        bench.image(&name, &[bench.layer("m", b"m")]);
        registry.fault("POST", 9, Fault::Answer(202, header, ""));
        let error = bench.push(&name).unwrap_err().to_string();
        let expected =
            format!("{} sent no usable upload URL for `{name}`: `{location}`", registry.address);
        assert_eq!(error, expected);
    }
}

#[test]
fn a_token_does_not_go_to_the_host_of_an_upload_elsewhere() {
    let (registry, other, bench) = (Registry::start(), Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    other.wants("ann:secret", false);
    bench.client.login(&registry.address, "ann", "secret", &|_| {}).unwrap();
    let name = registry.name("q/m:1");
    bench.image(&name, &[bench.layer("m", b"m")]);
    let there = format!("location: http://{}/v2/q/m/blobs/uploads/u0\r\n", other.address).leak();
    registry.fault("POST", 9, Fault::Answer(202, there, ""));
    // The other one takes the same token, and then does not find the upload.
    let error = bench.push(&name).unwrap_err().to_string();
    assert!(error.contains("the token expired"), "{error}");
    let sent = other.log();
    assert!(sent.contains(&"PATCH /v2/q/m/blobs/uploads/u0".to_owned()), "{sent:?}");
    assert!(!sent.contains(&"GET /token".to_owned()), "it gets no credentials: {sent:?}");
}

#[test]
fn a_redirect_to_no_address_of_the_web_is_not_followed() {
    for header in ["location: file:///etc/passwd\r\n", "location: data:,x\r\n"] {
        let (registry, bench) = (Registry::start(), Bench::new());
        registry.fault("/manifests/", 9, Fault::Answer(307, header, ""));
        let error = bench.pull(&registry.name("q/m:1")).unwrap_err().to_string();
        assert!(error.contains("307 Temporary Redirect") || error.contains("scheme"), "{error}");
        assert_eq!(bench.notes(), [""; 0], "it is not asked again");
    }
}
