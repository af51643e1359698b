//! What a processor must have to run a build that was compiled for one kind: what the compiler itself says of
//! the flags that it was given, `-march=native` among them.

use llama_src::sh::Cmd;

use crate::config::Config;
use crate::file_api::Codemodel;

/// A compiler's macro and the name of the same thing in [`Artifacts::cpu_needs`], which are those of Rust's
/// `is_x86_feature_detected!` and `is_aarch64_feature_detected!`.
///
/// [`Artifacts::cpu_needs`]: crate::Artifacts::cpu_needs
pub const NAMES: &[(&str, &str)] = &[
    ("__SSE3__", "sse3"),
    ("__SSSE3__", "ssse3"),
    ("__SSE4_1__", "sse4.1"),
    ("__SSE4_2__", "sse4.2"),
    ("__POPCNT__", "popcnt"),
    ("__AVX__", "avx"),
    ("__AVX2__", "avx2"),
    ("__FMA__", "fma"),
    ("__F16C__", "f16c"),
    ("__BMI__", "bmi1"),
    ("__BMI2__", "bmi2"),
    ("__LZCNT__", "lzcnt"),
    ("__AVX512F__", "avx512f"),
    ("__AVX512CD__", "avx512cd"),
    ("__AVX512VL__", "avx512vl"),
    ("__AVX512DQ__", "avx512dq"),
    ("__AVX512BW__", "avx512bw"),
    ("__AVX512VBMI__", "avx512vbmi"),
    ("__AVX512VNNI__", "avx512vnni"),
    ("__AVX512BF16__", "avx512bf16"),
    ("__AVXVNNI__", "avxvnni"),
    ("__AMX_TILE__", "amx-tile"),
    ("__AMX_INT8__", "amx-int8"),
    ("__ARM_FEATURE_DOTPROD", "dotprod"),
    ("__ARM_FEATURE_FP16_VECTOR_ARITHMETIC", "fp16"),
    ("__ARM_FEATURE_SVE", "sve"),
    ("__ARM_FEATURE_SVE2", "sve2"),
    ("__ARM_FEATURE_MATMUL_INT8", "i8mm"),
    ("__ARM_FEATURE_ATOMICS", "lse"),
];

/// What the build's one CPU backend needs; nothing where there are several to choose from, or where the
/// compiler is none that can be asked.
pub(crate) fn needs(model: &Codemodel, config: &Config) -> Vec<String> {
    let Ok(backend) = model.target("ggml-cpu") else { return Vec::new() };
    if config.target.is_msvc() || backend.cxx_flags.is_empty() {
        return Vec::new();
    }
    let ask = Cmd::new(&model.cxx).args(&backend.cxx_flags).args(["-dM", "-E", "-x", "c++"]);
    // Its standard input is empty, and MinGW's compiler knows no `/dev/null`.
    ask.arg("-").read().map(|macros| in_macros(&macros)).unwrap_or_default()
}

fn in_macros(text: &str) -> Vec<String> {
    let defined = |line: &str| line.strip_prefix("#define ")?.split(' ').next().map(str::to_owned);
    let macros: Vec<String> = text.lines().filter_map(defined).collect();
    let named = NAMES.iter().filter(|(name, _)| macros.iter().any(|known| known == name));
    named.map(|(_, feature)| (*feature).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_compiler_defines_is_what_is_needed() {
        let text =
            "#define __SSE2__ 1\n#define __AVX2__ 1\n#define __AVX__ 1\n#define __AVX512F__x 1\n";
        assert_eq!(in_macros(text), ["avx", "avx2"]);
        assert_eq!(in_macros("#define __ARM_FEATURE_SVE 1\n"), ["sve"]);
    }
}
