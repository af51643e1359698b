//! Commands that ask a registry: `pull`, `push`, `verify`, `login`, `logout`.

use std::io::Read;

use console::Term;

use super::formats::Formats;
use super::progress::Screen;
use super::{Context, args, output, signing};
use crate::Error;
use crate::artifact::Format;
use crate::attached::Kind;
use crate::digest::Digest;
use crate::image::Platform;
use crate::layout::{Item, Saved};
use crate::progress::Event;
use crate::reference::{Name, is_id};
use crate::registry::{self, Client, Inspected, Kept, Settings};
use crate::signing::PrivateKey;
use crate::store::{Store, StoredImage};

pub(super) fn client(insecure: bool) -> Result<Client, Error> {
    Client::new(Settings { insecure, ..Settings::from_environment() })
}

/// The name that `text` is, if it can be one of a registry: not where it can only be an ID.
pub(super) fn pullable(text: &str) -> Option<Name> {
    if is_id(text) { None } else { text.parse().ok() }
}

/// `error` that there is no image to push as `text`; an ID says no registry to push to.
fn not_pushed(text: &str, error: Error) -> Error {
    if !is_id(text) {
        return error;
    }
    Error::usage(format!("`{text}` is the ID of an image, and says no registry to push to"))
        .hint(format!("name the image first: gguf-packer tag {text} REGISTRY/NAME"))
        .hint("then push that name: gguf-packer push REGISTRY/NAME")
}

/// Pulls `name`.
pub(super) fn pull(
    store: &Store,
    name: &Name,
    platform: Option<&Platform>,
    remote: &args::Remote,
    screen: &Screen,
) -> Result<Digest, Error> {
    client(remote.insecure)?.pull(name, platform, store, &|event| screen.transfer(event))
}

/// Pushes all of it, each under its names.
pub(super) fn push(
    store: &Store,
    items: &[Saved],
    sign: Option<&PrivateKey>,
    remote: &args::Remote,
    screen: &Screen,
) -> Result<(), Error> {
    let client = client(remote.insecure)?;
    let report = |event: Event<'_>| screen.transfer(event);
    let how = if sign.is_some() { "pushed and signed" } else { "pushed" };
    for (item, name) in items.iter().flat_map(|(item, names)| names.iter().map(move |n| (item, n)))
    {
        let (digest, format) = match item {
            Item::Image(image) => {
                (client.push_image(image, name, store, sign, &report)?, String::new())
            }
            Item::Artifact(artifact) => {
                let digest = client.push_artifact(artifact, name, store, sign, &report)?;
                (digest, format!(", {}", artifact.format))
            }
        };
        screen.say(&format!("{how} {name} as {digest}{format}"));
    }
    Ok(())
}

/// What a registry has under `name`.
pub(super) fn inspect(name: &Name, remote: &args::Remote) -> Result<Inspected, Error> {
    let screen = Screen::new(remote.progress);
    client(remote.insecure)?.inspect(name, None, &|event| screen.transfer(event))
}

/// The documents that a registry has about `name`.
pub(super) fn documents(name: &Name, remote: &args::Remote) -> Result<Vec<(Kind, Vec<u8>)>, Error> {
    let screen = Screen::new(remote.progress);
    client(remote.insecure)?.documents(name, &|event| screen.transfer(event))
}

pub(super) fn push_command(args: &args::Push, context: &Context) -> Result<(), Error> {
    let key = args.sign.as_deref().map(signing::private_key).transpose()?;
    let screen = Screen::new(args.remote.progress);
    let (formats, name) = (Formats::of(&args.formats)?, args.name.parse::<Name>()?);
    let store = context.store_to_read()?;
    // What is pushed as another name may be named by its ID.
    let text = if formats.are_named() { args.name.clone() } else { name.full() };
    let explain = |error| if formats.are_named() { error } else { not_pushed(&args.name, error) };
    let image = store.find(&text).map_err(explain)?;
    if formats.are_implied() {
        stays_what_it_is(&image, &name, &args.remote)?;
    }
    let items = formats.items(&image, &[name], &store)?;
    push(&store, &items, key.as_ref(), &args.remote, &screen)
}

/// Refuses to make an image of what was pulled as an artifact, unless that is said.
fn stays_what_it_is(image: &StoredImage, name: &Name, remote: &args::Remote) -> Result<(), Error> {
    if !registry::is_of_other_format(image) {
        return Ok(());
    }
    // What is wrong with the registry is told by the push.
    let there = client(remote.insecure)?.inspect(name, None, &|_| {}).ok();
    let Some(format) = there.and_then(|there| there.format) else { return Ok(()) };
    let text = format!("the registry has `{name}` as {format}, not as an image");
    let error = Error::new(text);
    let error = match format.parse::<Format>() {
        Ok(format) => {
            error.hint(format!("push it in that format: gguf-packer push --format {format} {name}"))
        }
        Err(_) => error,
    };
    Err(error.hint(format!("or replace it with an image: gguf-packer push --format image {name}")))
}

/// Goes on after a model that is not to be had, and tells all of them.
pub(super) fn pull_command(args: &args::Pull, context: &Context) -> Result<(), Error> {
    let platform: Option<Platform> = args.platform.as_deref().map(str::parse).transpose()?;
    let key = args.verify.as_deref().map(signing::public_key).transpose()?;
    let (store, screen) = (context.store()?, Screen::new(args.remote.progress));
    let platform = platform.as_ref();
    let one = |name: &Name| match &key {
        None => pull(&store, name, platform, &args.remote, &screen),
        Some(key) => {
            client(args.remote.insecure)?
                .pull_signed(name, platform, key, &store, &|event| screen.transfer(event))
        }
    };
    let mut errors = Vec::new();
    for text in &args.names {
        match text.parse().and_then(|name| one(&name)) {
            Ok(id) => screen.say(&format!("pulled {text} as {}", id.short())),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::all(errors)) }
}

/// Goes on after an image that is not signed, and tells all of them.
pub(super) fn verify_command(args: &args::Verify) -> Result<(), Error> {
    let key = signing::public_key(&args.key)?;
    let (screen, client) = (Screen::new(args.remote.progress), client(args.remote.insecure)?);
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

pub(super) fn login(args: &args::Login) -> Result<(), Error> {
    let (user, password) = credentials(args)?;
    let screen = Screen::new(args::Progress::Plain);
    let client = client(args.insecure)?;
    let kept = client.login(&args.registry, &user, &password, &|event| screen.transfer(event))?;
    if let Kept::Plain(file) = &kept {
        let file = file.display();
        output::say(&format!("warning: the password is stored unencrypted in {file}"));
        output::say(
            "  hint: use a credential helper: https://docs.docker.com/go/credential-store/",
        );
    }
    output::line("Login Succeeded")
}

fn credentials(args: &args::Login) -> Result<(String, String), Error> {
    let term = Term::stderr();
    let failed = |e: std::io::Error| Error::new(format!("cannot read the credentials: {e}"));
    let is_asked = term.is_term() && !args.password_stdin;
    let user = match &args.username {
        Some(user) => user.clone(),
        None if is_asked => {
            term.write_str("Username: ").map_err(failed)?;
            term.read_line().map_err(failed)?
        }
        None => {
            return Err(Error::usage("no user name given")
                .hint("gguf-packer login --username NAME --password-stdin REGISTRY < FILE"));
        }
    };
    let password = if args.password_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    } else if is_asked {
        term.write_str("Password: ").map_err(failed)?;
        term.read_secure_line().map_err(failed)?
    } else {
        return Err(Error::new("cannot ask for the password: this is not a terminal")
            .hint("read it from standard input: --password-stdin"));
    };
    if password.is_empty() {
        return Err(Error::new("the password is empty"));
    }
    Ok((user, password))
}

pub(super) fn logout(args: &args::Logout) -> Result<(), Error> {
    if client(false)?.logout(&args.registry)? {
        output::line(&format!("removed the credentials for {}", args.registry))
    } else {
        output::line(&format!("not logged in to {}", args.registry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_not_pushed_but_named_first() {
        for id in ["6c7c7dd64c89", "sha256:6c7c7dd64c89"] {
            assert_eq!(pullable(id), None);
            let expected = format!(
                "`{id}` is the ID of an image, and says no registry to push to\n  hint: name the image \
                first: gguf-packer tag {id} REGISTRY/NAME\n  hint: then push that name: gguf-packer \
                push REGISTRY/NAME"
            );
            assert_eq!(not_pushed(id, Error::new("none")).to_string(), expected);
        }
        assert_eq!(not_pushed("6c7c7dd64c8g", Error::new("none")).to_string(), "none");
    }
}
