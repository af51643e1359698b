//! What SIGTERM and SIGINT do until llama.cpp has handlers of its own: the process ends at once and well. Without a
//! handler the first process of a container would not hear them while a model is downloaded and loaded.

use std::ffi::c_int;

/// Set by a router for the servers that it starts.
const ROUTER: &str = "LLAMA_SERVER_ROUTER_PORT";

/// Installs the handlers. A router's child ignores both: its router tells it when to end.
pub(crate) fn handle() {
    #[expect(clippy::disallowed_methods, reason = "a message from the router, not a build setting")]
    let is_child = std::env::var_os(ROUTER).is_some();
    let handler = if is_child { go_on } else { end };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: both handlers do only what is allowed in one. Unlike `SIG_IGN` a handler is not handed
        // down to the programs that this one starts.
        #[expect(unsafe_code, reason = "the standard library knows no signals")]
        unsafe {
            libc::signal(signal, handler as *const () as libc::sighandler_t);
        }
    }
}

extern "C" fn end(_: c_int) {
    // SAFETY: allowed in a signal handler; nothing is flushed, and what was downloaded is resumed.
    #[expect(unsafe_code, reason = "`std::process::exit` takes locks")]
    unsafe {
        libc::_exit(0)
    }
}

extern "C" fn go_on(_: c_int) {}
