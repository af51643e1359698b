//! The words of `convert`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Progress;
use crate::convert::By;

/// What is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Class {
    /// A model.
    Model,
    /// A LoRA adapter.
    #[value(alias = "adapter")]
    Lora,
}

/// Who converts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// This program.
    Native,
    /// llama.cpp's Python script.
    Upstream,
}

impl From<Way> for By {
    fn from(way: Way) -> Self {
        match way {
            Way::Native => Self::Native,
            Way::Upstream => Self::Upstream,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Type of the tensors: F32, F16, BF16, Q8_0, TQ1_0 or TQ2_0.
    #[arg(long = "type", value_name = "TYPE", default_value = "F16")]
    pub(crate) kind: String,
    /// What to convert.
    #[arg(long, value_enum, default_value = "model", value_name = "CLASS")]
    pub(crate) class: Class,
    /// Folder of an adapter's base model, with its config and tokenizer. It needs no weights.
    #[arg(long, value_name = "DIR", required_if_eq("class", "lora"))]
    pub(crate) base: Option<PathBuf>,
    /// Which converter to use. Default: this program if it writes what llama.cpp's script writes, else that script.
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) by: Option<Way>,
    /// Python for llama.cpp's script. Default: that of the active environment, `uv` or `python3`.
    #[arg(long, value_name = "PYTHON", env = "GGUF_PACKER_PYTHON")]
    pub(crate) python: Option<OsString>,
    /// How progress is shown.
    #[arg(long, value_enum, default_value = "auto", value_name = "KIND")]
    pub(crate) progress: Progress,
    /// The folder of the checkpoint or of the adapter.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The file to write.
    #[arg(value_name = "OUT.gguf")]
    pub(crate) out: PathBuf,
}
