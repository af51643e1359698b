//! The rules that [`lint`](super::lint::lint) looks at, and what each one wants.

use std::fmt;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Names of stages are lower case.
    StageNameCasing,
    /// `AS` is written as `FROM` is.
    FromAsCasing,
    /// No empty line between the lines of one instruction.
    NoEmptyContinuation,
    /// All instructions are upper case, or all are lower case.
    ConsistentInstructionCasing,
    /// Each stage has a name of its own.
    DuplicateStageName,
    /// No stage is called `scratch` or `context`.
    ReservedStageName,
    /// `FROM` uses variables that are declared before the first one.
    UndefinedArgInFrom,
    /// Variables are declared before they are used.
    UndefinedVar,
    /// One `CMD` in a stage.
    MultipleInstructionsDisallowed,
    /// `LABEL name=value`, not `LABEL name value`.
    LegacyKeyValueFormat,
    /// A base image is of the platform that is built for.
    InvalidBaseImagePlatform,
    /// No secret is a build argument.
    SecretsUsedInArgOrEnv,
    /// `FROM` names an image without any build argument too.
    InvalidDefaultArgInFrom,
    /// No file is copied that the ignore file keeps out.
    CopyIgnoredFile,
}

impl Rule {
    /// What it wants.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::StageNameCasing => "Stage names should be lowercase",
            Self::FromAsCasing => "The 'as' keyword should match the case of the 'from' keyword",
            Self::NoEmptyContinuation => {
                "Empty continuation lines will become errors in a future release"
            }
            Self::ConsistentInstructionCasing => "All commands should use the same casing",
            Self::DuplicateStageName => "Stage names should be unique",
            Self::ReservedStageName => "Reserved words should not be used as stage names",
            Self::UndefinedArgInFrom => "FROM command must use declared ARGs",
            Self::UndefinedVar => "Variables should be defined before their use",
            Self::MultipleInstructionsDisallowed => "A stage should have one CMD",
            Self::LegacyKeyValueFormat => "Labels should be written as key=value",
            Self::InvalidBaseImagePlatform => {
                "Base image platform should match the target platform"
            }
            Self::SecretsUsedInArgOrEnv => "Sensitive data should not be in ARG",
            Self::InvalidDefaultArgInFrom => "FROM should name an image without any build argument",
            Self::CopyIgnoredFile => "COPY should not name a file that the ignore file excludes",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
