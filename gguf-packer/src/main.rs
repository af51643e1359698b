//! `gguf-packer`: the command line, and llama.cpp in processes of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "quantize")]
    {
        let word = std::env::args_os().nth(1);
        if word.as_ref().is_some_and(|word| word == gguf_packer::QUANTIZER) {
            return quantizer::run();
        }
        if word.as_ref().is_some_and(|word| word == gguf_packer::COMPARER) {
            die_with_parent();
            let task = std::env::args_os().nth(2).and_then(|task| task.into_string().ok());
            return gguf_packer::compare::child(task);
        }
    }
    gguf_packer::cli::main()
}

/// Who asked for this process may be killed; nobody wants its result then.
#[cfg(feature = "quantize")]
fn die_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// What runs in a child: an abort of the quantizer's is then an error message of ours.
#[cfg(feature = "quantize")]
mod quantizer {
    use std::ffi::{CString, OsString, c_char, c_int};
    use std::process::ExitCode;

    // What upstream's function needs is linked in by the build script; this names the package that built it.
    use llama_sys as _;

    pub(crate) fn run() -> ExitCode {
        super::die_with_parent();
        let name = OsString::from("llama-quantize");
        let words = std::iter::once(name).chain(std::env::args_os().skip(2));
        let strings: Vec<CString> = words.map(into_c_string).collect();
        let mut pointers: Vec<*mut c_char> =
            strings.iter().map(|string| string.as_ptr().cast_mut()).collect();
        let count =
            c_int::try_from(pointers.len()).expect("an operating system's limit is far lower");
        pointers.push(std::ptr::null_mut());
        // SAFETY: `count` strings that end in zero, then a null pointer, as C's `main` gets them; both vectors
        // outlive the call. The shim is `noexcept`, so nothing unwinds into Rust.
        #[expect(unsafe_code, reason = "the call into upstream")]
        let code = unsafe { llama_quantize_main(count, pointers.as_mut_ptr()) };
        ExitCode::from(u8::from(code != 0))
    }

    #[expect(unsafe_code, reason = "the function of shim.cpp")]
    unsafe extern "C" {
        fn llama_quantize_main(argc: c_int, argv: *mut *mut c_char) -> c_int;
    }

    fn into_c_string(argument: OsString) -> CString {
        #[cfg(unix)]
        let bytes = std::os::unix::ffi::OsStringExt::into_vec(argument);
        #[cfg(not(unix))]
        let bytes = argument.to_string_lossy().into_owned().into_bytes();
        CString::new(bytes).expect("an argument of a process holds no zero byte")
    }
}
