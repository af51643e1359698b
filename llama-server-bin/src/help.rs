//! What `llama-server --help` says behind upstream's options: the variables that this build adds.

use std::ffi::{CStr, OsString};

/// In the form of upstream's help. A test compares the names with those in `docs/production.md`.
const TEXT: &CStr = c"

----- of this build, as environment variables -----

LLAMA_SERVER_DRAIN=SECONDS              time that running requests have after SIGTERM (default: 0)
LLAMA_SERVER_SANDBOX=1                  restrict this process to its model and its port; `require` ends the
                                        server if the kernel cannot (Linux; default: 0)
LLAMA_SERVER_SANDBOX_READ=PATH:PATH     what else the sandbox lets the server read
LLAMA_SERVER_SANDBOX_WRITE=PATH:PATH    what else the sandbox lets the server write
LLAMA_SERVER_CPUS=N                     number of processors that bounds the default of --threads (default:
                                        those that quotas and affinity leave)
LLAMA_SERVER_CACHE_RAM=MIB              bounds the default of --cache-ram (default: an eighth of the memory limit
                                        of a container)
LLAMA_SERVER_OPEN_METRICS=1             GET /metrics needs no API key (default: 0)
LLAMA_SERVER_KEEP_ALIVE=SECONDS         time that an idle connection waits for its next request (default: 150;
                                        0 closes each after its answer)
LLAMA_SERVER_ACCESS_LOG=1               log a line for each request that is done (default: 0)
LLAMA_SERVER_RPC_WAIT=SECONDS           time that the server waits for the workers of --rpc (default: 60)
LLAMA_HEALTHCHECK_STALL=SECONDS         GET /health answers 503 if work waits and none was completed for longer
                                        (default: 0, never)
LLAMA_SERVER_NEEDS_MODEL=1              without a model print this help (default: 0; 1 in images)
LLAMA_SERVER_COMMANDS=1                 run the program that the first argument names, such as bash
                                        (default: 0; 1 in images)
";

/// The text if these words of a command line ask for the help.
pub(crate) fn text(args: &[OsString]) -> Option<&'static CStr> {
    let asks = |arg: &OsString| ["-h", "--help", "--usage"].iter().any(|option| arg == option);
    args.iter().skip(1).any(asks).then_some(TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_for_help_gets_it() {
        let args = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(text(&args(&["llama-server", "-m", "x", "--help"])).is_some());
        assert!(text(&args(&["llama-server", "--version"])).is_none());
        assert!(text(&args(&["--help"])).is_none());
    }
}
