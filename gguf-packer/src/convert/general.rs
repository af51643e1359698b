//! What a GGUF file says of itself under `general.*`, as gguf-py's `Metadata` works it out: from the model card, from
//! the config and from the folder's name. Facts of gguf-py/gguf/metadata.py at the pinned tag.

mod card;
mod id;
mod yaml;

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::key::{Key, Keys};
use crate::Error;
use id::{Id, title};

/// What is said of a model, or of one that it is based on.
#[derive(Debug, Clone, Default, PartialEq)]
struct About {
    name: Option<String>,
    author: Option<String>,
    version: Option<String>,
    organization: Option<String>,
    finetune: Option<String>,
    basename: Option<String>,
    description: Option<String>,
    size_label: Option<String>,
    /// `license`, `license_name`, `license_link`.
    license: [Option<String>; 3],
    /// `url`, `doi`, `uuid`, `repo_url` of the source.
    source: [Option<String>; 4],
    base_models: Option<Vec<Related>>,
    datasets: Option<Vec<Related>>,
    tags: Option<Vec<String>>,
    languages: Option<Vec<String>>,
}

/// What is said of a model or of data that this one is based on: keys in the order of [`RELATED`].
type Related = Vec<(&'static str, String)>;

/// Keys of [`Related`], as they are written.
const RELATED: [&str; 9] =
    ["name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"];

/// The keys of the checkpoint in `dir`, which has `total` parameters; below zero, they are an adapter's.
///
/// # Errors
/// When a file of the checkpoint cannot be read.
pub fn keys(dir: &Path, config: &Value, total: i64) -> Result<Keys, Error> {
    let mut about = card::read(dir, total)?;
    if let Some(text) =
        config["_name_or_path"].as_str().filter(|text| text.matches('/').count() <= 1)
    {
        about.fill(&Id::parse(text, total));
    }
    let folder = folder_name(dir);
    about.fill(&Id::parse(&folder, total));
    about.name.get_or_insert(folder);
    if total > 0 {
        about.size_label.get_or_insert_with(|| size_label(total));
    }
    let mut keys = Keys::new();
    sampling(&mut keys, &generation(dir));
    about.write(&mut keys);
    Ok(keys)
}

/// The name of the folder, wherever it is called from.
fn folder_name(dir: &Path) -> String {
    let whole = dir.canonicalize();
    let dir = whole.as_deref().unwrap_or(dir);
    dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// `generation_config.json`; one that cannot be read counts for nothing.
fn generation(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("generation_config.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// How the model wants its tokens sampled.
fn sampling(keys: &mut Keys, config: &Value) {
    let whole = |keys: &mut Keys, key: &str| {
        if let Some(value) = config[key].as_i64().and_then(|value| i32::try_from(value).ok()) {
            keys.set(&format!("general.sampling.{key}"), Key::I32(value));
        }
    };
    if let Some(text) = config["sequence"].as_str() {
        keys.text("general.sampling.sequence", text);
    }
    whole(keys, "top_k");
    float(keys, config, "top_p", "top_p");
    float(keys, config, "min_p", "min_p");
    float(keys, config, "xtc_probability", "xtc_probability");
    float(keys, config, "xtc_threshold", "xtc_threshold");
    float(keys, config, "temp", "temperature");
    whole(keys, "penalty_last_n");
    // One that is there and says nothing counts.
    let penalty = match config.get("penalty_repeat") {
        None => "repetition_penalty",
        Some(_) => "penalty_repeat",
    };
    float(keys, config, "penalty_repeat", penalty);
    whole(keys, "mirostat");
    float(keys, config, "mirostat_tau", "mirostat_tau");
    float(keys, config, "mirostat_eta", "mirostat_eta");
}

fn float(keys: &mut Keys, config: &Value, key: &str, from: &str) {
    if let Some(value) = config[from].as_f64() {
        keys.set(&format!("general.sampling.{key}"), Key::F32(value as f32));
    }
}

/// `0.5B` of so many parameters.
fn size_label(total: i64) -> String {
    let (scaled, unit) = match total as f64 {
        count if count > 1e12 => (count * 1e-12, "T"),
        count if count > 1e9 => (count * 1e-9, "B"),
        count if count > 1e6 => (count * 1e-6, "M"),
        count => (count * 1e-3, "K"),
    };
    let digits = format!("{scaled:.0}");
    let digits = digits.trim_start_matches('0').len();
    let places = 2_usize.saturating_sub(digits);
    format!("{scaled:.places$}{unit}")
}

impl About {
    /// Takes what a name says and nobody has said yet.
    fn fill(&mut self, id: &Id) {
        let set = |to: &mut Option<String>, from: Option<String>| {
            if to.is_none() {
                *to = from;
            }
        };
        set(&mut self.name, id.name.as_deref().map(title));
        set(&mut self.organization, id.organization.as_deref().map(title));
        set(&mut self.basename, id.basename.clone());
        set(&mut self.finetune, id.finetune.clone());
        set(&mut self.version, id.version.clone());
        set(&mut self.size_label, id.size_label.clone());
    }

    fn write(self, keys: &mut Keys) {
        let mut text = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                keys.text(&format!("general.{key}"), value);
            }
        };
        text("name", self.name);
        text("author", self.author);
        text("version", self.version);
        text("organization", self.organization);
        text("finetune", self.finetune);
        text("basename", self.basename);
        text("description", self.description);
        text("size_label", self.size_label);
        for (key, value) in
            ["license", "license.name", "license.link"].into_iter().zip(self.license)
        {
            text(key, value);
        }
        let source = ["source.url", "source.doi", "source.uuid", "source.repo_url"];
        for (key, value) in source.into_iter().zip(self.source) {
            text(key, value);
        }
        related(keys, "base_model", self.base_models);
        related(keys, "dataset", self.datasets);
        for (key, list) in [("tags", self.tags), ("languages", self.languages)] {
            if let Some(list) = list {
                keys.set(&format!("general.{key}"), Key::Strings(list));
            }
        }
    }
}

fn related(keys: &mut Keys, what: &str, list: Option<Vec<Related>>) {
    let Some(list) = list else { return };
    let count = u32::try_from(list.len()).expect("a model card has no billions of them");
    keys.set(&format!("general.{what}.count"), Key::U32(count));
    for (at, entry) in list.into_iter().enumerate() {
        for key in RELATED {
            if let Some((_, value)) = entry.iter().find(|(known, _)| *known == key) {
                keys.text(&format!("general.{what}.{at}.{key}"), value.as_str());
            }
        }
    }
}
