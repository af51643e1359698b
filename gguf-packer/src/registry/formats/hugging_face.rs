//! Repositories of Hugging Face: the files of one quantization, shards and projector included, each proved
//! by the hash that the repository tells.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::LINK;

use super::{Parts, Planned, Session, command};
use crate::Error;
use crate::hub::{Answer, Hub, Listed};
use crate::registry::ask::Ask;
use crate::registry::layers::Wanted;
use crate::registry::refusal;
use crate::store::seconds;

/// Quantizations in the order in which llama.cpp takes them when none is named.
const PREFERRED: [&str; 3] = ["Q4_K_M", "Q4_0", "Q8_0"];

/// Bytes of a page.
const PAGE: u64 = 16 << 20;

pub(in crate::registry) fn plan(session: Session<'_>) -> Result<Parts<Wanted>, Error> {
    let settings = &session.client.http.settings;
    let repository = session.name.repository();
    if repository.split('/').count() > 2 {
        let whole: Vec<&str> = repository.split('/').take(2).collect();
        let name = session.name;
        return Err(Error::usage(format!("cannot pull `{name}`: it is a file of a repository"))
            .hint(format!(
                "pull a quantization: gguf-packer pull hf://{}:QUANT",
                whole.join("/")
            )));
    }
    let get = |url: &str| get(session, url);
    let endpoint = settings.hugging_face.trim_end_matches('/');
    let hub = Hub { endpoint, kind: "models", repository, get: &get };
    let revision = hub.revision("main")?;
    let files = hub.files(&revision.sha, "")?;
    let chosen = choose(session, &files)?;
    let wanted = chosen.iter().map(|file| {
        let digest = file.digest().ok_or_else(|| {
            Error::new(format!("`{}` in {repository} has no checksum to verify it with", file.path))
        })?;
        let url = hub.file(&revision.sha, &file.path);
        let text = file.path.clone();
        Ok((text.clone(), Wanted { url, digest, size: file.size(), text }))
    });
    let files = wanted.collect::<Result<Vec<_>, Error>>()?;
    let created = revision.last_modified.as_deref().and_then(seconds).unwrap_or_default();
    let url = format!("https://huggingface.co/{repository}");
    let labels = vec![("gguf.model.url".to_owned(), url)];
    Ok((files, Planned { labels, created, ..Planned::default() }))
}

/// A page of the interface, and where the next one is.
fn get(session: Session<'_>, url: &str) -> Result<Answer, Error> {
    let response = session.ask(&Ask::new(Method::GET, url))?;
    if !response.status().is_success() {
        return Err(refusal::of(&session, response));
    }
    let link =
        response.headers().get(LINK).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = session.client.http.body(response, PAGE);
    Ok((body.map_err(|silence| refusal::gone(&session, &silence.why))?, link))
}

/// The files of the quantization that the tag names, with a projector where there is one.
fn choose<'a>(session: Session<'_>, files: &'a [Listed]) -> Result<Vec<&'a Listed>, Error> {
    let mut kinds: BTreeMap<String, Vec<&Listed>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".gguf")) {
        if !command::is_projector(&file.path) {
            kinds.entry(quantization(&file.path)).or_default().push(file);
        }
    }
    let name = session.name;
    let Some(first) = kinds.keys().next() else {
        return Err(Error::new(format!("`{name}` contains no GGUF model"))
            .hint("convert it: use ADD and CONVERT in a GGUFPackerfile"));
    };
    let asked = name.tag().filter(|tag| *tag != "latest").map(str::to_ascii_uppercase);
    let kind = match &asked {
        Some(asked) if kinds.contains_key(asked) => asked,
        Some(asked) => {
            let all: Vec<&str> = kinds.keys().map(String::as_str).collect();
            let text = format!("`{}` has no quantization {asked}", name.short_repository());
            return Err(Error::new(text).hint(format!("use one of {}", all.join(", "))));
        }
        None => {
            let preferred = PREFERRED.iter().find_map(|kind| kinds.get_key_value(*kind));
            let kind = preferred.map_or(first, |(kind, _)| kind);
            session.note(&format!("no quantization given, using {kind}"));
            kind
        }
    };
    let mut chosen = one_model(session, &kinds[kind]);
    let projectors = files
        .iter()
        .filter(|file| file.path.ends_with(".gguf") && command::is_projector(&file.path));
    chosen.extend(best(projectors));
    Ok(chosen)
}

/// A file, or all shards of one, when a quantization has several models.
fn one_model<'a>(session: Session<'_>, files: &[&'a Listed]) -> Vec<&'a Listed> {
    let stem = |file: &Listed| {
        command::shard(&file.path).map_or_else(|| file.path.clone(), |(name, _)| name.to_owned())
    };
    let first = files.iter().map(|file| stem(file)).min().unwrap_or_default();
    let (chosen, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| stem(file) == first);
    if !others.is_empty() {
        session.note(&format!("{} more files have that quantization, using {first}", others.len()));
    }
    chosen
}

/// The most exact projector that is not larger than it need be.
fn best<'a>(projectors: impl Iterator<Item = &'a Listed>) -> Option<&'a Listed> {
    let order = ["F16", "BF16", "Q8_0", "F32"];
    projectors.min_by_key(|file| {
        let kind = quantization(&file.path);
        (order.iter().position(|known| *known == kind).unwrap_or(order.len()), file.path.clone())
    })
}

/// The type that a file's name, or its folder's, ends with: `Q4_K_M`, `IQ2_XXS`, `UD-Q4_K_XL`, `F16`.
fn quantization(path: &str) -> String {
    let stem =
        command::shard(path).map_or_else(|| path.trim_end_matches(".gguf"), |(name, _)| name);
    let name = stem.rsplit('/').next().unwrap_or(stem);
    let whole = |word: &str| {
        let word = word.to_ascii_uppercase();
        let digits = |start: &str| {
            word.strip_prefix(start)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let known = digits("Q") || digits("IQ") || digits("TQ") || word.starts_with("MXFP4");
        (known || matches!(word.as_str(), "F16" | "F32" | "BF16" | "FP16" | "FP32")).then_some(word)
    };
    // As in `model_v2_Q4_K_M`: the longest end of a word that is one.
    let kind = |word: &str| {
        let ends = word.match_indices('_').map(|(at, _)| &word[at + 1..]);
        std::iter::once(word).chain(ends).find_map(whole)
    };
    let last = name.rsplit(['-', '.']).find_map(kind);
    let dynamic = name.to_ascii_uppercase().contains("-UD-");
    let found = last.map(|kind| if dynamic { format!("UD-{kind}") } else { kind });
    found
        .or_else(|| stem.split('/').rev().find_map(kind))
        .unwrap_or_else(|| name.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_quantization() {
        for (path, kind) in [
            ("qwen2-0_5b-instruct-q5_k_m.gguf", "Q5_K_M"),
            ("Meta-Llama-3.1-8B-Instruct.Q4_0.gguf", "Q4_0"),
            ("Q8_0/big-Q8_0-00001-of-00003.gguf", "Q8_0"),
            ("BF16/model-00002-of-00002.gguf", "BF16"),
            ("Qwen3-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
            ("m-IQ2_XXS.gguf", "IQ2_XXS"),
            ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
            ("gemma-4-31B_q4_0-it.gguf", "Q4_0"),
            ("some_model_v2_Q4_K_M.gguf", "Q4_K_M"),
            ("model.gguf", "MODEL"),
        ] {
            assert_eq!(quantization(path), kind, "{path}");
        }
    }
}
