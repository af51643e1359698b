//! The language of a `GGUFPackerfile`: text becomes stages of typed instructions.

pub mod instruction;
