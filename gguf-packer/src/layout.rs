//! Images in files: OCI layouts as folders and as archives, and Docker's archives.
//!
//! An archive is an OCI layout in a tar, and Docker's has `manifest.json` beside it, as `docker save` writes
//! both since version 25. What is written depends on the image alone: the same image, the same bytes.

mod copy;
mod read;
mod source;
mod write;

pub use read::{Loaded, load};
pub(crate) use write::images_alone;
pub use write::{Item, Saved, save, write_archive};

/// How images and artifacts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder with an OCI layout.
    OciDir,
    /// A tar with an OCI layout.
    OciArchive,
    /// A tar with an OCI layout and what `docker load` of all versions reads; of images alone.
    DockerArchive,
}

impl std::str::FromStr for Format {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        match text {
            "oci-dir" => Ok(Self::OciDir),
            "oci-archive" | "oci" => Ok(Self::OciArchive),
            "docker-archive" | "docker" => Ok(Self::DockerArchive),
            _ => Err(crate::Error::new(format!("unknown image format `{text}`"))
                .hint("use one of oci-dir, oci-archive, docker-archive")),
        }
    }
}

#[cfg(test)]
mod tests;
