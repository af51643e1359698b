//! Manifests that run a model image with a server image: for Kubernetes, for Compose, for Quadlet. Names,
//! probes, users and rights are those of this project's own manifests in `docker/`.

use self::memory::Memory;
use super::compat::{Today, today};
use super::container;
use super::passed::{self, Passed};
use super::target::{Seen, Target};
use crate::Error;
use crate::image::command::numbers;

mod memory;

/// Where a model image is mounted as a whole. containerd 2.1 mounts the whole image whatever folder of it is asked for
/// (containerd/containerd#11580), podman's quadlets know no folders, so only Compose mounts one.
const WHOLE: &str = "/model-image";

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

/// A manifest, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The whole file.
    pub text: String,
    /// What was changed for today's llama-server.
    pub notes: Vec<String>,
}

/// What all manifests are made of.
struct Parts {
    /// A name that Kubernetes takes.
    name: String,
    model: String,
    server: String,
    args: Vec<String>,
    port: String,
    /// The folder of the image that is mounted, when it is not the whole of it.
    folder: Option<&'static str>,
}

/// The manifest that runs `target` by the image `server`, with more arguments for the server. `planned` says how many
/// bytes the server needs without a GPU and without its prompt cache.
///
/// # Errors
/// When `target` is a file and no image, an argument is missing, or a text that the command names cannot be read.
pub fn print(
    target: &Target,
    server: &str,
    extra: &[String],
    format: Format,
    planned: &dyn Fn() -> Result<u64, Error>,
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
    let all = [args, extra].concat();
    let Today { args, mut notes } = today(&all, &Seen { target, root })?;
    notes.splice(..0, note);
    let parts = Parts {
        name: label(model),
        model: model.clone(),
        server: server.to_owned(),
        args,
        port,
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
        let cache = memory.cache.map_or(String::new(), |mib| {
            format!("            - {{name: LLAMA_ARG_CACHE_RAM, value: \"{mib}\"}}\n")
        });
        let template = include_str!("print/kube.yaml")
            .replace("@MEMORY@", &format!("{}Gi", memory.request))
            .replace("@LIMIT@", &format!("{}Gi", memory.limit))
            .replace("@CACHE@", &cache);
        self.filled(&template, quoted, &args)
    }

    fn compose(&self, memory: &Memory) -> String {
        let args = self.list("      ", |arg| arg.replace('$', "$$"));
        let target = if self.folder.is_some() { "/models" } else { WHOLE };
        let folder =
            self.folder.map_or(String::new(), |folder| format!(", image: {{subpath: {folder}}}"));
        let mount = format!("target: {target}, read_only: true{folder}");
        let cache = memory
            .cache
            .map_or(String::new(), |mib| format!("      LLAMA_ARG_CACHE_RAM: \"{mib}\"\n"));
        let template = include_str!("print/compose.yaml")
            .replace("@MOUNT@", &mount)
            .replace("@LIMIT@", &format!("{}G", memory.limit))
            .replace("@CACHE@", &cache);
        self.filled(&template, quoted, &args)
    }

    fn quadlet(&self) -> String {
        let args: Vec<String> = self.args.iter().map(|arg| of_systemd(arg)).collect();
        self.filled(include_str!("print/quadlet.container"), str::to_owned, &args.join(" "))
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
