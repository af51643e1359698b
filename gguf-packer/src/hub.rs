//! What Hugging Face's interface says of a repository: its commit, its files with their hashes, and the
//! addresses of both. Who asks brings the client, with its token, its waits and its errors.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::Error;
use crate::digest::Digest;
use crate::tree::check_path;

/// Most pages of a list of files; each has up to a thousand.
const PAGES: usize = 1000;

/// An answer and its header `Link`.
pub(crate) type Answer = (Vec<u8>, Option<String>);

/// A token for Hugging Face.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What is sent.
    pub secret: String,
    /// Where it was found.
    pub from: String,
}

/// A repository on its server.
#[derive(Clone, Copy)]
pub(crate) struct Hub<'a> {
    /// The server, without a slash at its end.
    pub(crate) endpoint: &'a str,
    /// `models`, `datasets` or `spaces`.
    pub(crate) kind: &'a str,
    /// `ORG/NAME`.
    pub(crate) repository: &'a str,
    /// Asks an address; an answer that is a refusal is an error.
    pub(crate) get: &'a dyn Fn(&str) -> Result<Answer, Error>,
}

/// A commit.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Revision {
    /// Its name in Git.
    pub(crate) sha: String,
    /// When it was made.
    pub(crate) last_modified: Option<String>,
}

/// A file of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Listed {
    #[serde(rename = "type")]
    kind: String,
    /// From the root of the repository on.
    pub(crate) path: String,
    /// Its name in Git, which for a large file is that of a pointer.
    #[serde(default)]
    pub(crate) oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Lfs>,
}

#[derive(Debug, Clone, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Token {
    /// The one of this process: that in `HF_TOKEN`, else what `hf auth login` keeps, in `HF_TOKEN_PATH` or in the folder
    /// `HF_HOME`, unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is 1.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "read where Hugging Face's own tools read it"
        )]
        Self::find(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let found = match variable("HF_TOKEN") {
            Some(text) => Some((text, "HF_TOKEN".to_owned())),
            None => kept(&variable).and_then(|path| {
                Some((std::fs::read_to_string(&path).ok()?, path.display().to_string()))
            }),
        };
        // From a file that an editor wrote, as Kubernetes' secrets are made, it ends with a line break.
        let found = found.map(|(text, from)| Self { secret: text.trim().to_owned(), from });
        found.filter(|token| !token.secret.is_empty())
    }

    /// Refuses one that no request can have.
    ///
    /// # Errors
    /// Names where it is from.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(());
        }
        let text = format!("the token in {} has characters that no token has", self.from);
        Err(Error::usage(text).hint("HF_TOKEN=hf_…"))
    }
}

/// The file in which `hf auth login` keeps a token.
fn kept(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let switch = variable("HF_HUB_DISABLE_IMPLICIT_TOKEN").unwrap_or_default();
    if ["1", "on", "yes", "true"].contains(&&*switch.to_ascii_lowercase()) {
        return None;
    }
    if let Some(path) = variable("HF_TOKEN_PATH") {
        return Some(path.into());
    }
    let home = || variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
    let cache = || {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        Some(cache.or_else(|| Some(home()?.join(".cache")))?.join("huggingface"))
    };
    Some(variable("HF_HOME").map(PathBuf::from).or_else(cache)?.join("token"))
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Listed {
    /// Bytes of the content.
    pub(crate) fn size(&self) -> u64 {
        self.lfs.as_ref().map_or(self.size, |lfs| lfs.size)
    }

    /// Whether Git has only a pointer to it.
    pub(crate) fn is_large(&self) -> bool {
        self.lfs.is_some()
    }

    /// The hash of a large file's content.
    pub(crate) fn digest(&self) -> Option<Digest> {
        Digest::from_hex(&self.lfs.as_ref()?.oid)
    }
}

impl Hub<'_> {
    /// The repository's address for a person.
    pub(crate) fn page(&self) -> String {
        page(self.endpoint, self.kind, self.repository)
    }

    /// The address of a file.
    pub(crate) fn file(&self, commit: &str, path: &str) -> String {
        format!("{}/resolve/{commit}/{}", self.page(), encoded(path, true))
    }

    /// The commit of a branch or tag.
    pub(crate) fn revision(&self, revision: &str) -> Result<Revision, Error> {
        let url = format!("{}/revision/{}", self.api(), encoded(revision, false));
        let (body, _) = (self.get)(&url)?;
        serde_json::from_slice(&body).map_err(|e| strange(&url, &e))
    }

    /// All files of a folder and of those in it; the root is the empty one.
    pub(crate) fn files(&self, commit: &str, folder: &str) -> Result<Vec<Listed>, Error> {
        let folder =
            if folder.is_empty() { String::new() } else { format!("/{}", encoded(folder, true)) };
        let first = format!("{}/tree/{commit}{folder}?recursive=true&expand=false", self.api());
        let (mut next, mut files) = (Some(first), Vec::new());
        for _ in 0..PAGES {
            let Some(url) = next else { return Ok(files) };
            let (body, link) = (self.get)(&url)?;
            let page: Vec<Listed> = serde_json::from_slice(&body).map_err(|e| strange(&url, &e))?;
            for listed in page.into_iter().filter(|listed| listed.kind == "file") {
                check_path(&listed.path).map_err(|why| self.refused(&why))?;
                files.push(listed);
            }
            next =
                link.as_deref().and_then(next_page).map(|link| self.absolute(&link)).transpose()?;
        }
        Err(Error::new(format!("the file list of {} has too many pages", self.page())))
    }

    fn refused(&self, why: &str) -> Error {
        Error::refused(format!("cannot take the files of {}: {why}", self.page()))
    }

    fn api(&self) -> String {
        format!("{}/api/{}/{}", self.endpoint, self.kind, self.repository)
    }

    /// The address of a further page, which is one of the same server.
    fn absolute(&self, link: &str) -> Result<String, Error> {
        if link.strip_prefix(self.endpoint).is_some_and(|path| path.starts_with('/')) {
            return Ok(link.to_owned());
        }
        // A mirror may name the pages of the server that it mirrors.
        let path = if link.starts_with('/') { Some(0) } else { link.find("/api/") };
        path.map(|at| format!("{}{}", self.endpoint, &link[at..])).ok_or_else(|| {
            Error::new(format!(
                "the next page of the file list of {} is on another server: `{link}`",
                self.page()
            ))
        })
    }
}

/// See [`Hub::page`].
pub(crate) fn page(endpoint: &str, kind: &str, repository: &str) -> String {
    if kind == "models" {
        format!("{endpoint}/{repository}")
    } else {
        format!("{endpoint}/{kind}/{repository}")
    }
}

fn strange(url: &str, error: &serde_json::Error) -> Error {
    Error::new(format!("unexpected answer from {url}: {error}")).hint("check HF_ENDPOINT")
}

/// The address of `Link: <…>; rel="next"`.
fn next_page(header: &str) -> Option<String> {
    let next = header.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    Some(rest.split_once('>')?.0.to_owned())
}

/// A path in an address.
pub(crate) fn encoded(text: &str, slashes: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) || (slashes && byte == b'/') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"type":"file","path":"P","oid":"o","size":3}"#;

    #[test]
    fn a_list_goes_on_at_its_own_server_until_it_ends() {
        let asked = std::cell::RefCell::new(Vec::new());
        let get = |url: &str| {
            asked.borrow_mut().push(url.to_owned());
            let links = [
                Some("<https://other/api/2>; rel=\"next\", <x>; rel=\"last\"".to_owned()),
                Some("</api/3>; rel=\"next\"".to_owned()),
                Some("<http://h/any/4>; rel=\"next\"".to_owned()),
                None,
            ];
            let page = asked.borrow().len();
            let folder = FILE.replace("file", "directory");
            let body = format!("[{},{folder}]", FILE.replace('P', &page.to_string()));
            Ok((body.into_bytes(), links[page - 1].clone()))
        };
        let hub = Hub { endpoint: "http://h", kind: "models", repository: "o/r", get: &get };
        let files = hub.files("c", "a b").unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["1", "2", "3", "4"]);
        let first = "http://h/api/models/o/r/tree/c/a%20b?recursive=true&expand=false";
        assert_eq!(*asked.borrow(), [first, "http://h/api/2", "http://h/api/3", "http://h/any/4"]);
        assert_eq!(hub.file("c", "a b/c"), "http://h/o/r/resolve/c/a%20b/c");
    }

    #[test]
    fn what_is_no_list_is_told() {
        for (body, link, said) in [
            ("{}", None, "unexpected answer from "),
            ("[]", Some("<http://x/y>; rel=\"next\""), "is on another server: `http://x/y`"),
            ("[]", Some("</again>; rel=\"next\""), "the file list of h/o/r has too many pages"),
        ] {
            let get = |_: &str| Ok((body.as_bytes().to_vec(), link.map(str::to_owned)));
            let hub = Hub { endpoint: "h", kind: "models", repository: "o/r", get: &get };
            let error = hub.files("c", "").unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_token_is_looked_for_where_hugging_faces_own_tools_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let cache = file("cache/huggingface/token", "cache\n");
        let home = file("home/token", "home");
        let own = file("own", " own\n");
        let find = |known: &[(&str, &str)]| {
            let found = Token::find(|name| {
                let value = known.iter().find(|(known, _)| *known == name)?.1;
                Some(value.to_owned())
            });
            found.map(|token| (token.secret, token.from))
        };
        let at = |secret: &str, from: &str| Some((secret.to_owned(), from.to_owned()));
        let folders = |rest: &str| format!("{}/{rest}", folder.path().display());
        let cached = ("XDG_CACHE_HOME", &*folders("cache"));
        let in_home = ("HF_HOME", &*folders("home"));
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[cached, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert_eq!(find(&[cached]), at("cache", &cache));
        assert_eq!(find(&[cached, in_home]), at("home", &home));
        assert_eq!(find(&[in_home, ("HF_TOKEN_PATH", &own)]), at("own", &own));
        assert_eq!(find(&[in_home, ("HF_TOKEN", "hf_x\n")]), at("hf_x", "HF_TOKEN"));
        let token = |secret: &str| Token { secret: secret.to_owned(), from: "HF_TOKEN".to_owned() };
        assert!(token("hf_x").check().is_ok());
        let error = token("hf_x\nhf_y").check().unwrap_err().to_string();
        assert!(error.starts_with("the token in HF_TOKEN has characters that no token has"));
    }

    #[test]
    fn links_name_the_next_page() {
        let link = "<https://h/api/x?a=1>; rel=\"prev\", <https://h/api/x?a=2>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("https://h/api/x?a=2"));
        assert_eq!(next_page("<https://h>; rel=\"last\""), None);
        assert_eq!(encoded("a b/ä", true), "a%20b/%C3%A4");
        assert_eq!(encoded("refs/pr/1", false), "refs%2Fpr%2F1");
    }
}
