//! llama-server's cache of prompts in the memory of the host. It fills while the server works, so no plan of a start
//! counts it.

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

    /// The line below the table.
    pub(crate) fn line(self) -> String {
        match self {
            Self::UpTo(0) => "PROMPT CACHE: none".to_owned(),
            Self::UpTo(mib) => {
                format!("PROMPT CACHE: up to {mib} MiB of RAM more, as it fills (--cache-ram)")
            }
            Self::Unlimited => {
                "PROMPT CACHE: without a limit, as it fills (--cache-ram -1)".to_owned()
            }
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
        assert!(of("-m x").line().contains("up to 8192 MiB of RAM more"));
    }

    #[test]
    fn the_default_is_that_of_the_pin() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../vendor/llama.cpp/common/common.h");
        let page = std::fs::read_to_string(page).expect("first: cargo xtask vendor");
        let line = page.lines().find(|line| line.contains(" cache_ram_mib ")).unwrap();
        assert!(line.contains(&format!("= {DEFAULT};")), "{line}");
    }
}
