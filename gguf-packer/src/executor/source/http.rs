//! One file of the web. It is asked for again in each build, but only sent again when it has changed.

use reqwest::header::{
    CONTENT_DISPOSITION, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::digest::Digest;
use crate::executor::output::Output;
use crate::executor::run::{Run, Teller, key};
use crate::executor::unpack;
use crate::plan::Http;

use super::download::{Got, Wanted, download};
use super::proof::Proof;
use super::{file_entry, tree};

/// A file of the web as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    digest: Digest,
    size: u64,
    name: String,
    tag: Option<String>,
    changed: Option<String>,
}

pub(in crate::executor) fn load(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &Http,
) -> Result<Output, Error> {
    let key = key("http", &(&wanted.url, &wanted.checksum));
    let known = run.remembered::<Known>(&key);
    let known = known.filter(|known| run.store().blob_size(&known.digest) == Some(known.size));
    let (known, cached) = match known {
        // What has a checksum does not change.
        Some(known) if wanted.checksum.is_some() => (known, true),
        known => match fetch(run, teller, wanted, known.as_ref())? {
            Some(fetched) => {
                run.remember(&key, &fetched)?;
                (fetched, false)
            }
            None => (known.ok_or_else(|| unasked(&wanted.url))?, true),
        },
    };
    teller.took(&known.digest.to_string());
    let entry = file_entry(&known.name, known.digest, known.size);
    if wanted.unpack {
        if let Some(entries) = unpack::unpacked(run, &entry)? {
            let entries: Vec<_> = entries.into_iter().map(|(_, entry)| entry).collect();
            let output = Output::files(tree(&entries), cached);
            return Ok(Output { workdir: String::new(), ..output });
        }
    }
    Ok(Output { workdir: String::new(), ..Output::files(tree(&[entry]), cached) })
}

fn unasked(url: &str) -> Error {
    Error::new(format!("{url} answered 304 Not Modified to a request without a condition"))
}

/// The file, unless it is the known one.
fn fetch(
    run: &Run<'_>,
    teller: &Teller<'_>,
    wanted: &Http,
    known: Option<&Known>,
) -> Result<Option<Known>, Error> {
    let mut headers: Vec<(HeaderName, String)> = Vec::new();
    if let Some(known) = known {
        headers.extend(known.tag.clone().map(|tag| (IF_NONE_MATCH, tag)));
        headers.extend(known.changed.clone().map(|changed| (IF_MODIFIED_SINCE, changed)));
    }
    let proof = wanted.checksum.as_deref().map_or(Ok(Proof::None), Proof::parse)?;
    let shown = name_of_url(&wanted.url).unwrap_or_else(|| wanted.url.clone());
    let token = super::token_for(run, &wanted.url);
    let url = wanted.url.as_str();
    let ask = Wanted { url, token, name: &shown, proof, size: None, headers };
    let Got::Content { digest, size, headers, url } = download(run, teller, &ask)? else {
        return Ok(None);
    };
    let header = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_owned);
    // The name only matters when the destination has none; without one it is BuildKit's.
    let name = name_of_headers(&headers)
        .or_else(|| name_of_url(&wanted.url))
        .or_else(|| name_of_url(&url))
        .unwrap_or_else(|| "__unnamed__".to_owned());
    Ok(Some(Known { digest, size, name, tag: header(ETAG), changed: header(LAST_MODIFIED) }))
}

/// The name that the server gives the file.
fn name_of_headers(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes()).into_owned();
    let mut plain = None;
    let mut quoted = false;
    let ends = |c: char| {
        quoted ^= c == '"';
        c == ';' && !quoted
    };
    for part in text.split(ends).map(str::trim) {
        let Some((key, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.rsplit_once("''").map_or(value, |(_, name)| name);
                return file_name(&decoded(encoded));
            }
            "filename" => plain = file_name(value),
            _ => {}
        }
    }
    plain
}

/// The last part of the address.
fn name_of_url(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    file_name(&decoded(url.path_segments()?.next_back()?))
}

fn file_name(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next()?;
    (!matches!(name, "" | "." | "..") && !name.contains('\0')).then(|| name.to_owned())
}

/// A text without `%41`.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
