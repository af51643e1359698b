//! The words of `estimate`: ours, and those of llama-server that the original has too. Others of llama-server stand
//! behind the model, where `words.rs` finds them.

use clap::{Args, ValueEnum};

use super::args::Remote;

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
    /// A card: its memory (`24GiB`), its name (`4090`, `h100`, `apple-m4-32g`), `here` for those of this machine,
    /// `none` for the processor alone. Without it there is room for any model.
    #[arg(long = "gpu", value_name = "CARD")]
    pub(super) gpus: Vec<String>,
    /// Look for the largest context and the best split that fit; on this machine unless there is a `--gpu`.
    #[arg(long, value_enum, value_name = "on|off", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub(super) fit: Option<Switch>,
    /// JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// The memory alone.
    #[arg(long)]
    pub(super) in_short: bool,
    /// One row for each so many layers on the cards.
    #[arg(long, value_name = "N")]
    pub(super) gpu_layers_step: Option<u32>,
    /// MiB that a server takes beside the model: of the processor's memory, and of each card.
    #[arg(long, value_name = "RAM,VRAM", default_value = "150,250")]
    pub(super) platform_footprint: String,
    /// How fast a device is, for MAX TPS: operations, memory, way to the next one; the processor first.
    #[arg(long = "device-metric", value_name = "FLOPS;Up[;Down]")]
    pub(super) device_metrics: Vec<String>,
    /// Ask the registry even where the store has the name.
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) remote: Remote,
    #[command(flatten)]
    pub(super) server: Server,
    /// A name, an ID, a GGUF file, `hf://ORG/REPO[:QUANT]`, `hf://ORG/REPO/FILE.gguf`, or an address of a file.
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
    /// Sequences at once.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    parallel: Option<String>,
    /// Type of the keys.
    #[arg(long, value_name = "TYPE")]
    cache_type_k: Option<String>,
    /// Type of the values.
    #[arg(long, value_name = "TYPE")]
    cache_type_v: Option<String>,
    /// Keys and values stay in the processor's memory.
    #[arg(long)]
    no_kv_offload: bool,
    /// Flash attention.
    #[arg(long, value_name = "on|off|auto", num_args = 0..=1, require_equals = true, default_missing_value = "on",
          value_parser = ["on", "off", "auto"])]
    flash_attn: Option<String>,
    /// How the model is split over the cards: `none`, `layer`, `row`.
    #[arg(long, value_name = "MODE")]
    split_mode: Option<String>,
    /// What part of the model each card takes.
    #[arg(long, value_name = "N,N")]
    tensor_split: Option<String>,
    /// The card of a model that is not split.
    #[arg(long, value_name = "N")]
    main_gpu: Option<String>,
    /// Servers of llama.cpp's RPC; each is a card before the others, and is not asked.
    #[arg(long, value_name = "HOST:PORT,…")]
    rpc: Option<String>,
    /// Weights are read, not mapped.
    #[arg(long)]
    no_mmap: bool,
    /// Layers on the cards.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    gpu_layers: Option<String>,
    /// Layers of the draft model on the cards.
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
