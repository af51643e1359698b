//! How much memory a manifest asks for: what llama.cpp's planner says of a host without a GPU, since no manifest asks
//! for one, and llama-server's prompt cache.

use crate::Error;
use crate::image::command::PromptCache;

const GIB: u64 = 1 << 30;

/// MiB of the prompt cache if no argument says how much. llama-server would take 8192.
const CACHE: u64 = 1024;

/// GiB between what is asked for and the limit, for requests and for `/tmp`.
const ROOM: u64 = 1;

/// Memory of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    /// GiB that it needs.
    pub(super) request: u64,
    /// GiB at which the system ends it.
    pub(super) limit: u64,
    /// MiB for `LLAMA_ARG_CACHE_RAM`, unless the arguments have the option.
    pub(super) cache: Option<u64>,
    /// What a person should know about it.
    pub(super) notes: Vec<String>,
}

impl Memory {
    /// For a server with `args`, with `planned` bytes besides the prompt cache; if nobody can plan them, by the bytes
    /// of the weights.
    pub(super) fn of(planned: Result<u64, Error>, weights: u64, args: &[String]) -> Self {
        let mut notes = Vec::new();
        let said = PromptCache::is_said(args).then(|| PromptCache::of(args));
        let cache = match said {
            Some(PromptCache::UpTo(mib)) => mib,
            Some(PromptCache::Unlimited) => {
                notes.push(
                    "the prompt cache has no limit (`--cache-ram -1`), so it can exceed the memory \
                     of the manifest; to bound it: -- --cache-ram 1024"
                        .to_owned(),
                );
                CACHE
            }
            None => CACHE,
        };
        let (bytes, room) = match planned {
            Ok(bytes) => (bytes, ROOM),
            Err(error) => {
                notes.push(format!(
                    "the memory of the manifest follows the size of the weights only, so check it \
                     ({})",
                    error.what()
                ));
                let twice = weights.div_ceil(GIB).max(1) + 1;
                (twice * GIB, twice)
            }
        };
        let request = bytes.saturating_add(cache << 20).div_ceil(GIB).max(1);
        let cache = said.is_none().then_some(cache);
        Self { request, limit: request + room, cache, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(planned: Result<u64, Error>, line: &str) -> Memory {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Memory::of(planned, 5 * GIB, &args)
    }

    #[test]
    fn a_long_context_and_the_prompt_cache_are_in_the_limit() {
        let memory = of(Ok(22 * GIB), "-m x");
        assert_eq!((memory.request, memory.limit, memory.cache), (23, 24, Some(1024)));
        assert!(memory.notes.is_empty());
    }

    #[test]
    fn a_prompt_cache_of_the_arguments_is_counted_as_it_is() {
        let memory = of(Ok(2 * GIB), "-m x -cram 8192");
        assert_eq!((memory.request, memory.limit, memory.cache), (10, 11, None));
        let memory = of(Ok(2 * GIB), "--cache-ram 0");
        assert_eq!((memory.request, memory.limit, memory.cache), (2, 3, None));
        let memory = of(Ok(GIB), "--cache-ram -1");
        assert_eq!((memory.limit, memory.notes.len()), (3, 1));
    }

    #[test]
    fn without_a_plan_the_weights_count_twice() {
        let memory = of(Err(Error::new("unknown model architecture")), "-m x");
        assert_eq!((memory.request, memory.limit), (7, 13));
        assert!(memory.notes[0].ends_with("(unknown model architecture)"), "{:?}", memory.notes);
    }
}
