//! From a file that was read to the stages that a build needs.

use std::collections::BTreeSet;

use super::instruction::{Instruction, Origin, Stage, Step};
use super::keyword::Keyword;
use super::script::Script;
use super::settings::Settings;
use super::source::{Errors, Warning};
use super::state::Walk;
use super::text::declarations;

/// What a build needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The target and the stages that it needs, each after those that it needs itself.
    pub stages: Vec<Stage>,
    /// Which of them is the result: the last.
    pub target: usize,
    /// What works and should be otherwise; broken rules are not among it, see
    /// [`lint`](super::lint::lint).
    pub warnings: Vec<Warning>,
}

/// Gives variables their values, and leaves the target and what it needs.
///
/// # Errors
/// Everything that is wrong in those stages.
pub fn resolve(script: &Script, settings: &Settings) -> Result<Resolved, Errors> {
    let mut walk = Walk::new(script, settings);
    let Some(target) = walk.target() else {
        return Err(Errors::check(walk.problems).expect_err("no target is a problem"));
    };
    let needed = need(&mut walk, target);
    Errors::check(std::mem::take(&mut walk.problems))?;
    let places: Vec<usize> = needed.iter().copied().collect();
    let stages: Vec<Stage> = places.iter().map(|index| stage(&mut walk, *index, &places)).collect();
    let mut warnings = walk.warnings;
    warnings.sort_by_key(|warning| warning.at);
    warnings.extend(unused(script, settings));
    Ok(Resolved { target: stages.len() - 1, stages, warnings })
}

/// Walks the target and all that it needs.
pub(super) fn need(walk: &mut Walk<'_>, target: usize) -> BTreeSet<usize> {
    let (mut needed, mut waiting) = (BTreeSet::new(), vec![target]);
    while let Some(index) = waiting.pop() {
        if !needed.insert(index) {
            continue;
        }
        walk.stage(index);
        let (_, steps) = walk.walked[index].as_ref().expect("the stage was walked just now");
        let origins = steps.iter().filter_map(|step| origin(&step.instruction));
        for origin in origins.chain([&walk.heads[index].origin]) {
            if let Origin::Stage(stage) = origin {
                waiting.push(*stage);
            }
        }
    }
    needed
}

/// A stage with the numbers that stages have among `places`.
fn stage(walk: &mut Walk<'_>, index: usize, places: &[usize]) -> Stage {
    let (_, mut steps) = walk.walked[index].take().expect("needed stages are walked");
    let renumber = |origin: &mut Origin| {
        if let Origin::Stage(stage) = origin {
            *stage = places.binary_search(stage).expect("what a needed stage needs is needed");
        }
    };
    for Step { instruction, .. } in &mut steps {
        if let Some(origin) = origin_mut(instruction) {
            renumber(origin);
        }
    }
    let head = &walk.heads[index];
    let mut from = head.origin.clone();
    renumber(&mut from);
    let at = walk.script.source.position(head.from.place());
    Stage { name: head.name.clone(), from, platform: head.platform.clone(), steps, at }
}

fn origin(instruction: &Instruction) -> Option<&Origin> {
    match instruction {
        Instruction::Copy(copy) => Some(&copy.from),
        Instruction::Convert(convert) => Some(&convert.from),
        Instruction::Quantize(quantize) => Some(&quantize.from),
        _ => None,
    }
}

fn origin_mut(instruction: &mut Instruction) -> Option<&mut Origin> {
    match instruction {
        Instruction::Copy(copy) => Some(&mut copy.from),
        Instruction::Convert(convert) => Some(&mut convert.from),
        Instruction::Quantize(quantize) => Some(&mut quantize.from),
        _ => None,
    }
}

/// Names that `--build-arg` may give without an `ARG`, as in Docker.
const PREDEFINED: [&str; 7] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SOURCE_DATE_EPOCH",
    "HF_ENDPOINT",
];

/// Build arguments that no `ARG` asks for.
fn unused(script: &Script, settings: &Settings) -> Option<Warning> {
    let args = script.statements.iter().filter(|statement| statement.keyword == Keyword::Arg);
    let declared: BTreeSet<&str> = args.flat_map(declarations).map(|(name, _)| name).collect();
    let unused: Vec<&str> = (settings.build_args.keys().map(String::as_str))
        .filter(|name| !declared.contains(name) && !settings.platform.contains_key(*name))
        .filter(|name| !name.starts_with("BUILDKIT_"))
        .filter(|name| !PREDEFINED.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .collect();
    if unused.is_empty() {
        return None;
    }
    let message = format!(
        "build arguments were not consumed, because no ARG declares them: {}",
        unused.join(", ")
    );
    Some(Warning { file: script.file().to_owned(), at: None, rule: None, message })
}

#[cfg(test)]
#[path = "stages_tests.rs"]
pub(super) mod tests;
