//! Whether this processor has what llama.cpp was compiled for. It is asked before any code of llama.cpp
//! runs, which would end in an illegal instruction and not say why.

/// What the build needs besides what every processor of its architecture has.
const NEEDS: Option<&str> = option_env!("LLAMA_SERVER_CPU_NEEDS");

/// The loader calls it before the initializers of C++'s static variables, some of which are compiled for newer
/// processors too.
#[cfg(target_os = "linux")]
#[used]
#[expect(unsafe_code, reason = "a section whose name the loader knows")]
#[unsafe(link_section = ".preinit_array")]
static FIRST: extern "C" fn() = check;

/// Ends with a sentence where the processor is too old for this build.
pub(crate) extern "C" fn check() {
    let missing = missing(NEEDS.unwrap_or_default(), has);
    if !missing.is_empty() {
        eprintln!("{}", sentence(&missing));
        std::process::exit(1);
    }
}

fn missing(needs: &str, has: impl Fn(&str) -> bool) -> Vec<&str> {
    needs.split_whitespace().filter(|name| !has(name)).collect()
}

fn sentence(missing: &[&str]) -> String {
    format!(
        "error: this llama-server was built for newer processors: this one lacks {}\n  hint: \
        build a server for all processors: cargo build --release --features cpu-all-variants",
        missing.join(", ")
    )
}

/// By the names of `llama_build::cpu`.
#[cfg(target_arch = "x86_64")]
fn has(name: &str) -> bool {
    use std::is_x86_feature_detected as detected;
    match name {
        "sse3" => detected!("sse3"),
        "ssse3" => detected!("ssse3"),
        "sse4.1" => detected!("sse4.1"),
        "sse4.2" => detected!("sse4.2"),
        "popcnt" => detected!("popcnt"),
        "avx" => detected!("avx"),
        "avx2" => detected!("avx2"),
        "fma" => detected!("fma"),
        "f16c" => detected!("f16c"),
        "bmi1" => detected!("bmi1"),
        "bmi2" => detected!("bmi2"),
        "lzcnt" => detected!("lzcnt"),
        "avx512f" => detected!("avx512f"),
        "avx512cd" => detected!("avx512cd"),
        "avx512vl" => detected!("avx512vl"),
        "avx512dq" => detected!("avx512dq"),
        "avx512bw" => detected!("avx512bw"),
        "avx512vbmi" => detected!("avx512vbmi"),
        "avx512vnni" => detected!("avx512vnni"),
        "avx512bf16" => detected!("avx512bf16"),
        // Not every Rust that builds this can be asked for these.
        "avxvnni" => kernel_names("avx_vnni"),
        "amx-tile" => kernel_names("amx_tile"),
        "amx-int8" => kernel_names("amx_int8"),
        _ => true,
    }
}

/// By the names of `llama_build::cpu`.
#[cfg(target_arch = "aarch64")]
fn has(name: &str) -> bool {
    use std::arch::is_aarch64_feature_detected as detected;
    match name {
        "dotprod" => detected!("dotprod"),
        "fp16" => detected!("fp16"),
        "sve" => detected!("sve"),
        "sve2" => detected!("sve2"),
        "i8mm" => detected!("i8mm"),
        "lse" => detected!("lse"),
        _ => true,
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has(_: &str) -> bool {
    true
}

/// Whether the kernel has `name` among the processor's flags; where it tells nothing nobody is stopped.
#[cfg(target_arch = "x86_64")]
fn kernel_names(name: &str) -> bool {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags"));
    flags.is_none_or(|flags| flags.split_whitespace().any(|flag| flag == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_is_too_old_is_told_what_it_lacks() {
        let old = |name: &str| ["sse4.2", "popcnt"].contains(&name);
        assert_eq!(missing("sse4.2 avx popcnt avx2", old), ["avx", "avx2"]);
        assert!(missing("sse4.2 popcnt", old).is_empty());
        assert_eq!(
            sentence(&["avx", "avx2"]),
            "error: this llama-server was built for newer processors: this one lacks avx, avx2\n  \
            hint: build a server for all processors: cargo build --release --features \
            cpu-all-variants"
        );
    }

    #[test]
    fn what_has_no_name_here_stops_nobody() {
        assert!(has("a feature of tomorrow"));
    }
}
