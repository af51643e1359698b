//! Keys that cosign 2.5 and OpenSSL 3.0 made, and signatures by them.

use super::*;
use crate::Error;

/// By `COSIGN_PASSWORD=sesame cosign generate-key-pair`, for these tests alone.
const SEALED: &str = include_str!("tests/sealed.key");
const PUBLIC: &str = include_str!("tests/sealed.pub");

/// By `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, for these tests alone.
const PLAIN: &str = include_str!("tests/plain.key");
const ITS_PUBLIC: &str = include_str!("tests/plain.pub");

fn sesame() -> Result<String, Error> {
    Ok("sesame".to_owned())
}

fn none() -> Result<String, Error> {
    Err(Error::new("nobody asked"))
}

fn refused(text: &str) -> String {
    let read = PrivateKey::parse(text, || Ok("open".to_owned()));
    read.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn cosign_s_sealed_key_opens_with_its_password() {
    let key = PrivateKey::parse(SEALED, sesame).unwrap();
    let public = PublicKey::parse(PUBLIC).unwrap();
    assert_eq!(key.public(), public);
    let signature = key.sign(b"text");
    assert!(public.has_signed(b"text", &signature));
    assert!(!public.has_signed(b"test", &signature) && !public.has_signed(b"text", b""));
    assert_eq!(refused(SEALED), "wrong password");
}

#[test]
fn a_plain_key_needs_no_password() {
    let key = PrivateKey::parse(PLAIN, none).unwrap();
    assert_eq!(key.public(), PublicKey::parse(ITS_PUBLIC).unwrap());
    assert!(!PublicKey::parse(PUBLIC).unwrap().has_signed(b"text", &key.sign(b"text")));
}

#[test]
fn what_is_no_key_is_refused_with_what_to_do() {
    for (text, told) in [
        ("hello", "not a private key: "),
        (PUBLIC, "a public key cannot sign"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not an ECDSA P-256 key"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
            "openssl pkcs8 -topk8",
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n", "not a private key"),
    ] {
        assert!(refused(text).contains(told), "{text}: {}", refused(text));
    }
    assert!(
        PublicKey::parse(SEALED).unwrap_err().to_string().contains("openssl pkey -in KEY -pubout")
    );
    let other = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
    let error = PublicKey::parse(other).unwrap_err().to_string();
    assert_eq!(error, "not an ECDSA P-256 public key");
}

/// Somebody's file must not take all memory.
#[test]
fn a_sealed_key_that_wants_much_is_refused() {
    let sealed = |n: u64, name: &str| {
        let json = json!({
            "kdf": {"name": "scrypt", "params": {"N": n, "r": 8, "p": 1}, "salt": ""},
            "cipher": {"name": name, "nonce": ""}, "ciphertext": "",
        });
        let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----",
            STANDARD.encode(json.to_string())
        )
    };
    for (text, told) in [
        (sealed(1 << 40, "nacl/secretbox"), "unsupported encryption: scrypt with N=1099511627776"),
        (sealed(3, "nacl/secretbox"), "unsupported encryption"),
        (sealed(16, "rot13"), "r=8, p=1, rot13"),
        (sealed(16, "nacl/secretbox"), "its nonce does not have 24 bytes"),
    ] {
        assert!(refused(&text).contains(told), "{}", refused(&text));
    }
}

#[test]
fn a_payload_is_cosign_s_to_the_byte() {
    let digest = Digest::of("x");
    let name: Name = "localhost:5987/it/x:1".parse().unwrap();
    let expected = format!(
        "{{\"critical\":{{\"identity\":{{\"docker-reference\":\"localhost:5987/it/x\"}},\
         \"image\":{{\"docker-manifest-digest\":\"{digest}\"}},\
         \"type\":\"cosign container image signature\"}},\"optional\":null}}"
    );
    assert_eq!(String::from_utf8(payload(&name, &digest)).unwrap(), expected);
    assert!(is_of(expected.as_bytes(), &digest));
    assert!(!is_of(expected.as_bytes(), &Digest::of("y")));
    assert!(!is_of(expected.replace("cosign c", "another c").as_bytes(), &digest));
    let hub = payload(&"ai/x".parse().unwrap(), &digest);
    assert!(String::from_utf8(hub).unwrap().contains("\"index.docker.io/ai/x\""));
}

#[test]
fn an_envelope_opens_for_its_key_alone() {
    let key = PrivateKey::parse(PLAIN, none).unwrap();
    let digest = Digest::of("x");
    let statement = format!("{{\"subject\":[{{\"digest\":{{\"sha256\":\"{}\"}}}}]}}", digest.hex());
    let envelope = envelope(statement.as_bytes(), &key);
    assert_eq!(opened(&envelope, &key.public()).unwrap(), statement.as_bytes());
    assert_eq!(opened(&envelope, &PublicKey::parse(PUBLIC).unwrap()), None);
    let changed = String::from_utf8(envelope).unwrap().replace("in-toto", "in-tota");
    assert_eq!(opened(changed.as_bytes(), &key.public()), None);
    assert!(is_about(statement.as_bytes(), &digest));
    assert!(!is_about(statement.as_bytes(), &Digest::of("y")));
}
