//! The model card: the YAML that `README.md` begins with.

use std::fs;
use std::path::Path;

use super::id::{Id, title};
use super::yaml::Yaml;
use super::{About, RELATED, Related};
use crate::Error;

/// What the card of the checkpoint in `dir` says; nothing without one.
pub(super) fn read(dir: &Path, total: i64) -> Result<About, Error> {
    let path = dir.join("README.md");
    if !path.is_file() {
        return Ok(About::default());
    }
    let text = fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
    let Some(yaml) = front_matter(&text) else { return Ok(About::default()) };
    let card: Yaml = serde_norway::from_str(&yaml)
        .map_err(|e| Error::new(format!("{}: invalid YAML front matter: {e}", path.display())))?;
    Ok(about(&card, total))
}

/// What ends a line for Python, beside the line ends of all systems.
const ENDS: [char; 9] =
    ['\n', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];

/// The lines between the first `---` and the next.
fn front_matter(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.strip_suffix(ENDS).unwrap_or(&text).split(ENDS);
    if lines.next() != Some("---") {
        return None;
    }
    let lines: Vec<&str> = lines.take_while(|line| *line != "---").collect();
    // Norwegian, and tabs that some cards have.
    Some((lines.join("\n") + "\n").replace("- no\n", "- \"no\"\n").replace('\t', "  "))
}

fn about(card: &Yaml, total: i64) -> About {
    let first = |keys: &[&str]| keys.iter().find_map(|key| scalar(card.get(key)?));
    let base = ["base_model", "base_models", "base_model_sources"];
    let data = ["datasets", "dataset", "dataset_sources"];
    About {
        name: first(&["name", "model_name"]),
        author: first(&["author", "model_author", "model_creator"]),
        version: first(&["version", "model_version"]),
        organization: first(&["organization", "model_organization"]),
        description: first(&["description", "model_description"]),
        finetune: first(&["finetune", "model_finetune"]),
        basename: first(&["basename", "model_basename", "model_type"]),
        size_label: first(&["size_label", "model_size_label"]),
        source: [
            first(&["url", "model_url"]),
            first(&["doi", "model_doi"]),
            first(&["uuid", "model_uuid"]),
            first(&["repo_url", "model_repo_url"]),
        ],
        license: [license(card), first(&["license_name"]), first(&["license_link"])],
        base_models: related(card, &base, total),
        datasets: related(card, &data, total),
        tags: list(card, ["tags", "pipeline_tag"]),
        languages: list(card, ["languages", "language"]),
    }
}

/// A text, or what YAML took for a number.
fn scalar(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Text(text) => Some(text.clone()),
        Yaml::Number(number) => Some(number.clone()),
        _ => None,
    }
}

/// A text.
fn text(value: &Yaml) -> Option<String> {
    match value {
        Yaml::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// One licence, or several with commas.
fn license(card: &Yaml) -> Option<String> {
    match card.get("license")? {
        Yaml::List(list) => Some(list.iter().filter_map(scalar).collect::<Vec<_>>().join(",")),
        one => scalar(one),
    }
}

/// What is under both keys, one after the other.
fn list(card: &Yaml, keys: [&str; 2]) -> Option<Vec<String>> {
    let mut found = None;
    for value in keys.iter().filter_map(|key| card.get(key)).filter(|value| **value != Yaml::Null) {
        let list: &mut Vec<String> = found.get_or_insert_default();
        match value {
            Yaml::Text(text) => list.push(text.clone()),
            Yaml::List(more) => list.extend(more.iter().filter_map(text)),
            _ => {}
        }
    }
    found
}

/// The models, or the data, that the first of `keys` names.
fn related(card: &Yaml, keys: &[&str], total: i64) -> Option<Vec<Related>> {
    let value = keys.iter().find_map(|key| card.get(key))?;
    let named = match value {
        Yaml::List(list) => list.clone(),
        Yaml::Text(_) => vec![value.clone()],
        _ => Vec::new(),
    };
    Some(named.iter().map(|one| one_related(one, total)).collect())
}

fn one_related(value: &Yaml, total: i64) -> Related {
    let Yaml::Text(text) = value else {
        let said = |key: &&'static str| Some((*key, scalar(value.get(key)?)?));
        return RELATED.iter().filter_map(said).collect();
    };
    let address = ["http://", "https://", "ssh://"].iter().any(|start| text.starts_with(start));
    let id = if address { on_hugging_face(text) } else { Some(text.as_str()) };
    let mut related = Related::new();
    if address {
        related.push(("repo_url", text.clone()));
    }
    let Some(id) = id.map(|id| Id::parse(id, total)) else { return related };
    let mut add = |key, text: Option<String>| related.extend(text.map(|text| (key, text)));
    add("name", id.name.as_deref().map(title));
    add("organization", id.organization.as_deref().map(title));
    add("version", id.version);
    if let (false, Some(organization), Some(name)) = (address, &id.organization, &id.name) {
        add("repo_url", Some(format!("https://huggingface.co/{organization}/{name}")));
    }
    related
}

/// `org/name` of an address there.
fn on_hugging_face(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let id = rest.strip_prefix("huggingface.co/")?;
    let (organization, name) = id.split_once('/')?;
    (!organization.is_empty() && !name.is_empty() && !name.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_says_licence_tags_languages_and_what_it_is_based_on() {
        let card = "---\nlicense: apache-2.0\nlanguage:\n- en\n- no\ntags:\n- chat\npipeline_tag: text-generation\n\
                    base_model: Qwen/Qwen2-0.5B\ndatasets:\n- https://huggingface.co/datasets/x\n---\n# Text\n";
        let yaml: Yaml = serde_norway::from_str(&front_matter(card).unwrap()).unwrap();
        let about = about(&yaml, 494_000_000);
        assert_eq!(about.license[0].as_deref(), Some("apache-2.0"));
        assert_eq!(about.languages.unwrap(), ["en", "no"]);
        assert_eq!(about.tags.unwrap(), ["chat", "text-generation"]);
        let base = [
            ("name", "Qwen2 0.5B"),
            ("organization", "Qwen"),
            ("repo_url", "https://huggingface.co/Qwen/Qwen2-0.5B"),
        ];
        assert_eq!(about.base_models.unwrap()[0], base.map(|(key, text)| (key, text.to_owned())));
        assert_eq!(front_matter("# Text\n"), None);
    }

    #[test]
    fn lines_end_as_in_python() {
        let read = |text| front_matter(text).unwrap();
        assert_eq!(read("---\r\nname: x\r\n---\r\nText"), "name: x\n");
        assert_eq!(read("---\rname: x\r---\r"), "name: x\n");
        assert_eq!(read("---\nname: a\u{2028}b: c\n---\n"), "name: a\nb: c\n");
        assert_eq!(front_matter("--- \nname: x\n---\n"), None);
    }
}
