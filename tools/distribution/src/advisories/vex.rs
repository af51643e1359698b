//! `vex.openvex.json`: the same list for scanners (`trivy image --vex`, `grype --vex`), so that they report
//! what is open and leave out what is closed. An [OpenVEX 0.2.0](https://github.com/openvex/spec) document.

use std::path::Path;

use anyhow::{Context, Result};
use llama_src::Pin;
use serde_json::{Value, json};

use super::{Advisories, Advisory, State};

/// Name of the file in a distribution.
pub const FILE: &str = "vex.openvex.json";

/// Writes the document into the distribution in `dir`; `epoch` is the distribution's time.
///
/// # Errors
/// When the list cannot be read or the file cannot be written.
pub fn write(dir: &Path, epoch: u64) -> Result<()> {
    let document = document(&Advisories::load()?, &Pin::load(), epoch);
    let text = serde_json::to_string_pretty(&document).expect("strings and lists") + "\n";
    let path = dir.join(FILE);
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

pub(super) fn document(advisories: &Advisories, pin: &Pin, epoch: u64) -> Value {
    let statements = advisories.rows.iter().map(|row| statement(row, pin));
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("https://openvex.dev/docs/llama-sys-{}-{epoch}", pin.tag),
        "author": "llama-sys",
        "timestamp": product::time::rfc3339(epoch),
        "version": 1,
        "statements": statements.collect::<Vec<_>>(),
    })
}

fn statement(row: &Advisory, pin: &Pin) -> Value {
    let mut statement = json!({
        "vulnerability": {"name": row.id, "aliases": row.aliases, "description": row.about},
        "products": [{"@id": format!("pkg:github/ggml-org/llama.cpp@{}", pin.tag)}],
    });
    let mut set = |name: &str, value: Value| statement[name] = value;
    match &row.state {
        State::Fixed { .. } | State::Patched { .. } => {
            set("status", "fixed".into());
            set("status_notes", row.state.sentence().into());
        }
        State::NotAffected { justification, reason } => {
            set("status", "not_affected".into());
            set("justification", json!(justification));
            set("impact_statement", reason.as_str().into());
        }
        State::Affected { reason } => {
            set("status", "affected".into());
            set("action_statement", reason.as_str().into());
        }
    }
    statement
}
