//! Values that several commands take on their command lines, as parsers of clap's: variants, and paths that stay true
//! in other folders.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use crate::variant::Variant;

/// The word for every variant.
const ALL: &str = "all";

/// What one word of a list of variants means: one of them, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants(pub Vec<Variant>);

impl Variants {
    /// Whether it is a list of all.
    pub fn is_all(&self) -> bool {
        self.0.len() > 1
    }
}

/// `variants`, each once, in the order in which they are named first.
pub fn once(variants: impl IntoIterator<Item = Variant>) -> Vec<Variant> {
    let mut once = Vec::new();
    for variant in variants {
        if !once.contains(&variant) {
            once.push(variant);
        }
    }
    once
}

/// A variant that `wanted` accepts.
pub fn variant(wanted: fn(Variant) -> bool) -> impl TypedValueParser<Value = Variant> {
    let names = Variant::ALL.into_iter().filter(|variant| wanted(*variant)).map(Variant::name);
    PossibleValuesParser::new(names).try_map(|name| Variant::parse(&name))
}

/// A variant, or `all`.
pub fn variants() -> impl TypedValueParser<Value = Variants> {
    let names = Variant::ALL.map(Variant::name).into_iter().chain([ALL]);
    PossibleValuesParser::new(names).try_map(|name| match name.as_str() {
        ALL => Ok(Variants(Variant::ALL.to_vec())),
        name => Variant::parse(name).map(|one| Variants(vec![one])),
    })
}

/// A path that means the same wherever a program is started.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(std::path::absolute)
}
