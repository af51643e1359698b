//! Addresses as anybody may read them, and the names that packages have in documents (package URLs).

use std::fmt::Write as _;

use crate::digest::Digest;
use crate::plan::Repository;
use crate::plan::remote::HUGGING_FACE;
use crate::reference::Name;

/// `text` with each address in it as [`public`] has it.
pub(super) fn cleaned(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        let start = rest[..at]
            .rfind(|c| !is_scheme(c))
            .map_or(0, |before| before + rest[before..].chars().next().map_or(0, char::len_utf8));
        let ends = |c: char| c.is_whitespace() || "\"'`<>,;|".contains(c);
        let end = rest[at..].find(ends).map_or(rest.len(), |end| at + end);
        out.push_str(&rest[..start]);
        out.push_str(&public(&rest[start..end]));
        rest = &rest[end..];
    }
    out + rest
}

/// An address without user, password and query.
pub(super) fn public(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host = &rest[..authority(rest)];
    let shown = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = &rest[host.len()..];
    let (path, fragment) = path.split_once('#').map_or((path, None), |(a, b)| (a, Some(b)));
    let path = path.split('?').next().unwrap_or_default();
    let fragment = fragment.map(|text| format!("#{text}")).unwrap_or_default();
    format!("{scheme}://{shown}{path}{fragment}")
}

/// Where the authority of `HOST/PATH` ends; a variable with a default may have any sign in it.
fn authority(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, sign) in rest.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' | '?' | '#' if depth == 0 => return at,
            _ => {}
        }
    }
    rest.len()
}

/// The package URL of a repository of Hugging Face.
pub(super) fn of_hugging_face(repository: &Repository, commit: &str) -> String {
    let Repository { endpoint, kind, repository: name } = repository;
    let endpoint = public(endpoint);
    let mut purl = format!("pkg:huggingface/{name}@{commit}");
    let mut sign = '?';
    if endpoint != HUGGING_FACE {
        let _ = write!(purl, "?repository_url={}", escaped(&endpoint));
        sign = '&';
    }
    if kind != "models" {
        let _ = write!(purl, "{sign}type={}", kind.trim_end_matches('s'));
    }
    purl
}

/// The address of a file in a repository of Hugging Face.
pub(super) fn of_file(repository: &Repository, commit: &str, path: &str) -> String {
    let Repository { endpoint, kind, repository } = repository;
    let kind = if kind == "models" { String::new() } else { format!("{kind}/") };
    format!("{}/{kind}{repository}/resolve/{commit}/{path}", public(endpoint))
}

/// The package URL of an image.
pub(super) fn of_image(name: &str, digest: &str) -> String {
    let Ok(parsed) = name.parse::<Name>() else {
        return format!("pkg:oci/image@{}", escaped(digest));
    };
    let last = parsed.repository().rsplit('/').next().unwrap_or_default();
    let repository = format!("{}/{}", parsed.registry(), parsed.repository());
    let tag = parsed.tag().map(|tag| format!("&tag={tag}")).unwrap_or_default();
    format!("pkg:oci/{last}@{}?repository_url={}{tag}", escaped(digest), escaped(&repository))
}

/// The digits of a `sha256:…`.
pub(super) fn hex(digest: &str) -> String {
    digest.parse::<Digest>().map_or_else(|_| digest.to_owned(), |digest| digest.hex())
}

/// A value of a package URL.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_no_password_and_no_query_is_left() {
        for (given, expected) in [
            ("https://h/x.gguf", "https://h/x.gguf"),
            ("https://me:pw@h:8080/x?token=1", "https://h:8080/x"),
            ("https://hf_secret@h/x.git#v1:sub", "https://h/x.git#v1:sub"),
            ("https://a:b@c@h/x?sig=1#f", "https://h/x#f"),
            ("https://u:${TOKEN:-a/b}@h/x", "https://h/x"),
            ("https://h?x", "https://h"),
            ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ] {
            assert_eq!(public(given), expected, "{given}");
        }
        let text = "ADD --checksum=sha256:00 https://u:p@h/m?s=1 \"git+https://t@h/y\" /m";
        let expected = "ADD --checksum=sha256:00 https://h/m \"git+https://h/y\" /m";
        assert_eq!(cleaned(text), expected);
        assert_eq!(cleaned("«https://u@h/»"), "«https://h/»");
    }

    #[test]
    fn packages_have_their_urls() {
        let repository = |endpoint: &str, kind: &str| Repository {
            endpoint: endpoint.to_owned(),
            kind: kind.to_owned(),
            repository: "Qwen/Q".to_owned(),
        };
        let own = repository(HUGGING_FACE, "models");
        assert_eq!(of_hugging_face(&own, "abc"), "pkg:huggingface/Qwen/Q@abc");
        let mirror = repository("http://u:p@127.0.0.1:80", "datasets");
        assert_eq!(
            of_hugging_face(&mirror, "abc"),
            "pkg:huggingface/Qwen/Q@abc?repository_url=http%3A//127.0.0.1%3A80&type=dataset"
        );
        let file = "http://127.0.0.1:80/datasets/Qwen/Q/resolve/abc/d/x.json";
        assert_eq!(of_file(&mirror, "abc", "d/x.json"), file);
        assert_eq!(
            of_image("ghcr.io/a/model:1", "sha256:00"),
            "pkg:oci/model@sha256%3A00?repository_url=ghcr.io/a/model&tag=1"
        );
    }
}
