//! Tests of credentials: tried, kept where Docker keeps them, and used.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::Settings;
use super::super::fake::Registry;
use super::super::tests::Bench;
use super::*;

fn login(bench: &Bench, registry: &Registry, password: &str) -> Result<Kept, Error> {
    bench.client.login(&registry.address, "ann", password, &|_| {})
}

fn docker_config(bench: &Bench) -> std::path::PathBuf {
    bench.folder.path().join("docker/config.json")
}

fn write_config(bench: &Bench, text: &str) {
    fs::create_dir_all(bench.folder.path().join("docker")).unwrap();
    fs::write(docker_config(bench), text).unwrap();
}

/// Pushes and pulls an image.
fn works(bench: &Bench, registry: &Registry) -> Result<(), Error> {
    let name = registry.name("q/m:1");
    bench.image(&name, &[bench.layer("m", b"m")]);
    bench.push(&name)?;
    bench.pull(&name).map(drop)
}

#[test]
fn what_is_kept_is_used() {
    for basic in [false, true] {
        let (registry, bench) = (Registry::start(), Bench::new());
        registry.wants("ann:secret", basic);
        let error = works(&bench, &registry).unwrap_err().to_string();
        assert!(
            error.contains(&format!("log in: gguf-packer login {}", registry.address)),
            "{error}"
        );
        let error = login(&bench, &registry, "wrong").unwrap_err().to_string();
        let expected = format!(
            "{} denied the login of `ann`: incorrect user name or password",
            registry.address
        );
        assert!(error.starts_with(&expected), "{error}");
        assert!(!docker_config(&bench).exists());
        assert_eq!(login(&bench, &registry, "secret").unwrap(), Kept::Plain(docker_config(&bench)));
        works(&bench, &registry).unwrap();
        assert!(bench.client.logout(&registry.address).unwrap());
        assert!(!bench.client.logout(&registry.address).unwrap());
    }
}

#[test]
fn what_podman_keeps_for_the_registry_or_for_a_part_of_it_is_used_after_dockers() {
    for part in ["", "/q", "/q/m"] {
        let (registry, bench) = (Registry::start(), Bench::new());
        registry.wants("ann:secret", false);
        let write = |server: &str, account: &str| {
            let auth = STANDARD.encode(account);
            let text = format!("{{\"auths\":{{\"{server}\":{{\"auth\":\"{auth}\"}}}}}}");
            fs::write(bench.folder.path().join("auth.json"), text).unwrap();
        };
        let server = format!("{}{part}", registry.address);
        write(&format!("{server}x"), "ann:secret");
        works(&bench, &registry).unwrap_err();
        write(&server, "ann:secret");
        works(&bench, &registry).unwrap();
        write_config(&bench, &fs::read_to_string(bench.folder.path().join("auth.json")).unwrap());
        write(&server, "ann:old");
        if part.is_empty() {
            works(&bench, &registry).expect("Docker's comes first");
        }
    }
}

#[test]
fn credentials_that_are_no_longer_taken_are_told() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    let auth = STANDARD.encode("ann:old");
    write_config(
        &bench,
        &format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{auth}\"}}}}}}", registry.address),
    );
    let error = works(&bench, &registry).unwrap_err().to_string();
    let expected = format!("{} rejected the stored credentials for", registry.address);
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn what_else_the_file_says_stays() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    write_config(&bench, "{\"auths\":{\"r.io\":{\"auth\":\"eA==\"}},\"psFormat\":\"x\"}");
    login(&bench, &registry, "secret").unwrap();
    let read = || {
        serde_json::from_slice::<serde_json::Value>(&fs::read(docker_config(&bench)).unwrap())
            .unwrap()
    };
    let expected = serde_json::json!({
        "auths": {
            "r.io": { "auth": "eA==" },
            &registry.address: { "auth": STANDARD.encode("ann:secret") },
        },
        "psFormat": "x",
    });
    assert_eq!(read(), expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(docker_config(&bench)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    bench.client.logout(&registry.address).unwrap();
    assert_eq!(read()["auths"], serde_json::json!({ "r.io": { "auth": "eA==" } }));
    write_config(&bench, "{");
    let error = login(&bench, &registry, "secret").unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("config.json"), "{error}");
}

#[test]
fn an_identity_token_is_exchanged() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    let kept =
        format!("{{\"auths\":{{\"{}\":{{\"identitytoken\":\"identity\"}}}}}}", registry.address);
    write_config(&bench, &kept);
    works(&bench, &registry).unwrap();
}

#[test]
fn a_registry_that_asks_nobody_takes_everybody() {
    let (registry, bench) = (Registry::start(), Bench::new());
    assert!(matches!(login(&bench, &registry, "any"), Ok(Kept::Plain(_))));
    works(&bench, &registry).unwrap();
}

#[test]
fn a_helper_that_is_not_there_is_named() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    write_config(&bench, "{\"credsStore\":\"of-no-such-name\"}");
    let error = login(&bench, &registry, "secret").unwrap_err().to_string();
    let expected = "cannot run the credential helper docker-credential-of-no-such-name that Docker's \
        configuration names";
    assert!(error.starts_with(expected), "{error}");
}

/// As `"credsStore": "desktop"` is left behind in WSL and in containers.
#[test]
fn a_helper_that_is_not_there_keeps_nobody_from_what_is_public() {
    let registry = Registry::start();
    let (first, bench) = (Bench::new(), Bench::new());
    let name = registry.name("q/m:1");
    first.image(&name, &[first.layer("m", b"m")]);
    first.push(&name).unwrap();
    write_config(&bench, "{\"credsStore\":\"of-no-such-name\"}");
    let cannot = format!(
        "cannot read the credentials for {}: cannot run docker-credential-of-no-such-name",
        registry.address
    );
    registry.is_public();
    bench.pull(&name).unwrap();
    assert_eq!(bench.notes(), [format!("{cannot}; going on without")]);
    registry.wants("ann:secret", false);
    let other = Bench::new();
    write_config(&other, "{\"credsStore\":\"of-no-such-name\"}");
    let error = other.refused(&name);
    let hint = "hint: install it, or remove `credsStore` and `credHelpers` from that file";
    assert!(error.contains(&cannot) && error.contains(hint), "{error}");
    let auth = STANDARD.encode("ann:secret");
    let text = format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{auth}\"}}}}}}", registry.address);
    fs::write(other.folder.path().join("auth.json"), text).unwrap();
    other.pull(&name).expect("podman's file has them");
}

#[test]
fn the_file_that_is_named_goes_before_dockers() {
    let registry = Registry::start();
    registry.wants("ann:secret", false);
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("named.json");
    let auth = |account: &str| {
        let auth = STANDARD.encode(account);
        format!("{{\"auths\":{{\"{}\":{{\"auth\":\"{auth}\"}}}}}}", registry.address)
    };
    fs::write(&named, auth("ann:secret")).unwrap();
    // One that has no tokens yet.
    let new = || {
        let bench = Bench::with(|settings| Settings { auth_file: Some(named.clone()), ..settings });
        write_config(&bench, &auth("ann:old"));
        bench
    };
    works(&new(), &registry).unwrap();
    fs::write(&named, auth("ann:older")).unwrap();
    works(&new(), &registry).unwrap_err();
    let bench = new();
    assert_eq!(login(&bench, &registry, "secret").unwrap(), Kept::Plain(named.clone()));
    works(&bench, &registry).expect("what a login keeps is used");
    assert!(bench.client.logout(&registry.address).unwrap());
    assert!(!fs::read_to_string(&named).unwrap().contains(&registry.address));
    assert!(fs::read_to_string(docker_config(&bench)).unwrap().contains(&registry.address));
}

/// Google's and GitHub's refuse there already, and say why; the registry itself only says 401.
#[test]
fn what_the_token_server_says_is_told() {
    let registry = Registry::start();
    registry.wants("ann:secret", false);
    let reason = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied";
    let body = serde_json::json!({ "errors": [{ "code": "DENIED", "message": reason }] });
    registry.page("/token", 403, "", body.to_string().as_bytes());
    let bench = Bench::new();
    let said = format!("| DENIED: {reason}");
    let error = bench.refused(&registry.name("q/m:1"));
    assert!(error.contains(&said), "{error}");
    let error = login(&bench, &registry, "secret").unwrap_err().to_string();
    assert!(error.contains("denied the login of `ann`") && error.contains(&said), "{error}");
    // Docker Hub's words are no list.
    registry.page(
        "/token",
        401,
        "",
        br#"{"details":"email must be verified before using account"}"#,
    );
    let error = login(&bench, &registry, "secret").unwrap_err().to_string();
    assert!(error.contains("| email must be verified before using account"), "{error}");
}

/// A helper that keeps what it is given in a file beside it.
/// It reads all of its input before it answers: a caller that still writes would fail.
#[cfg(unix)]
const HELPER: &str = "#!/bin/sh
kept=\"${0%/*}/kept\"
asked=$(cat)
case $1 in
store) printf %s \"$asked\" > \"$kept\" ;;
get) cat \"$kept\" 2>/dev/null || { echo credentials not found in native keychain; exit 1; } ;;
erase) rm \"$kept\" ;;
esac
";

/// Helpers are found through `PATH`, which only a process of its own can have changed.
#[cfg(unix)]
#[test]
fn a_helper_keeps_them_where_one_is_named() {
    use std::os::unix::fs::PermissionsExt;

    #[expect(clippy::disallowed_methods, reason = "a test that runs itself")]
    if std::env::var("GGUF_PACKER_TEST_HELPER").is_ok() {
        return with_helper();
    }
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("docker-credential-test");
    fs::write(&helper, HELPER).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let test = "registry::login::tests::a_helper_keeps_them_where_one_is_named";
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let output = llama_src::sh::Cmd::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("PATH", path)
        .env("GGUF_PACKER_TEST_HELPER", "1")
        .read()
        .unwrap();
    assert!(output.contains("1 passed"), "{output}");
    assert!(!folder.path().join("kept").exists());
}

#[cfg(unix)]
fn with_helper() {
    let (registry, bench) = (Registry::start(), Bench::new());
    registry.wants("ann:secret", false);
    write_config(&bench, "{\"credsStore\":\"test\"}");
    assert!(works(&bench, &registry).is_err());
    assert_eq!(login(&bench, &registry, "secret").unwrap(), Kept::Helper("test".to_owned()));
    works(&bench, &registry).unwrap();
    let kept = fs::read_to_string(docker_config(&bench)).unwrap();
    assert_eq!(kept, "{\"credsStore\":\"test\"}", "no secret is in the file");
    assert!(bench.client.logout(&registry.address).unwrap());
    let other = Bench::new();
    write_config(&other, "{\"credsStore\":\"test\"}");
    assert!(works(&other, &registry).is_err());
}
