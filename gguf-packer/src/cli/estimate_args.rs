//! The words of `estimate`: ours, and those of llama-server that the original has too. Others of llama-server stand
//! behind the model, where `words.rs` finds them.

use clap::{Args, ValueEnum};

use super::args::Remote;
use crate::Error;

const MIB: u64 = 1 << 20;

/// MiB that a server needs besides the model: of the host, and of each GPU.
pub(super) const FOOTPRINT: &str = "150,250";

/// `on`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

#[derive(Debug, Args)]
pub(super) struct Estimate {
    /// A GPU: its memory (`24GiB`) or its name (`4090`, `h100`, `apple-m4-32g`). `here` takes the GPUs of this machine,
    /// `none` only the CPU. Default: unlimited memory.
    #[arg(long = "gpu", value_name = "CARD")]
    pub(super) gpus: Vec<String>,
    /// Find the largest context and the best split that fit `--gpu`, or this machine without `--gpu`.
    #[arg(long, value_enum, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub(super) fit: Option<Switch>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Print only the memory.
    #[arg(long)]
    pub(super) in_short: bool,
    /// Print one row for every N layers on the GPUs.
    #[arg(long, value_name = "N")]
    pub(super) gpu_layers_step: Option<u32>,
    /// Memory of the server besides the model, in MiB: on the host, and on each GPU.
    #[arg(long, value_name = "RAM,VRAM", default_value = FOOTPRINT)]
    pub(super) platform_footprint: String,
    /// Speed of a device, for MAX TPS: operations, memory bandwidth, bandwidth to the next device. The CPU comes first.
    #[arg(long = "device-metric", value_name = "FLOPS;Up[;Down]")]
    pub(super) device_metrics: Vec<String>,
    /// Ask the registry even if the store has the name.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    #[command(flatten)]
    pub(super) server: Server,
    /// A name, an ID, a GGUF file, `hf://ORG/REPO[:QUANT]`, `hf://ORG/REPO/FILE.gguf`, or the URL of a file.
    #[arg(value_name = "MODEL")]
    pub(super) model: String,
    /// Any other options of llama-server.
    #[arg(last = true, value_name = "ARG", allow_hyphen_values = true)]
    pub(super) args: Vec<String>,
}

/// Options of llama-server that may stand anywhere. What is not said here is what the package says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of llama-server")]
pub(super) struct Server {
    /// Tokens of the context.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    ctx_size: Option<String>,
    /// Tokens of a logical batch.
    #[arg(long, value_name = "N")]
    batch_size: Option<String>,
    /// Tokens of a physical batch.
    #[arg(long, value_name = "N")]
    ubatch_size: Option<String>,
    /// Parallel sequences.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    parallel: Option<String>,
    /// Type of the cached keys.
    #[arg(long, value_name = "TYPE")]
    cache_type_k: Option<String>,
    /// Type of the cached values.
    #[arg(long, value_name = "TYPE")]
    cache_type_v: Option<String>,
    /// Keep the KV cache in host memory.
    #[arg(long)]
    no_kv_offload: bool,
    /// Flash attention.
    #[arg(long, value_name = "on|off|auto", num_args = 0..=1, require_equals = true, default_missing_value = "on",
          value_parser = ["on", "off", "auto"])]
    flash_attn: Option<String>,
    /// How the GPUs share the model: `none`, `layer`, `row`, `tensor`.
    #[arg(long, value_name = "MODE")]
    split_mode: Option<String>,
    /// Share of the model on each GPU.
    #[arg(long, value_name = "N,N")]
    tensor_split: Option<String>,
    /// The GPU for a model that is not split.
    #[arg(long, value_name = "N")]
    main_gpu: Option<String>,
    /// RPC servers of llama.cpp. Each counts as a GPU before the others; nothing connects to them.
    #[arg(long, value_name = "HOST:PORT,…")]
    rpc: Option<String>,
    /// Read the weights instead of mapping them.
    #[arg(long)]
    no_mmap: bool,
    /// Layers on the GPUs.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    gpu_layers: Option<String>,
    /// Layers of the draft model on the GPUs.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    gpu_layers_draft: Option<String>,
}

impl Estimate {
    /// What the user says to llama-server.
    pub(super) fn options(&self) -> Vec<String> {
        let server = &self.server;
        let mut options = Vec::new();
        for (name, value) in [
            ("--ctx-size", &server.ctx_size),
            ("--batch-size", &server.batch_size),
            ("--ubatch-size", &server.ubatch_size),
            ("--parallel", &server.parallel),
            ("--cache-type-k", &server.cache_type_k),
            ("--cache-type-v", &server.cache_type_v),
            ("--flash-attn", &server.flash_attn),
            ("--split-mode", &server.split_mode),
            ("--tensor-split", &server.tensor_split),
            ("--main-gpu", &server.main_gpu),
            ("--rpc", &server.rpc),
            ("--gpu-layers", &server.gpu_layers),
            ("--gpu-layers-draft", &server.gpu_layers_draft),
        ] {
            options.extend(value.iter().flat_map(|value| [name.to_owned(), value.clone()]));
        }
        for (name, given) in
            [("--no-kv-offload", server.no_kv_offload), ("--no-mmap", server.no_mmap)]
        {
            options.extend(given.then(|| name.to_owned()));
        }
        options.extend(self.args.iter().cloned());
        options
    }
}

/// `150,250`: of the processor's memory, and of each card.
pub(super) fn footprint(text: &str) -> Result<(u64, u64), Error> {
    let parts: Option<Vec<u64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let bytes = |mib: &u64| mib.checked_mul(MIB);
    match parts.unwrap_or_default().iter().map(bytes).collect::<Option<Vec<u64>>>().as_deref() {
        Some(&[ram, card]) => Ok((ram, card)),
        _ => Err(Error::usage(format!(
            "invalid --platform-footprint `{text}`: it takes two numbers \
                of MiB, for the host and for each GPU"
        ))
        .hint("--platform-footprint 150,250")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footprint_is_two_numbers() {
        assert_eq!(footprint("150,250").unwrap(), (150 * MIB, 250 * MIB));
        for wrong in ["", "150", "1,2,3", "a,b", "99999999999999999999,1", "18446744073709551615,1"]
        {
            let error = footprint(wrong).unwrap_err().to_string();
            assert!(error.ends_with("hint: --platform-footprint 150,250"), "{error}");
        }
    }
}
