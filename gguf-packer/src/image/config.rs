//! The config of an image: GGUF Packer's keys, in its order, and what a container's image has beside them.
//!
//! Each file of weights that `Cmd` names is described as the original does (`Model`, `Drafter`, `Projector`,
//! `Adapters`), and one key more: `GGUFHeader`, the compact header (`gguf/compact.rs`) that plans memory.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::command::{self, Named, Role};
use super::labels::{self, Labels};
use super::{Platform, path, weights};
use crate::Error;
use crate::digest::Digest;
use crate::gguf::Model;
use crate::tree::Tree;

pub use super::weights::Open;

/// Where relative paths land, unless the base says otherwise.
pub const WORKING_DIR: &str = "/models";

/// Keys of a base's config that stay.
const INHERITED: [&str; 9] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Volumes",
    "StopSignal",
    "Healthcheck",
    "Shell",
    "ArgsEscaped",
];

/// What an image is made of.
#[derive(Debug)]
pub struct ConfigInput<'a> {
    /// The last `CMD` of the file; none when it has none, and the base's holds.
    pub command: Option<&'a [String]>,
    /// `LABEL`s and `--label`s; the last one holds.
    pub labels: &'a [(String, String)],
    /// The base image's config, as it is.
    pub base: Option<&'a Value>,
    /// The base image's name and the digest of its manifest, for its labels.
    pub base_name: Option<(&'a str, Option<Digest>)>,
    /// The steps of the file, in order.
    pub history: &'a [History],
    /// All files of the image.
    pub files: &'a Tree,
    /// When it was made, in seconds since 1970.
    pub created: u64,
}

/// A step of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Its text.
    pub created_by: String,
    /// The layers that it made, by the digest of their tar.
    pub layers: Vec<Digest>,
}

/// An image that is described, for any platform.
#[derive(Debug)]
pub struct Described {
    created: String,
    author: Option<String>,
    config: Config,
    layers: Vec<Digest>,
    history: Vec<Value>,
}

/// The folder where relative paths of an image on `base` land.
#[must_use]
pub fn working_dir(base: Option<&Value>) -> String {
    let said = base.and_then(|base| base["config"]["WorkingDir"].as_str());
    said.filter(|folder| folder.starts_with('/'))
        .map_or(WORKING_DIR.to_owned(), |dir| path::join("", dir))
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drafter: Option<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projector: Option<File>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adapters: Vec<File>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmd: Vec<String>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    working_dir: String,
    #[serde(flatten)]
    inherited: Map<String, Value>,
}

/// A file of weights.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(rename = "GGUF")]
    gguf: Model,
    architecture: String,
    parameters: u64,
    bits_per_weight: f64,
    #[serde(skip_serializing_if = "is_zero_type")]
    file_type: u32,
    cmd_parameter_value: String,
    cmd_parameter_index: usize,
    #[serde(rename = "GGUFHeader")]
    header: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero_type(n: &u32) -> bool {
    *n == 0
}

impl Described {
    /// Reads the headers of all weights that the command names, and checks that its files are there.
    ///
    /// # Errors
    /// When the command names no model, a file that the image has not, or one that cannot be what the option
    /// asks for; all at once.
    pub fn new(input: &ConfigInput<'_>, open: &Open<'_>) -> Result<Self, Error> {
        let created = rfc3339(input.created);
        let mut config = Config { working_dir: working_dir(input.base), ..Config::default() };
        config.take_from(input, &created);
        match (input.command, inherited_command(input.base)) {
            (Some(command), _) => config.command(command, input, open)?,
            (None, Some(command)) if command::has_model(&command) => {
                config.command(&command, input, open)?
            }
            (None, command) => config.cmd = command.unwrap_or_default(),
        }
        config.finish_labels(input);
        let base = input.base.unwrap_or(&Value::Null);
        let below = base["rootfs"]["diff_ids"].as_array().into_iter().flatten();
        let below = below.filter_map(|digest| digest.as_str()?.parse().ok());
        let mut history = base["history"].as_array().cloned().unwrap_or_default();
        history.extend(input.history.iter().flat_map(|step| step.lines(&created)));
        Ok(Self {
            author: base["author"].as_str().map(str::to_owned),
            layers: below
                .chain(input.history.iter().flat_map(|step| step.layers.clone()))
                .collect(),
            created,
            config,
            history,
        })
    }

    /// The config for `platform`, as its bytes are hashed.
    #[must_use]
    pub fn config(&self, platform: &Platform) -> Vec<u8> {
        #[derive(Serialize)]
        struct RootFs<'a> {
            r#type: &'static str,
            diff_ids: &'a [Digest],
        }
        #[derive(Serialize)]
        struct Image<'a> {
            created: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            author: Option<&'a str>,
            #[serde(flatten)]
            platform: &'a Platform,
            config: &'a Config,
            rootfs: RootFs<'a>,
            history: &'a [Value],
        }
        let image = Image {
            created: &self.created,
            author: self.author.as_deref(),
            platform,
            config: &self.config,
            rootfs: RootFs { r#type: "layers", diff_ids: &self.layers },
            history: &self.history,
        };
        serde_json::to_vec(&image).expect("all keys are texts")
    }
}

impl History {
    fn lines(&self, created: &str) -> Vec<Value> {
        let line = |rest: Value| {
            let mut line = serde_json::json!({"created": created, "created_by": self.created_by});
            if let (Some(line), Value::Object(rest)) = (line.as_object_mut(), rest) {
                line.extend(rest);
            }
            line
        };
        match self.layers.len() {
            0 => vec![line(serde_json::json!({"empty_layer": true}))],
            several => vec![line(serde_json::json!({})); several],
        }
    }
}

fn inherited_command(base: Option<&Value>) -> Option<Vec<String>> {
    base.filter(|base| base["config"]["Cmd"].is_array()).map(command::of_config)
}

pub(crate) fn rfc3339(seconds: u64) -> String {
    // The last second that RFC 3339 can write.
    let seconds = seconds.min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

impl Config {
    /// Labels, and what a container's image has.
    fn take_from(&mut self, input: &ConfigInput<'_>, created: &str) {
        if let Some(base) = input.base.and_then(|base| base["config"].as_object()) {
            let kept = base
                .iter()
                .filter(|(key, value)| INHERITED.contains(&key.as_str()) && !value.is_null());
            self.inherited = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            let labels = base.get("Labels").and_then(Value::as_object).into_iter().flatten();
            let text =
                |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            self.labels = labels.filter_map(text).collect();
        }
        // These say something of the base itself.
        self.labels.retain(|label, _| !label.starts_with("org.opencontainers.image.base."));
        self.labels.insert("org.opencontainers.image.created".to_owned(), created.to_owned());
        if let Some((name, digest)) = input.base_name {
            self.labels.insert("org.opencontainers.image.base.name".to_owned(), name.to_owned());
            let digest = digest.map(|digest| digest.to_string());
            self.labels.extend(
                digest.map(|text| ("org.opencontainers.image.base.digest".to_owned(), text)),
            );
        }
    }

    fn command(
        &mut self,
        command: &[String],
        input: &ConfigInput<'_>,
        open: &Open<'_>,
    ) -> Result<(), Error> {
        weights::check(command, input.files)?;
        let mut found = Vec::new();
        self.cmd = command::rename(command, |named| {
            let file = weights::find(named, &self.working_dir, input.files)?;
            let Some(file) = file else { return Ok(named.path.clone()) };
            found.push((named.clone(), file.clone()));
            Ok(file)
        })?;
        let mut errors = Vec::new();
        for (named, path) in found {
            if let Some(kinds) = weights::kinds(named.role) {
                match weights::read(&named, &path, kinds, input.files, open) {
                    Ok(model) => self.add(&named, &path, model),
                    Err(error) => errors.push(error),
                }
            }
        }
        if !errors.is_empty() {
            return Err(Error::all(errors));
        }
        Ok(())
    }

    fn add(&mut self, named: &Named, path: &str, gguf: Model) {
        // The original runs what it finds at this place, so a scale has to stay with its file.
        let value = if named.alone { self.cmd[named.at].clone() } else { path.to_owned() };
        let file = File {
            architecture: gguf.architecture().to_owned(),
            parameters: gguf.parameters(),
            bits_per_weight: gguf.bits_per_weight(),
            file_type: gguf.file_type(),
            cmd_parameter_value: value,
            cmd_parameter_index: named.at,
            header: gguf.compact(),
            gguf,
        };
        match named.role {
            Role::Model => self.model = Some(file),
            Role::Drafter => self.drafter = Some(file),
            Role::Projector => self.projector = Some(file),
            _ => self.adapters.push(file),
        }
        let files = [&self.model, &self.drafter, &self.projector].into_iter().flatten();
        self.size = files.chain(&self.adapters).map(|file| file.gguf.size()).sum();
    }

    /// Labels that were asked for hold, then the base's, but for what is measured, then the header's.
    fn finish_labels(&mut self, input: &ConfigInput<'_>) {
        if self.model.is_some() {
            labels::MEASURED.iter().for_each(|&label| drop(self.labels.remove(label)));
        }
        self.labels.extend(input.labels.iter().cloned());
        if let Some(model) = &self.model {
            labels::describe(&mut self.labels, &model.gguf);
        }
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
