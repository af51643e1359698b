//! A graph as people and other programs read it: `dot` of Graphviz, JSON as `buildctl debug dump-llb` prints it, and
//! BuildKit's own bytes, which `buildctl build` takes.

use std::fmt::Write as _;

use prost::Message;
use serde::Serialize;

use super::pb::{Action, Definition, Kind, Op, OpMetadata};
use crate::Error;
use crate::digest::Digest;

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A picture's text.
    Dot,
    /// One operation a line.
    Json,
    /// BuildKit's `pb.Definition`.
    Protobuf,
}

/// An operation as `buildctl` shows it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "Op")]
    op: &'a Op,
    #[serde(rename = "Digest")]
    digest: &'a str,
    #[serde(rename = "OpMetadata")]
    metadata: &'a OpMetadata,
}

/// Writes a graph.
pub(super) fn write(graph: &Definition, form: Form) -> Result<Vec<u8>, Error> {
    if form == Form::Protobuf {
        return Ok(graph.encode_to_vec());
    }
    let mut text = String::new();
    if form == Form::Dot {
        text.push_str("digraph {\n");
    }
    for bytes in &graph.def {
        let op = Op::decode(&bytes[..])
            .map_err(|e| Error::new(format!("cannot decode an operation: {e}")))?;
        let digest = Digest::of(bytes).to_string();
        let metadata = graph.metadata.get(&digest).cloned().unwrap_or_default();
        match form {
            Form::Dot => picture(&mut text, &op, &digest, &metadata),
            _ => {
                let shown = Shown { op: &op, digest: &digest, metadata: &metadata };
                text += &serde_json::to_string(&shown).expect("data without maps that can fail");
                text.push('\n');
            }
        }
    }
    if form == Form::Dot {
        text.push_str("}\n");
    }
    Ok(text.into_bytes())
}

fn picture(text: &mut String, op: &Op, digest: &str, metadata: &OpMetadata) {
    let (what, shape) = match &op.op {
        Some(Kind::Source(source)) => (source.identifier.clone(), "ellipse"),
        Some(Kind::Exec(exec)) => {
            let args = exec.meta.as_ref().map(|meta| meta.args.join(" "));
            (args.unwrap_or_default(), "box")
        }
        Some(Kind::Merge(_)) => ("merge".to_owned(), "invtriangle"),
        Some(Kind::File(file)) => {
            let action = file.actions.first().and_then(|action| action.action.as_ref());
            let what = match action {
                Some(Action::Copy(copy)) => format!("copy {} {}", copy.src, copy.dest),
                Some(Action::Mkfile(made)) => format!("mkfile {}", made.path),
                None => String::new(),
            };
            (what, "note")
        }
        None => ("result".to_owned(), "plaintext"),
    };
    let name = metadata.description.get("llb.customname").filter(|name| **name != what);
    let label = name.map_or_else(|| what.clone(), |name| format!("{name}\n{what}"));
    writeln!(text, "  {digest:?} [label={label:?} shape={shape:?}];").expect("texts grow");
    for (place, input) in op.inputs.iter().enumerate() {
        let mount = match &op.op {
            Some(Kind::Exec(exec)) => exec
                .mounts
                .iter()
                .find(|mount| usize::try_from(mount.input) == Ok(place))
                .map(|mount| mount.dest.clone()),
            _ => None,
        };
        let label = mount.unwrap_or_default();
        writeln!(text, "  {:?} -> {digest:?} [label={label:?}];", input.digest)
            .expect("texts grow");
    }
}
