//! The advisories of `vendor/advisories.toml`: what each one means at the pin, as a table for a person and
//! as an OpenVEX document for a scanner.

use std::fs;

use anyhow::{Context, Result};
use llama_src::Pin;
use serde::Deserialize;

mod vex;

pub use vex::{FILE as VEX_FILE, write as write_vex};

/// All advisories that somebody has read, for one release.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advisories {
    /// The tag of the release that every row was last compared with.
    reviewed: String,
    #[serde(rename = "advisory")]
    rows: Vec<Advisory>,
}

#[derive(Debug, Deserialize)]
struct Advisory {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    about: String,
    #[serde(flatten)]
    state: State,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum State {
    Fixed { fixed_in: String },
    Patched { patch: String },
    NotAffected { justification: Justification, reason: String },
    Affected { reason: String },
}

/// The words of [OpenVEX](https://github.com/openvex/spec/blob/v0.2.0/OPENVEX-SPEC.md#status-justifications).
#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Justification {
    ComponentNotPresent,
    VulnerableCodeNotPresent,
    VulnerableCodeNotInExecutePath,
    VulnerableCodeCannotBeControlledByAdversary,
    InlineMitigationsAlreadyExist,
}

/// A patch: its file's name without the extension, and its text.
pub type PatchText = (String, String);

impl Advisories {
    /// The checked-in list.
    pub fn load() -> Result<Self> {
        let path = llama_src::root().join("advisories.toml");
        let text = fs::read_to_string(&path).context("cannot read vendor/advisories.toml")?;
        toml::from_str(&text).context("cannot parse vendor/advisories.toml")
    }

    /// What is wrong with the list, for this pin and these patches.
    pub fn violations(&self, pin: &Pin, patches: &[PatchText]) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.reviewed != pin.tag {
            wrong.push(format!(
                "the advisories were reviewed for {}, but the pin is {}: review them, then set \
                `reviewed`",
                self.reviewed, pin.tag
            ));
        }
        for pair in self.rows.windows(2) {
            if order(&pair[0].id) >= order(&pair[1].id) {
                wrong.push(format!("{} must come before {}", pair[1].id, pair[0].id));
            }
        }
        wrong.extend(self.rows.iter().filter_map(|row| row.violation(pin, patches)));
        for (patch, text) in patches {
            for id in ids(text).filter(|id| !self.closes(patch, id)) {
                wrong.push(format!(
                    "vendor/patches/{patch}.patch names {id}: add it with `patch = \"{patch}\"`"
                ));
            }
        }
        wrong
    }

    fn closes(&self, patch: &str, id: &str) -> bool {
        self.rows.iter().any(|row| {
            row.id == id && matches!(&row.state, State::Patched { patch: own } if own == patch)
        })
    }

    /// The table of SECURITY.md.
    pub fn table(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let names = [std::slice::from_ref(&row.id), &row.aliases].concat().join(", ");
            format!("| {names} | {} | {} |\n", row.about, row.state.sentence())
        });
        format!("| advisory | about | here |\n|---|---|---|\n{}", rows.collect::<String>())
    }
}

impl Advisory {
    fn violation(&self, pin: &Pin, patches: &[PatchText]) -> Option<String> {
        match &self.state {
            State::Fixed { fixed_in } => {
                let build = fixed_in.strip_prefix('b').and_then(|number| number.parse().ok());
                (build.is_none_or(|build: u32| build > pin.build_number)).then(|| {
                    format!("{}: fixed_in `{fixed_in}` is not a release up to {}", self.id, pin.tag)
                })
            }
            State::Patched { patch } => {
                let text = patches.iter().find(|(name, _)| name == patch).map(|(_, text)| text);
                match text {
                    None => {
                        Some(format!("{}: vendor/patches/{patch}.patch does not exist", self.id))
                    }
                    Some(text) if ids(text).all(|id| id != self.id) => {
                        Some(format!("vendor/patches/{patch}.patch does not name {}", self.id))
                    }
                    Some(_) => None,
                }
            }
            State::NotAffected { reason, .. } | State::Affected { reason } => {
                (!reason.ends_with('.')).then(|| {
                    format!("{}: the reason must be a sentence that ends with a full stop", self.id)
                })
            }
        }
    }
}

impl State {
    fn sentence(&self) -> String {
        match self {
            Self::Fixed { fixed_in } => format!("fixed upstream ({fixed_in})"),
            Self::Patched { patch } => format!("closed by our patch `{patch}`"),
            Self::NotAffected { reason, .. } => format!("not affected: {reason}"),
            Self::Affected { reason } => format!("**open**: {reason}"),
        }
    }
}

/// The ids of advisories in a text.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    text.split(ends)
        .filter(|word| (word.starts_with("CVE-") || word.starts_with("GHSA-")) && word.len() > 8)
}

/// CVEs by year and number, everything else after them.
fn order(id: &str) -> (u32, u32, &str) {
    let numbers = id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let parsed =
        numbers.and_then(|(year, number)| Some((year.parse().ok()?, number.parse().ok()?)));
    parsed.map_or((u32::MAX, 0, id), |(year, number)| (year, number, ""))
}

/// The patches of this workspace.
pub fn patches() -> Result<Vec<PatchText>> {
    let mut patches = Vec::new();
    let dir = llama_src::root().join("patches");
    for entry in fs::read_dir(&dir).context("cannot read vendor/patches")? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path);
        patches.push((name, text.with_context(|| format!("cannot read {}", path.display()))?));
    }
    patches.sort();
    Ok(patches)
}

#[cfg(test)]
#[path = "advisories_tests.rs"]
mod tests;
