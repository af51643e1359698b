//! What llama-server keeps of earlier prompts in the memory of the host: its cache of prompts, and checkpoints of
//! contexts that cannot step back. Both fill while the server works, so no plan of a start counts them.

use super::last_value;

/// Its options.
const NAMES: [&str; 2] = ["-cram", "--cache-ram"];

/// MiB without an option: `cache_ram_mib` of llama.cpp's `common_params`.
const DEFAULT: i64 = 8192;

/// What llama-server lets it take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptCache {
    /// At most so many MiB; with 0 there is none.
    UpTo(u64),
    /// As much as there is.
    Unlimited,
}

impl PromptCache {
    /// What the options of a server say, or else llama-server's default.
    #[must_use]
    pub fn of(options: &[String]) -> Self {
        let mib = Self::said(options).unwrap_or(DEFAULT);
        u64::try_from(mib).map_or(Self::Unlimited, Self::UpTo)
    }

    /// Whether the options say anything about it.
    #[must_use]
    pub fn is_said(options: &[String]) -> bool {
        Self::said(options).is_some()
    }

    /// What checkpoints may take besides: half as much (`vendor/patches/0055`).
    #[must_use]
    pub fn of_checkpoints(self) -> Self {
        match self {
            // Without a cache of prompts, half of what it would take.
            Self::UpTo(0) => Self::UpTo(DEFAULT.unsigned_abs() / 2),
            Self::UpTo(mib) => Self::UpTo(mib / 2),
            Self::Unlimited => Self::Unlimited,
        }
    }

    /// It in words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::UpTo(0) => "none".to_owned(),
            Self::UpTo(mib) => format!("up to {mib} MiB of RAM more, as it fills (--cache-ram)"),
            Self::Unlimited => "without a limit, as it fills (--cache-ram -1)".to_owned(),
        }
    }

    fn said(options: &[String]) -> Option<i64> {
        last_value(options, &NAMES)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> PromptCache {
        PromptCache::of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_option_says_how_much_it_may_take() {
        assert_eq!(of("-m x -cram 100 --cache-ram 512"), PromptCache::UpTo(512));
        assert_eq!(of("-cram 0"), PromptCache::UpTo(0));
        assert_eq!(of("--cache-ram -1"), PromptCache::Unlimited);
        assert_eq!(of("-m x"), PromptCache::UpTo(8192));
        assert!(of("-m x").words().contains("up to 8192 MiB of RAM more"));
    }

    #[test]
    fn checkpoints_may_take_half_as_much() {
        let checkpoints = |line| of(line).of_checkpoints();
        assert_eq!(checkpoints("-m x"), PromptCache::UpTo(4096));
        assert_eq!(checkpoints("-cram 0"), PromptCache::UpTo(4096));
        assert_eq!(checkpoints("-cram 512"), PromptCache::UpTo(256));
        assert_eq!(checkpoints("-cram -1"), PromptCache::Unlimited);
    }

    #[test]
    fn the_default_is_that_of_the_pin() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../vendor/llama.cpp/common/common.h");
        let page = std::fs::read_to_string(page).expect("first: cargo xtask vendor");
        let line = page.lines().find(|line| line.contains(" cache_ram_mib ")).unwrap();
        assert!(line.contains(&format!("= {DEFAULT};")), "{line}");
    }
}
