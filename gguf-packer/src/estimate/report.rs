//! The planner's answer as a person reads it: for each choice of layers what the processor's memory and each card
//! hold, where they share their memory (UMA) and where they do not.

use super::Question;
use super::planner::{Answer, Device, Fit, Part, Role, Run};
use super::speed::{Active, Work, most};
use crate::gguf::Model;
use crate::image::command::PromptCache;

/// What a package takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// What the planner said.
    pub answer: Answer,
    /// One for each choice of layers.
    pub rows: Vec<Row>,
    /// What the host's memory must have besides, once the server has worked; no row counts it.
    pub prompt_cache: PromptCache,
    /// The same of snapshots of contexts.
    pub checkpoints: PromptCache,
}

/// What one choice of layers takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Layers on cards, the output's among them.
    pub offloaded: u32,
    /// Whether the output's is.
    pub output: bool,
    /// Whether all are.
    pub full: bool,
    /// Tokens in a second at most, when it is known how fast the devices are.
    pub tokens: Option<f64>,
    /// The processor's memory.
    pub ram: Share,
    /// Servers of `--rpc`, then cards.
    pub cards: Vec<Share>,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// `RAM`, `VRAM 0`, `RPC 0`.
    pub title: String,
    /// As llama.cpp calls it.
    pub device: String,
    /// Whether it is on another machine.
    pub remote: bool,
    /// Repeating layers of the main model.
    pub layers: u32,
    /// Whether the input layer is here.
    pub input: bool,
    /// Whether the output layer is here.
    pub output: bool,
    /// Bytes of weights, of all models.
    pub weights: u64,
    /// Bytes of contexts.
    pub context: u64,
    /// Bytes of buffers.
    pub compute: u64,
    /// Bytes where cards and processor share one memory: without weights that are mapped from their file.
    pub uma: u64,
    /// Bytes where they do not, with what the program takes besides.
    pub nonuma: u64,
}

pub(super) fn report(
    answer: Answer,
    question: &Question<'_>,
    main: Option<&Model>,
    prompt_cache: PromptCache,
) -> Estimate {
    let active = main.map(Active::of);
    let row = |run: &Run| row(&answer, run, question, active.as_ref());
    let rows = answer.runs.iter().map(row).collect();
    // Only completions use it.
    let is_used = !answer.embedding && !answer.reranking;
    let of_completions = |bound| if is_used { bound } else { PromptCache::UpTo(0) };
    let checkpoints = prompt_cache.of_checkpoints();
    let checkpoints = if answer.checkpoints { checkpoints } else { PromptCache::UpTo(0) };
    let [prompt_cache, checkpoints] = [prompt_cache, checkpoints].map(of_completions);
    Estimate { answer, rows, prompt_cache, checkpoints }
}

fn row(answer: &Answer, run: &Run, question: &Question<'_>, active: Option<&Active>) -> Row {
    let full = run.gpu_layers >= answer.layers;
    let (mut servers, mut local) = (0, 0);
    let mut ram = Share::default();
    let mut cards = Vec::new();
    for device in &answer.devices {
        let mut share = share(answer, run, device, full, question);
        if device.kind == "cpu" {
            share.title = "RAM".to_owned();
            ram = share;
            continue;
        }
        share.remote = device.kind == "rpc" || device.name.starts_with("RPC");
        let (kind, count) = if share.remote { ("RPC", &mut servers) } else { ("VRAM", &mut local) };
        share.title = format!("{kind} {count}");
        *count += 1;
        cards.push(share);
    }
    let work: Vec<Work> =
        std::iter::once(&ram).chain(&cards).map(|share| work(run, share)).collect();
    Row {
        offloaded: run.gpu_layers,
        output: cards.iter().any(|share| share.output),
        full,
        tokens: active.and_then(|active| most(&work, question.metrics, active)),
        ram,
        cards,
    }
}

fn share(
    answer: &Answer,
    run: &Run,
    device: &Device,
    full: bool,
    question: &Question<'_>,
) -> Share {
    let mut share = Share { device: device.name.clone(), ..Share::default() };
    let mut mapped = 0;
    for part in &run.parts {
        for memory in part.memory.iter().filter(|memory| memory.device == device.name) {
            share.weights += memory.weights;
            share.context += memory.context;
            share.compute += memory.compute;
            // Adapters and projectors are read.
            if answer.mmap && matches!(part.role, Role::Model | Role::Draft) {
                mapped += memory.weights;
            }
            if part.role == Role::Model {
                share.layers += memory.layers;
                share.input |= memory.input;
                share.output |= memory.output;
            }
        }
    }
    let all = share.weights + share.context + share.compute;
    let is_cpu = device.kind == "cpu";
    let beside = if is_cpu { question.footprint.0 } else { question.footprint.1 };
    // With all layers on cards, of the file a few rows of the input layer are read.
    let unread = if is_cpu && full { mapped } else { 0 };
    share.uma = all - mapped;
    share.nonuma = if is_cpu || all > 0 { all - unread + beside } else { 0 };
    share
}

/// What a token needs of a device: of the input layer it needs one row.
fn work(run: &Run, share: &Share) -> Work {
    let own = |part: &&Part| part.role == Role::Model;
    let memory = run.parts.iter().filter(own).flat_map(|part| &part.memory);
    let memory: Vec<_> = memory.filter(|memory| memory.device == share.device).collect();
    let computes = share.layers > 0 || share.output;
    let weights = if computes { memory.iter().map(|memory| memory.weights).sum() } else { 0 };
    Work { weights, context: memory.iter().map(|memory| memory.context).sum() }
}

impl Estimate {
    /// What was found to fit, when that was asked for.
    #[must_use]
    pub fn fit(&self) -> Option<&Fit> {
        self.answer.fit.as_ref()
    }
}
