//! `llama-server`: upstream's `llama_server()` behind a Rust `main`. Arguments are passed on as
//! bytes, the exit code comes back as it is.

#[cfg(unix)]
mod command;
mod cpu;
mod defaults;
mod help;
mod leash;
#[cfg(target_os = "linux")]
mod memory;
mod sandbox;
mod settings;
#[cfg(unix)]
mod signals;

use std::ffi::{CStr, CString, OsString, c_char, c_int};

fn main() {
    // The first of all: a signal that comes before it is lost where this is process 1.
    #[cfg(unix)]
    signals::handle();
    #[cfg(not(target_os = "linux"))]
    cpu::check();
    settings::check();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    #[cfg(unix)]
    command::run(&args);
    if defaults::mean_help(&args) {
        args.push("--help".into());
    }
    let drain = settings::drain();
    if let Some(cpus) = defaults::cpus() {
        // SAFETY: no other thread has been started yet.
        #[expect(unsafe_code, reason = "upstream's part of this process reads it")]
        unsafe {
            std::env::set_var(defaults::CPUS_VARIABLE, cpus.to_string());
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(cache) = memory::cache() {
        // SAFETY: no other thread has been started yet.
        #[expect(unsafe_code, reason = "upstream's part of this process reads it")]
        unsafe {
            std::env::set_var(memory::VARIABLE, cache.to_string());
        }
    }
    #[cfg(unix)]
    defaults::raise_file_limit();
    #[cfg(target_os = "linux")]
    sandbox::refuse(&args);
    sandbox::lock(&args);
    if leash::is_asked_for() {
        // SAFETY: no other thread has been started yet.
        #[expect(unsafe_code, reason = "servers that this one starts must not read our input")]
        unsafe {
            std::env::remove_var(leash::VARIABLE);
        }
        leash::hold(drain);
    }
    let help = help::text(&args).map_or(std::ptr::null(), CStr::as_ptr);
    let strings: Vec<CString> = args.into_iter().map(into_c_string).collect();
    let mut pointers: Vec<*mut c_char> = strings.iter().map(|s| s.as_ptr().cast_mut()).collect();
    let count = c_int::try_from(pointers.len()).expect("an operating system's limit is far lower");
    pointers.push(std::ptr::null_mut());
    // SAFETY: `count` strings that end in zero, then a null pointer, as C's `main` gets them; both
    // vectors outlive the call; `help` is null or static. The shim is `noexcept`, so nothing unwinds into Rust.
    #[expect(unsafe_code, reason = "the call into upstream")]
    let code = unsafe { llama_server_main(count, pointers.as_mut_ptr(), help) };
    std::process::exit(code);
}

#[expect(unsafe_code, reason = "the function of shim.cpp")]
unsafe extern "C" {
    fn llama_server_main(argc: c_int, argv: *mut *mut c_char, help: *const c_char) -> c_int;
}

fn into_c_string(argument: OsString) -> CString {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStringExt::into_vec(argument);
    // Upstream reads the wide command line again on Windows; only the number of arguments counts.
    // https://github.com/ggml-org/llama.cpp/blob/b11549/common/arg.cpp#L1283-L1290
    #[cfg(not(unix))]
    let bytes = argument.to_string_lossy().into_owned().into_bytes();
    CString::new(bytes).expect("an argument of a process holds no zero byte")
}
