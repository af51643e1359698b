//! What a model takes of which memory, by llama.cpp's own planner: on cards that are here or made up, for a model
//! whose weights need not be here.
//!
//! ```text
//! package (command, files or headers) → options (the command, then the user's) → planner → report → table / JSON
//! ```

pub mod cards;
mod fit;
mod json;
mod limits;
mod options;
pub mod package;
pub mod planner;
mod report;
mod speed;
mod table;

pub use cards::{Card, Cards};
pub use package::Package;
pub use report::{Estimate, Row, Share};
pub use speed::Metric;

use crate::Error;
use crate::image::command::PromptCache;
use planner::{Answer, Request};

/// What is asked about a package.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Options of `llama-server`, beside those of the package's command.
    pub options: &'a [String],
    /// Where it is to run.
    pub cards: &'a Cards,
    /// Whether the largest context and the best split that fit are looked for.
    pub fit: bool,
    /// One row for each so many layers on the cards.
    pub step: Option<u32>,
    /// Bytes that a program takes beside the model: of the processor's memory, and of each card.
    pub footprint: (u64, u64),
    /// How fast the processor and the cards are.
    pub metrics: &'a [Metric],
}

/// Estimates what `package` takes.
///
/// # Errors
/// When llama.cpp cannot take an option, does not take the model, or is not in this program.
pub fn estimate(package: &Package, question: &Question<'_>) -> Result<Estimate, Error> {
    estimate_by(package, question, &planner::ask)
}

fn estimate_by(
    package: &Package,
    question: &Question<'_>,
    ask: &dyn Fn(&Request) -> Result<Answer, Error>,
) -> Result<Estimate, Error> {
    let options = options::all(&package.arguments, question.options)?;
    let (gpus, options) = question.cards.devices(options)?;
    let real = matches!(question.cards, Cards::Here);
    let mut request =
        Request { arguments: options, gpus, real, fit: question.fit, gpu_layers: Vec::new() };
    let mut answer = fit::ask(&mut request, question.footprint.1, ask)?;
    if let Some(step) = question.step.filter(|step| *step > 0) {
        // As many as there are, and not those that fit: each row is a choice of the user's.
        request.fit = false;
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let counts = (0..answer.layers).step_by(step).chain([answer.layers]);
        request.gpu_layers = counts.filter_map(|count| i32::try_from(count).ok()).collect();
        let fit = answer.fit.take();
        answer = ask(&request)?;
        answer.fit = fit;
        // The first one is that of the options, which the others repeat.
        answer.runs.remove(0);
    }
    let cache = PromptCache::of(&request.arguments);
    Ok(report::report(answer, question, package.main.as_ref(), cache))
}

#[cfg(test)]
#[path = "estimate/estimate_tests.rs"]
mod tests;
