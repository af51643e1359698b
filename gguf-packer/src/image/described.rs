//! What an image's config says about its files of weights: reads what `config.rs` and the original write.

use serde_json::Value;

use super::command::{Named, Role};
use crate::gguf::Model;

/// The header of the file that the command of `config` names; none when the config does not say enough.
#[must_use]
pub fn described(config: &Value, named: &Named) -> Option<Model> {
    let config = &config["config"];
    let file = match named.role {
        Role::Model => &config["Model"],
        Role::Drafter => &config["Drafter"],
        Role::Projector => &config["Projector"],
        Role::Adapter => {
            let same = |file: &&Value| {
                let value = file["CmdParameterValue"].as_str().unwrap_or_default();
                // One argument may have several, each with its scale.
                file["CmdParameterIndex"].as_u64() == Some(named.at as u64)
                    && (named.alone
                        || value == named.path
                        || value.ends_with(&format!("/{}", named.path)))
            };
            config["Adapters"].as_array()?.iter().find(same)?
        }
        Role::Text | Role::Runtime => return None,
    };
    let compact = file["GGUFHeader"].as_str().and_then(|text| Model::from_compact(text).ok());
    compact.or_else(|| Model::from_json(&file["GGUF"]))
}
