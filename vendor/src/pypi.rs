//! Takes one file of a package from a Python package index, with the crate's own client: a hash of the pin proves it, and
//! no Python runs. pip would run the package's build script, and whatever that asks for, to read its metadata.

mod settings;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use ureq::http::Uri;
use ureq::http::uri::Authority;

pub use self::settings::Settings;
use crate::fetch::{self, Limits, Proof};
use crate::{Error, Kind, Report, tree};

/// The most bytes of a package's page: the longest on PyPI have a tenth of it.
const PAGE: u64 = 64 << 20;

/// A file of a package, whose bytes are known.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// The package's name, as an index has it in addresses.
    pub name: &'a str,
    /// The name of the file.
    pub file: &'a str,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: &'a str,
}

impl Package<'_> {
    /// Downloads it into `dir`, from the first index that has it.
    ///
    /// # Errors
    /// When no index has it, or it is another file than the pinned one.
    pub fn download(
        self,
        settings: &Settings,
        dir: &Path,
        limits: &Limits,
        report: &mut Report<'_>,
    ) -> Result<PathBuf, Error> {
        let to = dir.join(self.file);
        let local = settings.folders.iter().map(|folder| folder.join(self.file));
        if let Some(found) = local.into_iter().find(|path| path.is_file()) {
            fs::copy(&found, &to).map_err(|e| Error::io("read", &found, &e))?;
            return self.proved(to);
        }
        let mut failures = Vec::new();
        for index in &settings.indexes {
            match self.fetch(index, dir, &to, limits, report) {
                Ok(()) => return self.proved(to),
                Err(error) if error.kind() == Kind::DiskFull => return Err(error),
                Err(error) => failures.push(format!("{}: {error}", shown(index))),
            }
        }
        if failures.is_empty() {
            failures.push("pip's settings name no index (no-index)".to_owned());
        }
        Err(Error::network(failures.join("\n")))
    }

    fn fetch(
        self,
        index: &str,
        dir: &Path,
        to: &Path,
        limits: &Limits,
        report: &mut Report<'_>,
    ) -> Result<(), Error> {
        let (base, text) = page(index, self.name, dir, limits)?;
        let url = link(&text, &base, self.file)
            .ok_or_else(|| Error::missing(format!("it has no {}", self.file)))?;
        fetch::download_from(&url.to_string(), to, limits, Proof::Hash, report).map(drop)
    }

    fn proved(self, path: PathBuf) -> Result<PathBuf, Error> {
        let failed = |e| Error::io("read", &path, &e);
        let mut hash = Sha256::new();
        std::io::copy(&mut File::open(&path).map_err(failed)?, &mut hash).map_err(failed)?;
        let found = tree::hex(&hash.finalize());
        if found == self.sha256 {
            return Ok(path);
        }
        let (file, pinned) = (self.file, self.sha256);
        Err(Error::mismatch(format!("the SHA-256 of {file} is {found}, the pin says {pinned}")))
    }
}

/// The source package of `name` whose version ends in `.<build number>`: its version and its SHA-256, as the first
/// index says that has one.
///
/// # Errors
/// When no index can be asked.
pub fn release(
    name: &str,
    build_number: u32,
    settings: &Settings,
    limits: &Limits,
    dir: &Path,
) -> Result<Option<(String, String)>, Error> {
    let mut failures = Vec::new();
    for index in &settings.indexes {
        match page(index, name, dir, limits) {
            Ok((_, text)) => match listed(&text, name, build_number) {
                Some(found) => return Ok(Some(found)),
                None => continue,
            },
            Err(error) => failures.push(format!("{}: {error}", shown(index))),
        }
    }
    if failures.is_empty() { Ok(None) } else { Err(Error::network(failures.join("\n"))) }
}

/// An index's page of the package `name`, and the address that gave it.
fn page(index: &str, name: &str, dir: &Path, limits: &Limits) -> Result<(Uri, String), Error> {
    let file = dir.join("index.html");
    let address = format!("{}/{name}/", index.trim_end_matches('/'));
    let limited = Limits { bytes: PAGE, ..*limits };
    let base = fetch::download_from(&address, &file, &limited, Proof::Hash, &mut |_| ())?;
    let text = fs::read(&file).map_err(|e| Error::io("read", &file, &e))?;
    Ok((base, String::from_utf8_lossy(&text).into_owned()))
}

/// What the links of a page name.
fn links(page: &str) -> impl Iterator<Item = &str> {
    page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| ['"', '\''].contains(c))?;
        rest[1..].split(quote).next()
    })
}

/// Version and SHA-256 of the source package in a page whose version ends in `.<build number>`.
fn listed(page: &str, name: &str, build_number: u32) -> Option<(String, String)> {
    let end = format!(".{build_number}");
    links(page).find_map(|link| {
        let (address, fragment) = link.split_once('#')?;
        let file = address.rsplit('/').next()?;
        let version = file.strip_prefix(name)?.strip_prefix('-')?.strip_suffix(".tar.gz")?;
        let sha256 = fragment.strip_prefix("sha256=").filter(|hash| hash.len() == 64)?;
        version.ends_with(&end).then(|| (version.to_owned(), sha256.to_owned()))
    })
}

/// The address of `file` among the links of an index's page (PEP 503), whose own address is `base`.
fn link(page: &str, base: &Uri, file: &str) -> Option<Uri> {
    let mut urls = links(page).filter_map(|value| fetch::join(base, &value.replace("&amp;", "&")));
    let url = urls.find(|url| url.path().rsplit('/').next() == Some(file))?;
    // An index behind a password may keep its files there, too.
    if url.host() != base.host() || url.authority().is_some_and(|own| own.as_str().contains('@')) {
        return Some(url);
    }
    let mut parts = url.into_parts();
    let user = base.authority().and_then(|own| Some(own.as_str().rsplit_once('@')?.0));
    if let (Some(user), Some(own)) = (user, &parts.authority) {
        parts.authority = Authority::try_from(format!("{user}@{own}")).ok();
    }
    Uri::from_parts(parts).ok()
}

/// An index without the password that may stand in its address.
fn shown(index: &str) -> String {
    let Some((scheme, rest)) = index.split_once("://") else { return index.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_among_the_links_of_a_page() {
        let base: Uri = "https://me:secret@packages.example/simple/x/".parse().unwrap();
        let find = |page: &str| link(page, &base, "x-1.tar.gz").map(|url| url.to_string());
        let page = r#"<a href="https://files.example/a/x-1-py3.whl#sha256=1">x-1-py3.whl</a>
            <a href="https://files.example/a/x-1.tar.gz.asc">s</a>
            <a data-x="1" href="https://files.example/a/x-1.tar.gz#sha256=2">x-1.tar.gz</a>"#;
        assert_eq!(find(page).as_deref(), Some("https://files.example/a/x-1.tar.gz"));
        let own = "<a href='../../files/x-1.tar.gz?a=1&amp;b=2'>x-1.tar.gz</a>";
        assert_eq!(
            find(own).as_deref(),
            Some("https://me:secret@packages.example/files/x-1.tar.gz?a=1&b=2")
        );
        for page in ["", "href=", "<a href=x-1.tar.gz>", "<a href=\"x-10.tar.gz\">", "href=\""] {
            assert_eq!(find(page), None, "{page}");
        }
    }

    #[test]
    fn the_source_package_of_a_release_is_found() {
        let (old, new) = ("1".repeat(64), "2".repeat(64));
        let page = format!(
            "<a href=\"https://files.example/a/x-2026.9.12.tar.gz#sha256={old}\">x</a>
             <a href=\"https://files.example/a/x-2026.10.112-py3.whl#sha256={old}\">x</a>
             <a href=\"https://files.example/a/x-2026.10.112.tar.gz#sha256={new}\">x</a>
             <a href=\"https://files.example/a/x-2026.10.113.tar.gz\">x</a>"
        );
        let find = |build_number| listed(&page, "x", build_number);
        assert_eq!(find(112), Some(("2026.10.112".to_owned(), new)));
        assert_eq!(find(12), Some(("2026.9.12".to_owned(), old)));
        for absent in [2, 113, 114] {
            assert_eq!(find(absent), None, "{absent}");
        }
    }

    #[test]
    fn no_password_of_an_index_is_shown() {
        assert_eq!(
            shown("https://me:secret@packages.example/simple"),
            "https://packages.example/simple"
        );
        assert_eq!(shown("nonsense"), "nonsense");
    }
}
