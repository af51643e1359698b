//! What a client asks instead of an image: the arguments of a file, its targets, the rules that it breaks, and which of
//! these questions we answer. Shapes are those of `frontend/subrequests` of moby/buildkit v0.13, and of v0.16 for
//! `lint`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use serde::Serialize;

use super::location::location;
use super::pb::{BuildResult, Location, SourceInfo};
use super::{Job, result};
use crate::Error;
use crate::image::Platform;
use crate::language::outline::{self, arguments, targets};
use crate::language::{self, Warning};

/// Questions: their names after `frontend.`, and what they ask. The first one takes a target.
const REQUESTS: [(&str, &str); 4] = [
    ("outline", "List all parameters current build target supports"),
    ("targets", "List all targets current build supports"),
    ("lint", "Lint the file"),
    ("subrequests.describe", "List available subrequest types"),
];

/// Answers what was asked; none when it is an image.
pub(super) fn answer(job: &Job<'_>) -> Result<Option<BuildResult>, Error> {
    let Some(asked) = job.daemon.option("requestid").filter(|asked| !asked.is_empty()) else {
        return Ok(None);
    };
    let answered = match asked.strip_prefix("frontend.") {
        Some("outline") => outline(job)?,
        Some("targets") => list(job),
        Some("lint") => lint(job),
        Some("subrequests.describe") => describe(),
        _ => {
            let known: Vec<String> =
                REQUESTS.iter().map(|(name, _)| format!("frontend.{name}")).collect();
            return Err(Error::new(format!("unsupported subrequest `{asked}`"))
                .hint(format!("use one of {}", known.join(", "))));
        }
    };
    Ok(Some(answered))
}

/// An answer as data and as text.
fn answered(json: &impl Serialize, text: String) -> BuildResult {
    let json = serde_json::to_vec_pretty(json).expect("data without maps that can fail");
    let metadata =
        [("result.json", json), ("result.txt", text.into_bytes()), ("version", b"1.0.0".to_vec())];
    let metadata = metadata.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    BuildResult { refs: None, metadata }
}

/// Rows of a table under their heads.
fn table<const N: usize>(rows: &[[&str; N]], gap: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = if column + 1 == N { 0 } else { width(column).unwrap_or(0) + gap };
            write!(line, "{cell:width$}").expect("texts grow");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[derive(Serialize)]
struct Request {
    name: String,
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'static str,
    opts: Vec<Named>,
    inputs: Vec<Named>,
    metadata: Vec<Named>,
    refs: Vec<Named>,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    description: &'static str,
}

fn describe() -> BuildResult {
    let named = |all: &[(&'static str, &'static str)]| {
        all.iter().map(|(name, description)| Named { name, description }).collect()
    };
    let requests: Vec<Request> = REQUESTS
        .iter()
        .enumerate()
        .map(|(index, (name, description))| Request {
            name: format!("frontend.{name}"),
            version: "1.0.0",
            kind: "rpc",
            description,
            opts: named(if index == 0 { &[("target", "Target build stage")] } else { &[] }),
            inputs: vec![],
            metadata: named(&[("result.json", ""), ("result.txt", "")]),
            refs: vec![],
        })
        .collect();
    let mut rows = vec![["NAME", "VERSION", "DESCRIPTION"]];
    rows.extend(REQUESTS.iter().map(|(name, description)| [*name, "1.0.0", *description]));
    answered(&requests, table(&rows, 1))
}

/// The texts of the files that places are in, as BuildKit's frontend has them.
fn sources(job: &Job<'_>) -> Vec<String> {
    vec![base64::engine::general_purpose::STANDARD.encode(job.source.text())]
}

#[derive(Serialize)]
struct Outline {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument>,
    secrets: Vec<Secret>,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct Argument {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    location: Location,
}

#[derive(Serialize)]
struct Secret {
    name: &'static str,
}

fn outline(job: &Job<'_>) -> Result<BuildResult, Error> {
    let settings = job.settings(&Platform::here());
    // A target that is not there is told as a build tells it.
    language::resolve(job.script, &settings)?;
    let wanted = outline::target(job.script, &settings);
    let (name, description) = wanted.map(|one| (one.name, one.description)).unwrap_or_default();
    let found = arguments(job.script, &settings).unwrap_or_default();
    let argument = |one: outline::Argument| Argument {
        location: location(one.at),
        name: one.name,
        description: one.description,
        value: one.value,
    };
    let args: Vec<Argument> = found.into_iter().map(argument).collect();
    let secrets = vec![Secret { name: super::step::TOKEN }];
    let mut text = String::new();
    if name.is_some() || description.is_some() {
        let rows = [
            ["TARGET:", name.as_deref().unwrap_or("(default)")],
            ["DESCRIPTION:", description.as_deref().unwrap_or_default()],
        ];
        let rows = if description.is_some() { &rows[..] } else { &rows[..1] };
        text = table(rows, 1) + "\n";
    }
    if !args.is_empty() {
        let mut rows = vec![["BUILD ARG", "VALUE", "DESCRIPTION"]];
        let said = |text: &'_ Option<String>| text.as_deref().unwrap_or_default().to_owned();
        let cells: Vec<_> = args.iter().map(|a| (said(&a.value), said(&a.description))).collect();
        rows.extend(args.iter().zip(&cells).map(|(a, (v, d))| [a.name.as_str(), v, d]));
        text += &(table(&rows, 3) + "\n");
    }
    text += &(table(&[["SECRET", "REQUIRED"], [super::step::TOKEN, ""]], 3) + "\n");
    Ok(answered(&Outline { name, description, args, secrets, sources: sources(job) }, text))
}

#[derive(Serialize)]
struct List {
    targets: Vec<Target>,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct Target {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    base: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    location: Location,
}

fn list(job: &Job<'_>) -> BuildResult {
    let found = targets(job.script, &job.settings(&Platform::here()));
    let shown = |one: &outline::Target| match (&one.name, one.default) {
        (Some(name), true) => format!("{name} (default)"),
        (Some(name), false) => name.clone(),
        (None, true) => "(default)".to_owned(),
        (None, false) => String::new(),
    };
    let cells: Vec<_> =
        found.iter().map(|one| (shown(one), one.description.clone().unwrap_or_default())).collect();
    let mut rows = vec![["TARGET", "DESCRIPTION"]];
    rows.extend(cells.iter().map(|(name, description)| [name.as_str(), description]));
    let text = table(&rows, 1);
    let target = |one: outline::Target| Target {
        location: location(one.at),
        name: one.name,
        default: one.default,
        description: one.description,
        base: one.base,
        platform: one.platform,
    };
    let targets = found.into_iter().map(target).collect();
    answered(&List { targets, sources: sources(job) }, text)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lint {
    warnings: Vec<Broken>,
    sources: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_error: Option<Failed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Broken {
    rule_name: String,
    description: String,
    detail: String,
    location: Location,
}

/// BuildKit's `SourceInfo`, as Go writes it.
#[derive(Serialize)]
struct File {
    filename: String,
    language: String,
    data: String,
}

#[derive(Serialize)]
struct Failed {
    message: String,
    location: Location,
}

impl File {
    fn new(info: &SourceInfo) -> Self {
        let data = base64::engine::general_purpose::STANDARD.encode(&info.data);
        Self { filename: info.filename.clone(), language: info.language.clone(), data }
    }
}

fn lint(job: &Job<'_>) -> BuildResult {
    let (platform, file) = (Platform::here(), job.source.info());
    let (mut warnings, error) = match language::resolve(job.script, &job.settings(&platform)) {
        Ok(resolved) => (resolved.warnings, None),
        Err(error) => (vec![], Some(error)),
    };
    warnings.extend(job.warnings(&platform));
    let failed = error.map(|error| {
        let message = error.to_string();
        let place = result::place(&message, file);
        let location = place.map(location).unwrap_or_default();
        Failed { message, location }
    });
    let mut text = String::new();
    let lines: Vec<&str> = job.source.text().lines().collect();
    for warning in &warnings {
        show(&mut text, warning, &lines);
    }
    if let Some(failed) = &failed {
        writeln!(text, "\nERROR: {}", failed.message).expect("texts grow");
    }
    let status = if warnings.is_empty() && failed.is_none() { "0" } else { "1" };
    let found = Lint {
        warnings: warnings.iter().map(broken).collect(),
        sources: vec![File::new(file)],
        build_error: failed,
    };
    let mut result = answered(&found, text);
    result
        .metadata
        .extend(BTreeMap::from([("result.statuscode".to_owned(), status.as_bytes().to_vec())]));
    result
}

fn broken(warning: &Warning) -> Broken {
    Broken {
        rule_name: warning.rule.map(|rule| rule.to_string()).unwrap_or_default(),
        description: warning.rule.map(|rule| rule.description().to_owned()).unwrap_or_default(),
        detail: warning.message.clone(),
        location: warning.at.map(location).unwrap_or_default(),
    }
}

/// A warning as BuildKit's client prints it, with its line.
fn show(text: &mut String, warning: &Warning, lines: &[&str]) {
    let rule = warning.rule.map_or_else(|| "Warning".to_owned(), |rule| rule.to_string());
    writeln!(text, "\nWARNING: {rule}\n{}", warning.message).expect("texts grow");
    if let Some(at) = warning.at {
        writeln!(text, "{}:{}", warning.file, at.line).expect("texts grow");
        let line = at.line.checked_sub(1).and_then(|index| lines.get(index));
        writeln!(text, "   {} | >>> {}", at.line, line.unwrap_or(&"")).expect("texts grow");
    }
}
