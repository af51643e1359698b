//! Keys as a person names them.

use console::Term;

use super::context::variable;
use crate::Error;
use crate::signing::{PrivateKey, PublicKey};

/// The variable that cosign reads too.
const PASSWORD: &str = "COSIGN_PASSWORD";

/// The key that signs: a file, or `env://VARIABLE`.
pub(super) fn private_key(place: &str) -> Result<PrivateKey, Error> {
    if place == "keyless" {
        return Err(Error::new(
            "gguf-packer cannot sign without a key: that needs Sigstore's servers and a login",
        )
        .hint(
            "push without --sign, then sign the digest that push prints: cosign sign \
                REGISTRY/NAME@DIGEST",
        )
        .hint("or sign with a key: cosign generate-key-pair, then push with --sign cosign.key"));
    }
    PrivateKey::parse(&text(place)?, password).map_err(|error| of(place, &error))
}

/// The key that checks.
pub(super) fn public_key(place: &str) -> Result<PublicKey, Error> {
    PublicKey::parse(&text(place)?).map_err(|error| of(place, &error))
}

fn of(place: &str, error: &Error) -> Error {
    Error::new(format!("cannot use the key {place}: {error}"))
}

fn text(place: &str) -> Result<String, Error> {
    match place.split_once("://") {
        Some(("env", name)) => variable(name).ok_or_else(|| {
            Error::new(format!("the variable {name} is unset or empty"))
                .hint(format!("set {name}=\"$(cat KEY)\", or name the key file itself"))
        }),
        Some((scheme, _)) if !std::path::Path::new(place).exists() => {
            Err(Error::new(format!("unsupported kind of key, `{scheme}://`: {place}"))
                .hint(format!(
                    "push without --sign, then: cosign sign --key {place} REGISTRY/NAME@DIGEST"
                ))
                .hint("or use a key file or env://VARIABLE"))
        }
        _ => std::fs::read_to_string(place)
            .map_err(|e| Error::io("read the key", place.as_ref(), &e)),
    }
}

/// The password of a sealed key.
fn password() -> Result<String, Error> {
    // An empty one is one.
    #[expect(clippy::disallowed_methods, reason = "a program's own environment")]
    let password = std::env::var_os(PASSWORD);
    if let Some(password) = password {
        return password.into_string().map_err(|_| Error::new(format!("{PASSWORD} is not UTF-8")));
    }
    let term = Term::stderr();
    if !term.is_term() {
        return Err(Error::new(
            "cannot ask for the password of the encrypted key: this is not a terminal",
        )
        .hint(format!("set {PASSWORD}")));
    }
    let asked = term.write_str("Password of the key: ").and_then(|()| term.read_secure_line());
    asked.map_err(|e| Error::new(format!("cannot read the password: {e}")))
}
