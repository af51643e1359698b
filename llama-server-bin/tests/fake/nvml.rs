//! A stand-in for NVIDIA's management library. `FAKE_GPUS` is the number of GPUs, or `broken`.

use std::ffi::{CStr, c_char, c_int, c_uint};

const DRIVER_NOT_LOADED: c_int = 9;

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> c_int {
    if gpus() == "broken" { DRIVER_NOT_LOADED } else { 0 }
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceGetCount_v2(count: &mut c_uint) -> c_int {
    *count = gpus().parse().expect("a number");
    0
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn nvmlErrorString(code: c_int) -> *const c_char {
    let text: &CStr = if code == DRIVER_NOT_LOADED { c"Driver Not Loaded" } else { c"Unknown" };
    text.as_ptr()
}

fn gpus() -> String {
    std::env::var("FAKE_GPUS").expect("set by the test")
}
