//! The words that say in which formats a model is shipped.

use clap::Args;

/// Which formats.
#[derive(Debug, Args)]
pub(in crate::cli) struct Formats {
    /// What it becomes: `image`, `modelpack` (CNCF ModelPack) or `docker` (Docker Model Runner); an image unless it
    /// is given. May be given several times: then all but the image get tags that end with `-FORMAT`. `=NAME` is a
    /// name for one of them.
    #[arg(long = "format", value_name = "FORMAT[=NAME]", value_delimiter = ',')]
    pub(in crate::cli) formats: Vec<String>,
}
