//! The list of advisories is for the pinned release, and agrees with the patches.

use anyhow::{Result, bail};
use llama_src::Pin;

use distribution::advisories::{Advisories, patches};

pub(super) fn run() -> Result<()> {
    let wrong = Advisories::load()?.violations(&Pin::load(), &patches()?);
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}
