//! A version of a vendor's toolkit, and what follows from it.

/// What follows from the version of a toolkit. It holds for newer versions too, up to that of the next row.
#[derive(Debug, Clone, Copy)]
pub struct ToolkitRow {
    /// Major and minor number.
    pub version: &'static str,
    /// Where an image's build takes it from; `None` if no release has it.
    pub release: Option<Source>,
    /// As CMake takes them.
    pub gpu_architectures: &'static [&'static str],
    /// The oldest driver that runs it, as its vendor counts.
    pub minimum_driver: Option<&'static str>,
    /// The first CUDA whose driver can read the code in the backend.
    pub minimum_cuda: Option<&'static str>,
}

/// Where the toolkit of an image's build comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// `cargo xtask dist --setup` brings it.
    Setup,
    /// An image of the vendor's.
    Image(&'static str),
}

impl ToolkitRow {
    /// The version as a number that compares.
    pub(super) fn number(&self) -> (u32, u32) {
        major_minor(self.version).unwrap_or_default()
    }
}

/// `12.8` of `12.8` and of `12.8.93`.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}
