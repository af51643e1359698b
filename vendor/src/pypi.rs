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
use crate::{Error, Report, tree};

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
                Err(error) => failures.push(format!("{}: {error}", shown(index))),
            }
        }
        if failures.is_empty() {
            failures.push("pip's settings name no index (no-index)".to_owned());
        }
        Err(Error::new(failures.join("\n")))
    }

    fn fetch(
        self,
        index: &str,
        dir: &Path,
        to: &Path,
        limits: &Limits,
        report: &mut Report<'_>,
    ) -> Result<(), Error> {
        let page = dir.join("index.html");
        let address = format!("{}/{}/", index.trim_end_matches('/'), self.name);
        let limited = Limits { bytes: PAGE, ..*limits };
        let base = fetch::download_from(&address, &page, &limited, Proof::Hash, &mut |_| ())?;
        let text = fs::read(&page).map_err(|e| Error::io("read", &page, &e))?;
        let url = link(&String::from_utf8_lossy(&text), &base, self.file)
            .ok_or_else(|| Error::new(format!("it has no {}", self.file)))?;
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
        Err(Error::new(format!("the SHA-256 of {file} is {found}, the pin says {pinned}")))
    }
}

/// The address of `file` among the links of an index's page (PEP 503), whose own address is `base`.
fn link(page: &str, base: &Uri, file: &str) -> Option<Uri> {
    let values = page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| ['"', '\''].contains(c))?;
        rest[1..].split(quote).next()
    });
    let mut urls = values.filter_map(|value| fetch::join(base, &value.replace("&amp;", "&")));
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
    fn no_password_of_an_index_is_shown() {
        assert_eq!(
            shown("https://me:secret@packages.example/simple"),
            "https://packages.example/simple"
        );
        assert_eq!(shown("nonsense"), "nonsense");
    }
}
