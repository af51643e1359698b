//! The language of a `GGUFPackerfile`: text becomes stages of typed instructions.
//!
//! [`find`] says which file is read, [`parse`] reads it, [`resolve`] gives variables their values and
//! leaves the stages that a target needs, [`lint`](lint::lint) says what could be better.

mod call;
mod directives;
mod fault;
mod files;
pub mod find;
mod glob;
mod heads;
pub mod ignore;
pub mod instruction;
mod keyword;
mod lexer;
pub mod lint;
mod list;
pub(crate) mod mode;
mod model;
pub mod outline;
mod redacted;
mod rule;
mod scope;
mod script;
mod settings;
mod source;
mod stages;
mod state;
mod statement;
mod suggest;
mod text;
pub(crate) mod types;
mod variables;
mod walk;
mod words;

pub use directives::Check;
pub use script::{Script, parse};
pub use settings::Settings;
pub use source::{Errors, Problem, Warning};
pub use stages::{Resolved, resolve};

#[cfg(test)]
#[path = "language/fuzz_tests.rs"]
mod fuzz;
