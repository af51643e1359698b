//! Manifests that run a model image with a server image: for Kubernetes, for Compose, for Quadlet. Names,
//! probes, users and rights are those of this project's own manifests in `docker/`.

use self::memory::Memory;
use super::alias;
use super::compat::{Today, today};
use super::container;
use super::passed::{self, Passed};
use super::target::{Seen, Target};
use crate::Error;
use crate::image::command::numbers;

mod gpus;
mod memory;

pub use gpus::Gpus;

/// Where a model image is mounted as a whole. containerd 2.1 mounts the whole image whatever folder of it is asked for
/// (containerd/containerd#11580), podman's quadlets know no folders, so only Compose mounts one.
const WHOLE: &str = "/model-image";

/// With it a server whose model is on no GPU is unhealthy.
const REQUIRE_GPU: &str = "LLAMA_REQUIRE_GPU";

/// With it a server that completes nothing for so many seconds while work waits is unhealthy: a driver hangs. No batch
/// takes as long on a GPU.
const STALL: (&str, &str) = ("LLAMA_HEALTHCHECK_STALL", "300");

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A Deployment and its Service.
    Kube,
    /// A file for `docker compose`.
    Compose,
    /// A `.container` unit for systemd and podman.
    Quadlet,
}

/// How to print it.
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'a> {
    /// What it is for.
    pub format: Format,
    /// The image of the server.
    pub server: &'a str,
    /// What the server gets.
    pub gpus: Option<Gpus>,
}

/// A manifest, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The whole file.
    pub text: String,
    /// What was changed for today's llama-server.
    pub notes: Vec<String>,
}

/// What llama.cpp's planner says of a server: of one without a GPU, unless the manifest asks for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Without what it keeps of earlier prompts.
    pub bytes: u64,
    /// Whether it keeps checkpoints of contexts.
    pub checkpoints: bool,
}

/// What all manifests are made of.
struct Parts {
    /// A name that Kubernetes takes.
    name: String,
    model: String,
    server: String,
    args: Vec<String>,
    port: String,
    gpus: Option<Gpus>,
    /// The folder of the image that is mounted, when it is not the whole of it.
    folder: Option<&'static str>,
}

/// The manifest that runs `target`, with more arguments for the server. `planned` says what memory the server needs.
///
/// # Errors
/// When `target` is a file and no image, an argument is missing, or a text that the command names cannot be read.
pub fn print(
    target: &Target,
    &Manifest { format, server, gpus }: &Manifest<'_>,
    extra: &[String],
    planned: &dyn Fn() -> Result<Planned, Error>,
) -> Result<Printed, Error> {
    let Some(model) = &target.name else {
        return Err(Error::new("a manifest needs an image, not a file")
            .hint("gguf-packer build -t REGISTRY/NAME --push .")
            .hint("gguf-packer run REGISTRY/NAME --print kube"));
    };
    let mut extra = extra.to_vec();
    let port = container::published(&mut extra)?;
    numbers::check(&extra)?;
    let of_models = format == Format::Compose && target.is_below("/models/");
    let root = if of_models { "" } else { WHOLE };
    let Passed { args, note } = passed::in_container(&target.command_from(root));
    let name = alias::of(target, &[&*args, &*extra].concat());
    let all = [args, name, extra].concat();
    let Today { args, mut notes } = today(&all, &Seen { target, root })?;
    notes.splice(..0, note);
    let parts = Parts {
        name: label(model),
        model: model.clone(),
        server: server.to_owned(),
        args,
        port,
        gpus,
        folder: of_models.then_some("models"),
    };
    // A quadlet has no limit.
    if format == Format::Quadlet {
        return Ok(Printed { text: parts.quadlet(), notes });
    }
    let mut memory = Memory::of(planned(), target.size, &parts.args);
    notes.append(&mut memory.notes);
    let text = if format == Format::Kube { parts.kube(&memory) } else { parts.compose(&memory) };
    Ok(Printed { text, notes })
}

/// The last part of a reference, as a label of DNS.
fn label(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    let name = name.split([':', '@']).next().unwrap_or(name).to_ascii_lowercase();
    let word: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let word: String = word.trim_matches('-').chars().take(50).collect();
    match word.trim_end_matches('-') {
        "" => "model".to_owned(),
        word if word.starts_with(|c: char| c.is_ascii_digit()) => format!("model-{word}"),
        word => word.to_owned(),
    }
}

/// A text as YAML and JSON write it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

impl Parts {
    /// The arguments as lines of a list.
    fn list(&self, indent: &str, escape: impl Fn(&str) -> String) -> String {
        self.args.iter().map(|arg| format!("{indent}- {}\n", quoted(&escape(arg)))).collect()
    }

    fn kube(&self, memory: &Memory) -> String {
        // `$(NAME)` would become the value of a variable, and `$$` one sign.
        let args = self.list("            ", |arg| arg.replace('$', "$$"));
        let env = |name: &str, value: &str| {
            format!("            - {{name: {name}, value: \"{value}\"}}\n")
        };
        let gpus = self.gpus;
        let template = include_str!("print/kube.yaml")
            .replace("@MEMORY@", &format!("{}Gi", memory.request))
            .replace("@LIMIT@", &format!("{}Gi", memory.limit))
            .replace("@GPUS@", &gpus.map(Gpus::kube_limit).unwrap_or_default())
            .replace("@TOLERATIONS@", &gpus.map(Gpus::kube_pod).unwrap_or_default())
            .replace("@GROUPS@", gpus.map(Gpus::kube_groups).unwrap_or_default())
            .replace("@ENV@", &self.variables(memory, env));
        self.filled(&template, quoted, &args)
    }

    fn compose(&self, memory: &Memory) -> String {
        let args = self.list("      ", |arg| arg.replace('$', "$$"));
        let target = if self.folder.is_some() { "/models" } else { WHOLE };
        let folder =
            self.folder.map_or(String::new(), |folder| format!(", image: {{subpath: {folder}}}"));
        let mount = format!("target: {target}, read_only: true{folder}");
        let env = |name: &str, value: &str| format!("      {name}: \"{value}\"\n");
        let gpus = self.gpus;
        let template = include_str!("print/compose.yaml")
            .replace("@MOUNT@", &mount)
            .replace("@LIMIT@", &format!("{}G", memory.limit))
            .replace("@GPUS@", &gpus.map(Gpus::compose_resources).unwrap_or_default())
            .replace("@DEVICES@", &gpus.map(Gpus::compose_service).unwrap_or_default())
            .replace("@ENV@", &self.variables(memory, env));
        self.filled(&template, quoted, &args)
    }

    fn quadlet(&self) -> String {
        let args: Vec<String> = self.args.iter().map(|arg| of_systemd(arg)).collect();
        let gpus = self.gpus.map(Gpus::quadlet);
        let (stall, seconds) = STALL;
        let gpus =
            gpus.map(|lines| format!("Environment={REQUIRE_GPU}=1 {stall}={seconds}\n{lines}"));
        let template =
            include_str!("print/quadlet.container").replace("@GPUS@", &gpus.unwrap_or_default());
        self.filled(&template, str::to_owned, &args.join(" "))
    }

    /// Variables of the server, written by `env`.
    fn variables(&self, memory: &Memory, env: impl Fn(&str, &str) -> String) -> String {
        let cache = memory.cache.map(|mib| env("LLAMA_ARG_CACHE_RAM", &mib.to_string()));
        let gpus = self.gpus.map(|_| env(REQUIRE_GPU, "1") + &env(STALL.0, STALL.1));
        cache.into_iter().chain(gpus).collect()
    }

    /// `template` with what every manifest has, written by `text`. The arguments are the last: they may contain the
    /// name of a placeholder.
    fn filled(&self, template: &str, text: fn(&str) -> String, args: &str) -> String {
        template
            .replace("@ROOT@", WHOLE)
            .replace("@NAME@", &self.name)
            .replace("@PORT@", &self.port)
            .replace("@MODEL@", &text(&self.model))
            .replace("@SERVER@", &text(&self.server))
            .replace("@ARGS@", args)
    }
}

/// An argument as a line of systemd has it.
fn of_systemd(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.to_owned();
    }
    let escaped: String = arg
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\r' => "\\r".to_owned(),
            '%' => "%%".to_owned(),
            '$' => "$$".to_owned(),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
