//! Models for Docker Model Runner, with its config v0.2, in which each file is a layer that says its path.
//!
//! <https://github.com/docker/model-runner/blob/1d14f67b92995de476b4b6fd6b68f86458b68298/pkg/distribution/types/config.go>

use serde::Serialize;
use serde_json::Value;

use super::files::{File, Files, Headers, Purpose};
use super::manifest::{Layer, Parts};
use crate::digest::Digest;
use crate::gguf;
use crate::image::command::{self, Role, last_value};

/// Media type of the config.
pub(super) const CONFIG: &str = "application/vnd.docker.ai.model.config.v0.2+json";
const GGUF: &str = "application/vnd.docker.ai.gguf.v3";
const PROJECTOR: &str = "application/vnd.docker.ai.mmproj";
const TEMPLATE: &str = "application/vnd.docker.ai.chat.template.jinja";
const LICENSE: &str = "application/vnd.docker.ai.license";
/// Any other file.
const FILE: &str = "application/vnd.docker.ai.model.file";

/// Options whose meaning the format has.
const KNOWN: [&str; 9] = [
    "-m",
    "--model",
    "-mm",
    "--mmproj",
    "--chat-template-file",
    "-c",
    "--ctx-size",
    // The template is Jinja's there too.
    "--jinja",
    "--no-jinja",
];

#[derive(Serialize)]
struct Config<'a> {
    config: Technical,
    descriptor: Told<'a>,
    rootfs: Layers,
}

#[derive(Serialize)]
struct Technical {
    format: &'static str,
    quantization: String,
    parameters: String,
    architecture: String,
    size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_size: Option<i32>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<&'a str>,
}

#[derive(Serialize)]
struct Layers {
    r#type: &'static str,
    diff_ids: Vec<Digest>,
}

/// The model of an image with the config `image`.
pub(super) fn parts(files: Files, headers: &Headers, image: &Value) -> Parts {
    // Docker Model Runner would take another file of weights for the model.
    let (left_out, kept): (Vec<File>, Vec<File>) =
        files.files.into_iter().partition(|file| file.purpose == Purpose::OtherWeights);
    let mut warnings = files.warnings;
    warnings.extend(left_out.iter().map(|file| {
        format!("skipped {}: Docker Model Runner takes one model and one projector", file.path)
    }));
    let command = command::without(&files.command, &[Role::Drafter, Role::Adapter]);
    warnings.extend(unread(&command));
    let config = Config {
        config: technical(headers, &command),
        descriptor: Told { created: image["created"].as_str() },
        rootfs: Layers {
            r#type: "rootfs",
            diff_ids: kept.iter().map(|file| file.digest).collect(),
        },
    };
    Parts {
        artifact_type: None,
        config_type: CONFIG,
        config: serde_json::to_vec(&config).expect("all keys are texts"),
        layers: kept
            .into_iter()
            .map(|file| Layer { media_type: media_type(file.purpose), file })
            .collect(),
        command,
        warnings,
    }
}

fn media_type(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Model | Purpose::OtherWeights => GGUF,
        Purpose::Projector => PROJECTOR,
        Purpose::Template => TEMPLATE,
        Purpose::License => LICENSE,
        Purpose::Other | Purpose::Readme => FILE,
    }
}

fn technical(headers: &Headers, command: &[String]) -> Technical {
    let model = &headers.model;
    Technical {
        format: "gguf",
        quantization: super::file_type(model),
        parameters: gguf::parameters(model.parameters()).replace(' ', ""),
        architecture: model.architecture().to_owned(),
        size: gguf::bytes(model.size()).replace(' ', ""),
        context_size: context_size(command),
    }
}

/// What `-c` says, unless that is the model's own.
fn context_size(command: &[String]) -> Option<i32> {
    last_value(command, &["-c", "--ctx-size"])?.parse().ok().filter(|size| *size > 0)
}

/// The arguments that are of no use to Docker Model Runner.
fn unread(command: &[String]) -> Option<String> {
    let is_option = |word: &str| word.starts_with('-') && word.parse::<f64>().is_err();
    let mut unread: Vec<String> = Vec::new();
    let mut known = true;
    for word in command {
        if is_option(word) {
            known = KNOWN.contains(&word.as_str());
        }
        if !known && is_option(word) {
            unread.push(word.clone());
        } else if let (false, Some(last)) = (known, unread.last_mut()) {
            last.push(' ');
            last.push_str(word);
        }
    }
    let list = unread.join("`, `");
    (!unread.is_empty()).then(|| format!("Docker Model Runner ignores `{list}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn arguments_that_docker_does_not_read_are_told_with_their_values() {
        let line =
            "-m /m.gguf -c 8192 --temp -0.5 -fa on --mmproj p --chat-template-file t --no-mmap";
        let told = "Docker Model Runner ignores `--temp -0.5`, `-fa on`, `--no-mmap`";
        assert_eq!(unread(&words(line)).as_deref(), Some(told));
        assert_eq!(unread(&words("-m /m.gguf --ctx-size 1 --jinja")), None);
    }

    #[test]
    fn the_last_context_size_holds_and_0_is_the_model_s_own() {
        assert_eq!(context_size(&words("-m m -c 1 --ctx-size 4096")), Some(4096));
        assert_eq!(context_size(&words("-m m -c 0")), None);
        assert_eq!(context_size(&words("-m m -c")), None);
    }
}
