//! Whether what llama.cpp found to fit does fit. It ends with no layers on a card that has no room for any, but buffers
//! of the computation stay there, however small the card is.

use super::planner::{Answer, Device, Request};
use crate::Error;

/// Asks, and once more without the cards that are too small. `beside` are the bytes that a program takes of each card
/// besides the model.
pub(super) fn ask(
    request: &mut Request,
    beside: u64,
    ask: &dyn Fn(&Request) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let answer = ask(request)?;
    let small = overfull(&answer, beside);
    if small.is_empty() {
        return Ok(answer);
    }
    let without = without(&answer, &small);
    request.arguments.extend(without.iter().cloned());
    let mut answer = ask(request)?;
    let still = !overfull(&answer, beside).is_empty();
    if let Some(fit) = &mut answer.fit {
        fit.arguments.extend(without);
        // A projector, say, stays on a card that the model leaves.
        if still {
            fit.status = "cannot".to_owned();
        }
    }
    Ok(answer)
}

/// Cards that would hold more than they have, though it is said to fit.
fn overfull(answer: &Answer, beside: u64) -> Vec<String> {
    if answer.fit.as_ref().is_none_or(|fit| fit.status != "fits") {
        return Vec::new();
    }
    let small = cards(answer).filter(|card| {
        let used = used(answer, card);
        // Not every driver tells how much there is.
        used > 0 && card.total > 0 && used.saturating_add(beside) > card.free
    });
    small.map(|card| card.name.clone()).collect()
}

fn cards(answer: &Answer) -> impl Iterator<Item = &Device> {
    answer.devices.iter().filter(|device| matches!(device.kind.as_str(), "gpu" | "igpu" | "rpc"))
}

/// Bytes that all models take of a device.
fn used(answer: &Answer, device: &Device) -> u64 {
    let parts = answer.runs.first().into_iter().flat_map(|run| &run.parts);
    let memory = parts.flat_map(|part| &part.memory).filter(|memory| memory.device == device.name);
    memory.map(|memory| memory.weights + memory.context + memory.compute).sum()
}

/// The option of llama-server for the cards that are left.
fn without(answer: &Answer, small: &[String]) -> [String; 2] {
    let names = cards(answer).map(|card| card.name.as_str());
    let left: Vec<&str> = names.filter(|name| !small.iter().any(|one| one == name)).collect();
    let left = left.join(",");
    ["--device".to_owned(), if left.is_empty() { "none".to_owned() } else { left }]
}
