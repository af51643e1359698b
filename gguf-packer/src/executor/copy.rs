//! What `COPY` and `ADD` mean, on trees alone: which files a source names, and where they land.

pub(crate) mod files;
pub(crate) mod owner;
pub(crate) mod path;
pub(crate) mod pattern;
pub(crate) mod place;
pub(crate) mod select;
