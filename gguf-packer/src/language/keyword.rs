//! The nine instructions and their flags.

use super::source::{Problem, Source};
use super::suggest::nearest;

/// An instruction's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Add,
    Arg,
    Cat,
    Cmd,
    Convert,
    Copy,
    From,
    Label,
    Quantize,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagKind {
    /// Nothing, or `true` or `false`.
    Switch,
    /// One value.
    One,
    /// A value each time it is given.
    Many,
}

use FlagKind::{Many, One, Switch};

const ALL: [(Keyword, &str); 9] = [
    (Keyword::Add, "ADD"),
    (Keyword::Arg, "ARG"),
    (Keyword::Cat, "CAT"),
    (Keyword::Cmd, "CMD"),
    (Keyword::Convert, "CONVERT"),
    (Keyword::Copy, "COPY"),
    (Keyword::From, "FROM"),
    (Keyword::Label, "LABEL"),
    (Keyword::Quantize, "QUANTIZE"),
];

/// What Docker has besides.
const FOREIGN: [&str; 12] = [
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl Keyword {
    pub(super) fn named(written: &str) -> Option<Self> {
        let found = ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(written));
        found.map(|(keyword, _)| *keyword)
    }

    pub(super) fn name(self) -> &'static str {
        let found = ALL.iter().find(|(keyword, _)| *keyword == self);
        found.map(|(_, name)| *name).expect("each keyword is in the list")
    }

    pub(super) fn takes_heredocs(self) -> bool {
        matches!(self, Self::Add | Self::Cat | Self::Copy)
    }

    pub(super) fn takes_lists(self) -> bool {
        !matches!(self, Self::Arg | Self::From | Self::Label)
    }

    fn flags(self) -> &'static [(&'static str, FlagKind)] {
        match self {
            Self::Add => &[
                ("checksum", One),
                ("chmod", One),
                ("chown", One),
                ("exclude", Many),
                ("keep-git-dir", Switch),
                ("link", Switch),
            ],
            Self::Convert => &[("base", One), ("class", One), ("from", One), ("type", One)],
            Self::Copy => &[
                ("chmod", One),
                ("chown", One),
                ("exclude", Many),
                ("from", One),
                ("link", Switch),
                ("parents", Switch),
            ],
            Self::From => &[("platform", One)],
            Self::Quantize => &[
                ("exclude-weights", Many),
                ("from", One),
                ("imatrix", One),
                ("include-weights", Many),
                ("leave-output-tensor", Switch),
                ("output-tensor-type", One),
                ("pure", Switch),
                ("tensor-type", Many),
                ("token-embedding-type", One),
                ("type", One),
            ],
            Self::Arg | Self::Cat | Self::Cmd | Self::Label => &[],
        }
    }

    pub(super) fn flag(self, name: &str) -> Option<(&'static str, FlagKind)> {
        self.flags().iter().find(|(known, _)| *known == name).copied()
    }

    /// What is wrong with a flag, and what to write.
    pub(super) fn unknown_flag(self, written: &str) -> (String, String) {
        let names = self.flags().iter().map(|(name, _)| *name);
        let hint = match (nearest(written, names.clone()), self.flags().is_empty()) {
            (Some(name), _) => format!("did you mean `--{name}`?"),
            (None, true) => format!("{} has no flags", self.name()),
            (None, false) => {
                let names: Vec<String> = names.map(|name| format!("--{name}")).collect();
                format!("flags of {}: {}", self.name(), names.join(", "))
            }
        };
        (format!("unknown flag `--{written}` for {}", self.name()), hint)
    }

    /// Says that `written` is no instruction.
    pub(super) fn unknown(source: &Source, at: usize, written: &str) -> Problem {
        let names: Vec<&str> = ALL.iter().map(|(_, name)| *name).collect();
        let all = format!("use one of {}", names.join(", "));
        if FOREIGN.iter().any(|name| name.eq_ignore_ascii_case(written)) {
            let what = format!(
                "{} is not supported: the build of a model runs no commands",
                written.to_uppercase()
            );
            return source.problem(at, what).hint(all);
        }
        let problem = source.problem(at, format!("unknown instruction `{written}`"));
        match nearest(written, names.iter().copied()) {
            Some(name) => problem.hint(format!("did you mean `{name}`?")),
            None => problem.hint(all),
        }
    }
}
