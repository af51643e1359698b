//! The words that say in which formats a model is shipped.

use clap::Args;

/// Which formats.
#[derive(Debug, Args)]
pub(in crate::cli) struct Formats {
    /// Format: `image` (default), `modelpack` (CNCF ModelPack) or `docker` (Docker Model Runner). With several formats,
    /// the tags of all but the image end with `-FORMAT`. `=NAME` sets another name for a format.
    #[arg(long = "format", value_name = "FORMAT[=NAME]", value_delimiter = ',')]
    pub(in crate::cli) formats: Vec<String>,
}
