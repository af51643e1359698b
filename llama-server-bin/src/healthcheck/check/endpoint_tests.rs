//! Addresses of made-up servers.

use super::*;

fn of(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Endpoint, String> {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Endpoint::of(&arguments, &variables.iter().map(pair).collect(), Path::new("/proc/1/cwd"), &[])
}

fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    of(arguments, variables).unwrap().to_string()
}

#[test]
fn arguments_win_over_variables_over_defaults() {
    let variables = [("LLAMA_ARG_HOST", "10.0.0.1"), ("LLAMA_ARG_PORT", "8080")];
    assert_eq!(shown(&[], &[]), "http://127.0.0.1:9931/health");
    assert_eq!(shown(&["-m", "x"], &variables), "http://10.0.0.1:8080/health");
    let arguments = ["--port", "1", "--host", "localhost", "--port", "2", "-v"];
    assert_eq!(shown(&arguments, &variables), "http://localhost:2/health");
    assert_eq!(shown(&["--api_prefix", "/a"], &[]), "http://127.0.0.1:9931/a/health");
    let prefix = [("LLAMA_ARG_API_PREFIX", "/b")];
    assert_eq!(shown(&[], &prefix), "http://127.0.0.1:9931/b/health");
    assert_eq!(shown(&["--api-prefix", ""], &prefix), "http://127.0.0.1:9931/health");
}

#[test]
fn who_listens_everywhere_is_asked_at_home() {
    assert_eq!(shown(&["--host", "0.0.0.0"], &[]), "http://127.0.0.1:9931/health");
    assert_eq!(shown(&["--host", "::"], &[]), "http://127.0.0.1:9931/health");
    let Place::Tcp { hosts, .. } = of(&["--host", "::"], &[]).unwrap().place else { panic!() };
    assert_eq!(hosts, ["127.0.0.1", "::1"]);
    assert_eq!(shown(&["--host", " ,10.0.0.2, ::1"], &[]), "http://10.0.0.2:9931/health");
}

#[test]
fn a_host_can_be_a_socket() {
    let variables = [("LLAMA_ARG_HOST", "/run/l.sock,0.0.0.0")];
    assert_eq!(shown(&[], &variables), "http://unix:/run/l.sock:/health");
    let relative = shown(&["--host", "l.sock", "--port", "0"], &[]);
    assert_eq!(relative, "http://unix:/proc/1/cwd/l.sock:/health");
}

#[test]
fn tls_needs_key_and_certificate() {
    let key = ["--ssl-key-file", "k.pem"];
    assert_eq!(shown(&key, &[]), "http://127.0.0.1:9931/health");
    let certificate = [("LLAMA_ARG_SSL_CERT_FILE", "c.pem")];
    assert_eq!(shown(&key, &certificate), "https://127.0.0.1:9931/health");
}

#[test]
fn vertex_ai_decides_about_the_port() {
    let google = [("AIP_MODE", "PREDICTION"), ("AIP_HTTP_PORT", "7080")];
    assert_eq!(shown(&["--port", "1"], &google), "http://127.0.0.1:7080/health");
    assert_eq!(shown(&["--port", "1"], &google[..1]), "http://127.0.0.1:8080/health");
    assert_eq!(shown(&["--port", "1"], &google[1..]), "http://127.0.0.1:1/health");
}

/// Whatever a `config.ini`, a wrong reading of the arguments or a port that the kernel picked makes of it.
#[test]
fn what_was_bound_is_asked_whatever_was_told() {
    let of = |bound: &[&str]| {
        let listener = |at: &&str| match at.parse() {
            Ok(address) => Listener::Tcp(address),
            Err(_) => Listener::Unix(at.into()),
        };
        let bound: Vec<Listener> = bound.iter().map(listener).collect();
        let told = ["--port", "0", "--host", "1.2.3.4", "--api-prefix", "/a"].map(str::to_owned);
        Endpoint::of(&told, &Environment::new(), Path::new("/proc/1/cwd"), &bound).unwrap()
    };
    assert_eq!(of(&["127.0.0.1:4711"]).to_string(), "http://127.0.0.1:4711/a/health");
    assert_eq!(of(&["[::1]:4711"]).to_string(), "http://[::1]:4711/a/health");
    assert_eq!(of(&["l.sock"]).to_string(), "http://unix:/proc/1/cwd/l.sock:/a/health");
    let Place::Tcp { hosts, port } = of(&["0.0.0.0:80", "0.0.0.0:81", "[::]:80", "/s"]).place
    else {
        panic!()
    };
    assert_eq!((&hosts[..], port), (&["127.0.0.1", "::1"].map(str::to_owned)[..], 80));
}

#[test]
fn what_cannot_be_asked_is_told() {
    let refused = |arguments: &[&str]| of(arguments, &[]).unwrap_err();
    assert_eq!(
        refused(&["--port", "0"]),
        "llama-server chose its port itself (--port 0): LLAMA_HEALTHCHECK_URL has to name it"
    );
    assert_eq!(refused(&["--port", "http"]), "llama-server's port is `http`");
    assert_eq!(refused(&["--host", ","]), "llama-server has an empty --host");
    assert_eq!(shown(&["--port"], &[]), "http://127.0.0.1:9931/health");
}

#[test]
fn a_url_replaces_all_that() {
    for (url, due) in [
        ("http://h:1/x/health?a", "http://h:1/x/health?a"),
        ("http://h", "http://h:80/health"),
        ("https://h/", "https://h:443/"),
        ("http://[::1]:9", "http://[::1]:9/health"),
        ("http://0.0.0.0:9", "http://127.0.0.1:9/health"),
        ("http://unix:/run/l.sock:/a", "http://unix:/run/l.sock:/a"),
        ("http://unix:/run/l.sock", "http://unix:/run/l.sock:/health"),
    ] {
        assert_eq!(Endpoint::parse(url).unwrap().to_string(), due, "{url}");
    }
}

#[test]
fn what_is_no_url_is_told() {
    assert_eq!(
        Endpoint::parse("localhost:1").unwrap_err(),
        "LLAMA_HEALTHCHECK_URL is `localhost:1`, but must be http://HOST:PORT/PATH, \
        https://HOST:PORT/PATH or http://unix:/FILE:/PATH"
    );
    let with_key = Endpoint::parse("http://me:KEY@h:1/health").unwrap_err();
    assert!(with_key.starts_with("LLAMA_HEALTHCHECK_URL is `http://***@h:1/health`"), "{with_key}");
    for url in
        ["", "ftp://h", "http://", "http://h:0", "http://h:x", "http://[::1", "http://unix:x"]
    {
        assert!(Endpoint::parse(url).is_err(), "{url}");
    }
}
