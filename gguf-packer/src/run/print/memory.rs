//! How much memory a manifest asks for: what llama.cpp's planner says of a host without a GPU, since no manifest asks
//! for one, and what llama-server keeps of earlier prompts.

use super::Planned;
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
    /// For a server with `args` that needs what is `planned`; if nobody can plan it, by the bytes of the weights.
    pub(super) fn of(planned: Result<Planned, Error>, weights: u64, args: &[String]) -> Self {
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
            Ok(planned) => (planned.bytes + checkpoints(planned, cache), ROOM),
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

/// Bytes of checkpoints beside a prompt cache of `cache` MiB. Without one the server takes half of what it would take
/// by default: an eighth of the limit.
fn checkpoints(planned: Planned, cache: u64) -> u64 {
    match (planned.checkpoints, cache) {
        (false, _) => 0,
        (true, 0) => planned.bytes / 16,
        (true, mib) => (mib << 20) / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: Result<u64, Error>, line: &str) -> Memory {
        memory(bytes.map(|bytes| Planned { bytes, checkpoints: false }), line)
    }

    fn memory(planned: Result<Planned, Error>, line: &str) -> Memory {
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
    fn checkpoints_are_in_the_limit_too() {
        let of = |line| memory(Ok(Planned { bytes: 16 * GIB, checkpoints: true }), line);
        assert_eq!((of("-m x").request, of("-m x").limit), (18, 19));
        assert_eq!(of("-cram 8192").request, 28);
        assert_eq!(of("-cram 0").request, 17);
    }

    #[test]
    fn without_a_plan_the_weights_count_twice() {
        let memory = of(Err(Error::new("unknown model architecture")), "-m x");
        assert_eq!((memory.request, memory.limit), (7, 13));
        assert!(memory.notes[0].ends_with("(unknown model architecture)"), "{:?}", memory.notes);
    }
}
