//! `gguf-packer`: the command line, and llama.cpp in processes of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    if std::env::args_os().nth(1).is_some_and(|word| word == gguf_packer::STEP) {
        return gguf_packer::cli::step();
    }
    #[cfg(feature = "quantize")]
    match std::env::args_os().nth(1) {
        Some(word) if word == gguf_packer::QUANTIZER => return upstream::quantize(),
        Some(word) if word == gguf_packer::PLANNER => return upstream::plan(),
        Some(word) if word == gguf_packer::COMPARER => {
            die_with_parent();
            let task = std::env::args_os().nth(2).and_then(|task| task.into_string().ok());
            return gguf_packer::compare::child(task);
        }
        _ => {}
    }
    gguf_packer::cli::main()
}

/// Who asked for this process may be killed; nobody wants its result then.
#[cfg(feature = "quantize")]
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// What runs in a child: an abort of llama.cpp's is then an error message of ours.
#[cfg(feature = "quantize")]
mod upstream {
    use std::ffi::{CString, OsString, c_char, c_int};
    use std::process::ExitCode;

    // What upstream's function needs is linked in by the build script; this names the package that built it.
    use llama_sys as _;

    /// One of upstream's `main` functions, which the shim has made `noexcept`: nothing unwinds into Rust.
    type Main = unsafe extern "C" fn(c_int, *mut *mut c_char) -> c_int;

    pub(crate) fn quantize() -> ExitCode {
        run("llama-quantize", llama_quantize_main)
    }

    pub(crate) fn plan() -> ExitCode {
        #[cfg(target_os = "linux")]
        limit_memory();
        run("llama-server", llama_estimate_main)
    }

    /// A context is described by its cells, so a small file that claims a large one would take gigabytes; ten million
    /// tokens stay far below. Drivers of real devices map what they like.
    #[cfg(target_os = "linux")]
    fn limit_memory() {
        use rustix::process::{Resource, Rlimit, setrlimit};
        const MOST: u64 = 2 << 30;
        let mut own = std::env::args_os().skip(2).take_while(|word| word != "--");
        if own.all(|word| word != "--real") {
            // Where it is refused, a stricter one holds.
            let _ = setrlimit(Resource::Data, Rlimit { current: Some(MOST), maximum: Some(MOST) });
        }
    }

    fn run(name: &str, main: Main) -> ExitCode {
        super::die_with_parent();
        let words = std::iter::once(OsString::from(name)).chain(std::env::args_os().skip(2));
        let strings: Vec<CString> = words.map(into_c_string).collect();
        let mut pointers: Vec<*mut c_char> =
            strings.iter().map(|string| string.as_ptr().cast_mut()).collect();
        let count =
            c_int::try_from(pointers.len()).expect("an operating system's limit is far lower");
        pointers.push(std::ptr::null_mut());
        // SAFETY: `count` strings that end in zero, then a null pointer, as C's `main` gets them; both vectors
        // outlive the call.
        #[expect(unsafe_code, reason = "the call into upstream")]
        let code = unsafe { main(count, pointers.as_mut_ptr()) };
        ExitCode::from(u8::from(code != 0))
    }

    #[expect(unsafe_code, reason = "the functions of shim.cpp")]
    unsafe extern "C" {
        fn llama_quantize_main(argc: c_int, argv: *mut *mut c_char) -> c_int;
        fn llama_estimate_main(argc: c_int, argv: *mut *mut c_char) -> c_int;
    }

    fn into_c_string(argument: OsString) -> CString {
        #[cfg(unix)]
        let bytes = std::os::unix::ffi::OsStringExt::into_vec(argument);
        #[cfg(not(unix))]
        let bytes = argument.to_string_lossy().into_owned().into_bytes();
        CString::new(bytes).expect("an argument of a process holds no zero byte")
    }
}
