//! What a quantized model lost, measured on a text: perplexity of both models, and how far the one's predictions
//! are from the other's. A process of its own measures; this is what both sides say to each other.

#[cfg(feature = "quantize")]
mod child;
#[cfg(feature = "quantize")]
mod llama;
#[cfg(any(feature = "quantize", test))]
mod statistics;

use serde::{Deserialize, Serialize};

#[cfg(feature = "quantize")]
pub use child::main as child;

/// Tokens of a chunk, as llama.cpp's own tool has them: figures of both can be compared. The second half of each
/// chunk is measured, so every prediction has some text before it.
pub const CHUNK: usize = 512;

/// Chunks that a text has at least; llama.cpp's own tool asks for as many.
pub const FEWEST: usize = 2;

/// What the process is asked for; its one argument, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    /// The file with the text.
    pub text: String,
    /// The model before.
    pub base: String,
    /// The model after; without one it is only told whether the text and the model will do.
    pub other: Option<String>,
    /// Chunks to measure, when the text has as many.
    pub chunks: usize,
    /// Threads.
    pub threads: usize,
}

/// What the process says, each as a line of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// So many chunks of so many are measured.
    Measured(usize, usize),
    /// What came of it.
    Outcome(Outcome),
    /// Why it cannot be measured, and what to do.
    Refused(String, Option<String>),
}

impl News {
    /// The news in a line; none in what llama.cpp prints.
    #[must_use]
    pub fn of(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

/// A mean and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its uncertainty.
    pub uncertainty: f64,
}

/// What two models' predictions of one text say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Tokens of a chunk; the second half of it is measured.
    pub chunk_size: usize,
    /// Chunks that were measured.
    pub chunks: usize,
    /// Tokens whose prediction was measured.
    pub predictions: usize,
    /// Perplexity of the model before.
    pub perplexity_before: Estimate,
    /// Perplexity of the model after.
    pub perplexity_after: Estimate,
    /// The latter by the former. Both err on the same tokens, so it is surer than either.
    pub perplexity_ratio: Estimate,
    /// Kullback-Leibler divergence of the model after from the one before, in nats.
    pub divergence: Estimate,
    /// What 99.9 % of the divergences are below.
    pub divergence_p999: f64,
    /// The largest divergence.
    pub divergence_max: f64,
    /// Share of the tokens for which both models think the same one the likeliest.
    pub same_top: Estimate,
}
