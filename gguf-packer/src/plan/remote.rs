//! Addresses of repositories: Git's, and Hugging Face's, which is read file by file.

use serde::{Deserialize, Serialize};

/// Hugging Face's own address.
pub const HUGGING_FACE: &str = "https://huggingface.co";

/// A repository of Hugging Face or of a server that speaks its language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Address of the server, without a slash at its end.
    pub endpoint: String,
    /// `models`, `datasets` or `spaces`.
    pub kind: String,
    /// `owner/name`, or a `name` alone.
    pub repository: String,
}

/// A Git address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Git {
    pub(super) remote: String,
    pub(super) revision: Option<String>,
    pub(super) folder: Option<String>,
}

/// Splits `address#ref:folder`.
pub(super) fn split(address: &str) -> Git {
    let (remote, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (revision, folder) = fragment.split_once(':').unwrap_or((fragment, ""));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let folder = some(folder.trim_matches('/'));
    Git { remote: remote.to_owned(), revision: some(revision), folder }
}

/// A Git address without what follows its `#`, its revision and its folder.
pub(crate) fn parts(address: &str) -> (String, Option<String>, Option<String>) {
    let Git { remote, revision, folder } = split(address);
    (remote, revision, folder)
}

/// Whether an address is one of a Git repository.
#[must_use]
pub fn is_git(address: &str) -> bool {
    let remote = split(address).remote;
    let web = remote.starts_with("http://") || remote.starts_with("https://");
    if web {
        return remote.trim_end_matches('/').ends_with(".git");
    }
    let scheme = ["git://", "ssh://", "file://"].iter().any(|scheme| remote.starts_with(scheme));
    let scp = remote.split_once(':').is_some_and(|(host, path)| {
        host.contains('@') && !host.contains('/') && !path.starts_with("//")
    });
    scheme || scp
}

/// The repository of Hugging Face that `address` names, with its revision and folder: a page of it, or its
/// Git address. `endpoint` is a further server of that kind.
pub(super) fn hugging_face(address: &str, endpoint: Option<&str>) -> Option<(Repository, Git)> {
    let git = split(address);
    let remote = git.remote.clone();
    let remote = remote.trim_end_matches('/');
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/'));
    let own =
        [HUGGING_FACE, "http://huggingface.co", "https://hf.co", "https://www.huggingface.co"];
    let of_own = own.into_iter().map(|host| (host, endpoint.unwrap_or(HUGGING_FACE)));
    let of_endpoint = endpoint.map(|endpoint| (endpoint, endpoint));
    let (path, server) = of_endpoint
        .into_iter()
        .chain(of_own)
        .find_map(|(host, server)| Some((remote.strip_prefix(host)?.strip_prefix('/')?, server)))?;
    let is_repository = path.ends_with(".git");
    let path = path.trim_end_matches(".git");
    let (kind, name) = match path.split_once('/') {
        Some((kind @ ("datasets" | "spaces"), name)) => (kind, name),
        _ => ("models", path),
    };
    let mut parts = name.split('/');
    let plain = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    let whole = match (plain(parts.next()), plain(parts.next()), parts.next()) {
        (true, true, None) => !name.contains('?'),
        (true, false, None) => is_repository,
        _ => false,
    };
    // `api/…` and `…/resolve/…` are files.
    (whole && !name.starts_with("api/")).then(|| {
        let (endpoint, kind) = (server.to_owned(), kind.to_owned());
        (Repository { endpoint, kind, repository: name.to_owned() }, git)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_addresses_are_known() {
        for address in [
            "https://h/x.git",
            "http://h/x.git#main:sub",
            "git@github.com:o/r.git",
            "ssh://git@h/x",
            "git://h/x",
            "file:///srv/x",
        ] {
            assert!(is_git(address), "{address}");
        }
        for address in ["https://h/x.gguf", "https://h/x.git.txt", "folder", "C:/x", "a/b@c:d"] {
            assert!(!is_git(address), "{address}");
        }
        let git = split("https://h/x.git#v1:/a/b/");
        assert_eq!((git.revision.as_deref(), git.folder.as_deref()), (Some("v1"), Some("a/b")));
        let git = split("https://h/x.git#:a");
        assert_eq!((git.revision, git.folder.as_deref()), (None, Some("a")));
    }

    #[test]
    fn repositories_of_hugging_face_are_known() {
        let mirror = Some("http://127.0.0.1:8000/");
        for (address, endpoint, expected) in [
            ("https://huggingface.co/Qwen/Q.git", None, "https://huggingface.co models Qwen/Q"),
            ("https://hf.co/Qwen/Q#v1", None, "https://huggingface.co models Qwen/Q"),
            ("https://huggingface.co/gpt2.git", None, "https://huggingface.co models gpt2"),
            ("https://huggingface.co/datasets/a/b", None, "https://huggingface.co datasets a/b"),
            ("http://127.0.0.1:8000/a/b.git", mirror, "http://127.0.0.1:8000 models a/b"),
            ("https://huggingface.co/a/b", mirror, "http://127.0.0.1:8000 models a/b"),
        ] {
            let (found, _) = hugging_face(address, endpoint).expect(address);
            assert_eq!(format!("{} {} {}", found.endpoint, found.kind, found.repository), expected);
        }
        for address in [
            "https://huggingface.co/a/b/resolve/main/x.gguf",
            "https://huggingface.co/gpt2",
            "https://huggingface.co/api/models",
            "https://huggingface.co.evil.example/a/b",
            "https://github.com/a/b.git",
        ] {
            assert_eq!(hugging_face(address, None), None, "{address}");
        }
    }
}
