//! Opening shared libraries, NVIDIA's among them.

#![expect(unsafe_code, reason = "the calls into the loader and into NVML")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

/// Every symbol at once: a library that lacks one does not open.
const RTLD_NOW: c_int = 2;
/// NVIDIA's management library; the driver brings it, and it creates no context on a GPU.
const NVML: &str = "libnvidia-ml.so.1";

// The standard library links libc, where these are.
unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

/// Opens the library at `path` with all that it needs. It stays open.
///
/// # Errors
/// What the loader says.
pub(crate) fn open(path: &Path) -> Result<(), String> {
    handle(path).map(|_| ())
}

/// How many GPUs NVIDIA's driver shows, without a context on any of them.
///
/// # Errors
/// Why there is none.
pub(crate) fn nvidia_gpus() -> Result<u32, String> {
    let library =
        handle(Path::new(NVML)).map_err(|_| format!("NVIDIA driver not found ({NVML})"))?;
    let symbol = |name: &CStr| {
        let address = symbol(library, name);
        address.ok_or_else(|| format!("{NVML} has no {}", name.to_string_lossy()))
    };
    let (start, count) = (symbol(c"nvmlInit_v2")?, symbol(c"nvmlDeviceGetCount_v2")?);
    let (stop, describe) = (symbol(c"nvmlShutdown")?, symbol(c"nvmlErrorString")?);
    type Call = unsafe extern "C" fn() -> c_int;
    type Count = unsafe extern "C" fn(*mut c_uint) -> c_int;
    type Describe = unsafe extern "C" fn(c_int) -> *const c_char;
    // SAFETY: these are the functions' types in nvml.h, where they have not changed since `_v2`.
    let (start, count, stop, describe) = unsafe {
        (
            std::mem::transmute::<NonNull<c_void>, Call>(start),
            std::mem::transmute::<NonNull<c_void>, Count>(count),
            std::mem::transmute::<NonNull<c_void>, Call>(stop),
            std::mem::transmute::<NonNull<c_void>, Describe>(describe),
        )
    };
    let check = |code: c_int| match code {
        0 => Ok(()),
        // SAFETY: takes any number, gives a string that stays.
        code => Err(format!("the NVIDIA driver reports `{}`", text(unsafe { describe(code) }))),
    };
    let mut number = 0;
    // SAFETY: called in the order that nvml.h asks for; `number` outlives the call.
    unsafe {
        check(start())?;
        let counted = check(count(&mut number));
        stop();
        counted?;
    }
    Ok(number)
}

/// What `library` calls `name`.
pub(crate) fn symbol(library: NonNull<c_void>, name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the library is open and is never closed; the name ends in zero.
    NonNull::new(unsafe { dlsym(library.as_ptr(), name.as_ptr()) })
}

/// The open library at `path`, or of this name.
///
/// # Errors
/// What the loader says.
pub(crate) fn handle(path: &Path) -> Result<NonNull<c_void>, String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the name ends in zero. What the library runs when it is opened is what llama-server would
    // run; these are its own libraries and the driver's.
    let library = NonNull::new(unsafe { dlopen(name.as_ptr(), RTLD_NOW) });
    // SAFETY: the last error of this thread; the text is copied before the next call.
    library.ok_or_else(|| text(unsafe { dlerror() }))
}

/// The C string at `text`, which is null or ends in zero.
fn text(text: *const c_char) -> String {
    if text.is_null() {
        return "unknown error".to_owned();
    }
    // SAFETY: not null, and C strings end in zero.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_opens_or_the_loader_says_why() {
        // Every program has it already.
        assert_eq!(open(Path::new("libc.so.6")), Ok(()));
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = open(file.path()).unwrap_err();
        assert_eq!(error, format!("{}: file too short", file.path().display()));
        assert_eq!(text(std::ptr::null()), "unknown error");
    }
}
