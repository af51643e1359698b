//! Keys as a person names them, and `verify`.

use console::Term;

use super::context::variable;
use super::progress::Screen;
use super::{args, output, remote};
use crate::Error;
use crate::reference::Name;
use crate::signing::{PrivateKey, PublicKey};

/// The variable that cosign reads too.
const PASSWORD: &str = "COSIGN_PASSWORD";

/// The key that signs: a file, or `env://VARIABLE`.
pub(super) fn private_key(place: &str) -> Result<PrivateKey, Error> {
    if place == "keyless" {
        return Err(Error::new("signing without a key needs Sigstore's servers and a login, which gguf-packer does not do")
            .hint("push without --sign, then: cosign sign REGISTRY/NAME@DIGEST, with the digest that push tells")
            .hint("or sign with a key: cosign generate-key-pair, then --sign cosign.key"));
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
            Error::new(format!("there is no key in the variable {name}"))
                .hint(format!("{name}=\"$(cat KEY)\", or name the file itself"))
        }),
        Some((scheme, _)) if !std::path::Path::new(place).exists() => {
            Err(Error::new(format!("keys of `{scheme}://` cannot be used: {place}"))
                .hint(format!(
                    "push without it, then: cosign sign --key {place} REGISTRY/NAME@DIGEST"
                ))
                .hint("or take a file, or env://VARIABLE"))
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
        return password.into_string().map_err(|_| Error::new(format!("{PASSWORD} is no text")));
    }
    let term = Term::stderr();
    if !term.is_term() {
        return Err(Error::new(
            "the key is sealed, and there is no terminal to ask for its password on",
        )
        .hint(format!("set {PASSWORD}")));
    }
    let asked = term.write_str("Password of the key: ").and_then(|()| term.read_secure_line());
    asked.map_err(|e| Error::new(format!("cannot read the password: {e}")))
}

/// Goes on after an image that is not signed, and tells all of them.
pub(super) fn verify_command(args: &args::Verify) -> Result<(), Error> {
    let key = public_key(&args.key)?;
    let (screen, client) =
        (Screen::new(args.remote.progress), remote::client(args.remote.insecure)?);
    let mut errors = Vec::new();
    for text in &args.names {
        let verified = text.parse().and_then(|name: Name| {
            let digest = client.verify(&name, &key, &|event| screen.transfer(event))?;
            Ok(format!("{}@{digest}", name.short_repository()))
        });
        match verified {
            Ok(pinned) => output::line(&format!("signed {pinned}"))?,
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::all(errors)) }
}
