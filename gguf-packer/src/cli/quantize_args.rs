//! Words of `quantize` and `compare`.

use std::path::PathBuf;

use clap::Args;

use super::progress::Progress;

/// Pieces of a text that are measured unless it is said.
const CHUNKS: u32 = 8;

/// Threads that llama.cpp takes at most (`GGML_MAX_N_THREADS`); with more it crashes.
pub(super) const MOST_THREADS: u16 = 512;

const THREADS: std::ops::RangeInclusive<i64> = 1..=MOST_THREADS as i64;

#[derive(Debug, Args)]
pub(super) struct Quantize {
    /// The type, as llama-quantize names it. Default: Q5_K_M. --dry-run accepts several, and takes all by default.
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) kinds: Vec<String>,
    /// Write nothing; print how large the file would be, from llama.cpp's own dry run.
    #[arg(long, group = "told")]
    pub(super) dry_run: bool,
    /// Then measure the quality loss on this text, as `gguf-packer compare` does.
    #[arg(long, value_name = "TEXT", group = "told")]
    pub(super) compare: Option<PathBuf>,
    /// Number of chunks of the text to measure, of 512 tokens each.
    #[arg(long, value_name = "N", default_value_t = CHUNKS, requires = "compare",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) chunks: u32,
    /// Print the result as JSON.
    #[arg(long, requires = "told")]
    pub(super) json: bool,
    /// Use the same type for all tensors.
    #[arg(long)]
    pub(super) pure: bool,
    /// Importance matrix.
    #[arg(long, value_name = "FILE")]
    pub(super) imatrix: Option<PathBuf>,
    /// Use the importance matrix only for these tensors.
    #[arg(long, value_name = "TENSOR", value_delimiter = ',', requires = "imatrix")]
    pub(super) include_weights: Vec<String>,
    /// Use the importance matrix for all but these tensors.
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
    /// Type of the tensors whose names match. The first matching pattern wins.
    #[arg(long = "tensor-type", value_name = "PATTERN=TYPE")]
    pub(super) tensor_types: Vec<String>,
    /// Allow quantizing tensors that are already quantized.
    #[arg(long)]
    pub(super) allow_requantize: bool,
    /// Number of threads, at most 512. Default: all processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(THREADS))]
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
    /// A plain text file, similar to the texts that the model is for.
    #[arg(long, value_name = "FILE")]
    pub(super) text: PathBuf,
    /// Number of chunks of the text to measure, of 512 tokens each.
    #[arg(long, value_name = "N", default_value_t = CHUNKS, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) chunks: u32,
    /// Number of threads, at most 512. Default: all processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(THREADS))]
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn threads_are_as_many_as_llama_cpp_takes() {
        let quantize = ["quantize", "a.gguf", "b.gguf"];
        let compare = ["compare", "--text=t", "a.gguf", "b.gguf"];
        for words in [&quantize[..], &compare[..]] {
            let parsed = |threads: &str| {
                let words = ["gguf-packer"].iter().chain(words);
                Cli::try_parse_from(words.chain(&["--threads", threads])).map(drop)
            };
            for good in ["1", "512"] {
                assert!(parsed(good).is_ok(), "{words:?} {good}");
            }
            for wrong in ["0", "513", "99999", "-1"] {
                assert!(parsed(wrong).is_err(), "{words:?} {wrong}");
            }
            let error = parsed("99999").unwrap_err().to_string();
            let told = "invalid value '99999' for '--threads <N>': 99999 is not in 1..=512";
            assert!(error.contains(told), "{error}");
        }
    }
}
