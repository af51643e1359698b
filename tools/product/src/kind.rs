//! What a distribution is of: the server in one of its variants, or gguf-packer.

use anyhow::{Result, bail};

use crate::arch::Arch;
use crate::variant::{PACKER, Variant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Server(Variant),
    Packer,
}

impl Kind {
    /// What `name`, the `variant` of a manifest, stands for.
    ///
    /// # Errors
    /// When nothing is released by that name.
    pub fn parse(name: &str) -> Result<Self> {
        if name == PACKER {
            return Ok(Self::Packer);
        }
        let Ok(variant) = Variant::parse(name) else { bail!("nothing is released as `{name}`") };
        Ok(Self::Server(variant))
    }

    /// Where it exists.
    pub fn targets(self) -> Vec<&'static str> {
        match self {
            Self::Server(variant) => variant.targets(),
            Self::Packer => Arch::ALL.map(|arch| arch.target).to_vec(),
        }
    }

    /// Libraries that it may take from the system.
    pub fn allowed_needed(self) -> Vec<&'static str> {
        match self {
            Self::Server(variant) => variant.allowed_needed(),
            Self::Packer => Variant::Cpu.allowed_needed(),
        }
    }
}
