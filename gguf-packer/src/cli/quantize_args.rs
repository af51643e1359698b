//! Words of `quantize` and `compare`.

use std::path::PathBuf;

use clap::Args;

use super::args::Progress;

/// Pieces of a text that are measured unless it is said.
const CHUNKS: u32 = 8;

#[derive(Debug, Args)]
pub(super) struct Quantize {
    /// The type, as llama-quantize names it; Q5_K_M unless it is given. With --dry-run it may be given several
    /// times, and without it all types are told.
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kinds: Vec<String>,
    /// Write nothing; tell how large the file would be, by llama.cpp's own dry run.
    #[arg(long, group = "told")]
    pub(super) dry_run: bool,
    /// Then measure on this text what the file lost, as `gguf-packer compare` does.
    #[arg(long, value_name = "TEXT", group = "told")]
    pub(super) compare: Option<PathBuf>,
    /// Pieces of the text that are measured, of 512 tokens each.
    #[arg(long, value_name = "N", default_value_t = CHUNKS, requires = "compare",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) chunks: u32,
    /// Print what is told as JSON.
    #[arg(long, requires = "told")]
    pub(super) json: bool,
    /// All tensors the same type.
    #[arg(long)]
    pub(super) pure: bool,
    /// Importance matrix.
    #[arg(long, value_name = "FILE")]
    pub(super) imatrix: Option<PathBuf>,
    /// Only these tensors by the matrix.
    #[arg(long, value_name = "TENSOR", value_delimiter = ',', requires = "imatrix")]
    pub(super) include_weights: Vec<String>,
    /// All but these tensors by the matrix.
    #[arg(
        long,
        value_name = "TENSOR",
        value_delimiter = ',',
        requires = "imatrix",
        conflicts_with = "include_weights"
    )]
    pub(super) exclude_weights: Vec<String>,
    /// Leave `output.weight` as it is.
    #[arg(long)]
    pub(super) leave_output_tensor: bool,
    /// Type of `output.weight`.
    #[arg(long, value_name = "TYPE")]
    pub(super) output_tensor_type: Option<String>,
    /// Type of the token embeddings.
    #[arg(long, value_name = "TYPE")]
    pub(super) token_embedding_type: Option<String>,
    /// Type of the tensors whose names match; the first pattern that matches holds.
    #[arg(long = "tensor-type", value_name = "PATTERN=TYPE")]
    pub(super) tensor_types: Vec<String>,
    /// Quantize tensors that are quantized already.
    #[arg(long)]
    pub(super) allow_requantize: bool,
    /// Threads; all processors unless it is given.
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<u32>,
    /// How progress is shown.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    pub(super) progress: Progress,
    /// The file to read.
    #[arg(value_name = "IN.gguf")]
    pub(super) from: PathBuf,
    /// The file to write.
    #[arg(value_name = "OUT.gguf", required_unless_present = "dry_run")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// A file of plain text like what the model is for.
    #[arg(long, value_name = "FILE")]
    pub(super) text: PathBuf,
    /// Pieces of the text that are measured, of 512 tokens each.
    #[arg(long, value_name = "N", default_value_t = CHUNKS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) chunks: u32,
    /// Threads; all processors unless it is given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) threads: Option<u32>,
    /// Print the figures as JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// How progress is shown.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    pub(super) progress: Progress,
    /// The model before it was quantized.
    #[arg(value_name = "BEFORE.gguf")]
    pub(super) before: PathBuf,
    /// The quantized model.
    #[arg(value_name = "AFTER.gguf")]
    pub(super) after: PathBuf,
}
