//! Commands that ask a registry: `pull`, `push`, `login`, `logout`.
use super::{Context, args, progress::Screen};
use crate::Error;
use crate::digest::Digest;
use crate::image::Platform;
use crate::reference::Name;
use crate::store::Store;
pub(super) fn pullable(_: &str) -> Option<Name> {
    None
}
pub(super) fn pull(
    _: &Store,
    name: &Name,
    _: Option<&Platform>,
    _: &args::Remote,
    _: &Screen,
) -> Result<Digest, Error> {
    Err(Error::new(format!("no {name}")))
}
pub(super) fn push(_: &Store, name: &Name, _: &args::Remote, _: &Screen) -> Result<(), Error> {
    Err(Error::new(format!("no {name}")))
}
pub(super) fn config(name: &Name, _: &args::Remote) -> Result<Vec<u8>, Error> {
    Err(Error::new(format!("no {name}")))
}
pub(super) fn push_command(_: &args::Push, _: &Context) -> Result<(), Error> {
    Ok(())
}
pub(super) fn pull_command(_: &args::Pull, _: &Context) -> Result<(), Error> {
    Ok(())
}
pub(super) fn login(_: &args::Login) -> Result<(), Error> {
    Ok(())
}
pub(super) fn logout(_: &args::Logout) -> Result<(), Error> {
    Ok(())
}
