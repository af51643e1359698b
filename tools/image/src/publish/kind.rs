//! What is published: images of the server, one for each row of the release matrix, and gguf-packer's. Each knows its
//! repositories, its names and what an index says about it.

use anyhow::Result;

use super::super::labels::{self, Facts};
use super::super::subject::{self, Subject};
use super::super::tags;
use super::Release;
use product::arch::Arch;
use product::variant::PACKER;
use product::variant::{Row, Variant};

/// What an image that was built is of.
#[derive(Debug, Clone)]
pub enum Of {
    /// A row, with a shell or without.
    Server { row: Row, minimal: bool },
    /// gguf-packer, for a platform.
    Packer(&'static str),
}

/// An image of one platform or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Image {
    Server(Subject),
    /// Docker's names of its platforms.
    Packer(Vec<&'static str>),
}

impl Of {
    /// Whether it has no shell by choice.
    pub fn is_minimal(&self) -> bool {
        matches!(self, Self::Server { minimal: true, .. })
    }

    pub(super) fn platform(&self) -> &'static str {
        match self {
            Self::Server { row, .. } => row.platform,
            Self::Packer(platform) => platform,
        }
    }

    /// The image of all platforms.
    pub(super) fn whole(&self) -> Image {
        match self {
            Self::Server { row, minimal } => {
                let toolkit = row.toolkit.map(str::to_owned);
                Image::Server(Subject { toolkit, minimal: *minimal, ..Subject::new(row.variant) })
            }
            Self::Packer(_) => Image::Packer(all_platforms()),
        }
    }

    pub(super) fn single(&self) -> Image {
        match self.whole() {
            Image::Server(subject) => {
                Image::Server(Subject { platforms: vec![self.platform()], ..subject })
            }
            Image::Packer(_) => Image::Packer(vec![self.platform()]),
        }
    }

    /// As in `cuda-12.8-amd64-minimal`.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Server { row, minimal } => {
                format!("{}{}", row.id(), if *minimal { "-minimal" } else { "" })
            }
            Self::Packer(platform) => {
                format!("{}-{}", PACKER, subject::architecture(platform))
            }
        }
    }
}

/// Docker's names of the platforms that gguf-packer is for.
fn all_platforms() -> Vec<&'static str> {
    Arch::ALL.map(|arch| arch.platform).to_vec()
}

impl Image {
    /// What [`super::Pushed`] means.
    ///
    /// # Errors
    /// When it names no variant.
    pub(super) fn read(pushed: &super::Pushed) -> Result<Self> {
        let of = |known: Vec<&'static str>| -> Vec<&'static str> {
            let is_own = |name: &&str| pushed.platforms.iter().any(|own| own == name);
            known.into_iter().filter(is_own).collect()
        };
        if pushed.variant == PACKER {
            return Ok(Self::Packer(of(all_platforms())));
        }
        let variant = Variant::parse(&pushed.variant)?;
        let (toolkit, platforms) = (pushed.toolkit.clone(), of(subject::platforms(variant)));
        let minimal = pushed.minimal;
        Ok(Self::Server(Subject { toolkit, minimal, platforms, ..Subject::new(variant) }))
    }

    pub(super) fn pushed(&self, digest: String) -> super::Pushed {
        let (variant, toolkit, minimal) = match self {
            Self::Server(subject) => {
                (subject.variant.to_string(), subject.toolkit.clone(), subject.minimal)
            }
            Self::Packer(_) => (PACKER.to_owned(), None, false),
        };
        let platforms = self.platforms().iter().map(|name| (*name).to_owned()).collect();
        super::Pushed { variant, toolkit, minimal, platforms, digest }
    }

    pub(super) fn platforms(&self) -> &[&'static str] {
        match self {
            Self::Server(subject) => &subject.platforms,
            Self::Packer(platforms) => platforms,
        }
    }

    /// Whether it is for every platform that there is.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Server(subject) => subject.is_whole(),
            Self::Packer(platforms) => *platforms == all_platforms(),
        }
    }

    /// The stage of its Dockerfile.
    pub(super) fn stage(&self) -> Option<&'static str> {
        if let Self::Server(subject) = self { Some(subject.stage()) } else { None }
    }

    /// The repositories that have names of it.
    pub(super) fn repositories(&self, release: &Release) -> Vec<String> {
        match self {
            Self::Server(subject) => release.naming().repositories(subject).to_vec(),
            Self::Packer(_) => vec![format!("{}/{}", release.registry, PACKER)],
        }
    }

    /// Every name, and how long it means the same image.
    pub(super) fn tags(&self, release: &Release) -> Vec<(String, tags::Kind)> {
        let naming = release.naming();
        match self {
            Self::Server(subject) => {
                let tags = naming.tags(subject, None).into_iter();
                tags.map(|tag| (tag.reference, tag.kind)).collect()
            }
            Self::Packer(platforms) => {
                let of_one = platforms.first().filter(|_| !self.is_whole());
                naming.packer_tags(of_one.map(|platform| subject::architecture(platform)))
            }
        }
    }

    pub(super) fn labels(&self, facts: &Facts<'_>) -> Vec<(String, String)> {
        match self {
            Self::Server(subject) => labels::labels(subject, facts),
            Self::Packer(_) => labels::of_packer(facts),
        }
    }
}
