//! Types of files and of tensors that llama.cpp writes, and the names that are gone.

use super::suggest::nearest;

/// Types of files for `QUANTIZE`, without those that need an importance matrix: `QUANT_OPTIONS` of
/// llama.cpp's tools/quantize/quantize.cpp.
const FILES: [&str; 30] = [
    "Q4_K_M",
    "Q5_K_M",
    "Q8_0",
    "Q6_K",
    "Q4_K_S",
    "Q5_K_S",
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q2_K",
    "Q3_K",
    "Q3_K_S",
    "Q3_K_M",
    "Q3_K_L",
    "Q4_K",
    "Q5_K",
    "IQ3_S",
    "IQ3_M",
    "IQ4_NL",
    "IQ4_XS",
    "TQ1_0",
    "TQ2_0",
    "Q1_0",
    "Q2_0",
    "MXFP4_MOE",
    "F16",
    "BF16",
    "F32",
    "COPY",
];

/// Types of files in which llama.cpp refuses tensors without an importance matrix
/// (`tensor_requires_imatrix` and the mixtures of src/llama-quant.cpp).
const FILES_BY_MATRIX: [&str; 9] =
    ["IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_XS", "Q2_K_S"];

/// Those of [`FILES`] that stand for another one, and the one that stands for none.
const ALIASES: [&str; 4] = ["Q3_K", "Q4_K", "Q5_K", "COPY"];

/// Types of tensors that ggml can write: `ggml_quantize_chunk` of ggml.c.
const TENSORS: [&str; 28] = [
    "F32", "F16", "BF16", "Q1_0", "Q2_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4", "NVFP4",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "TQ1_0", "TQ2_0", "IQ1_S", "IQ1_M", "IQ2_XXS",
    "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS",
];

/// Types of files that `CONVERT` writes.
const CONVERTED: [&str; 6] = ["F32", "F16", "BF16", "Q8_0", "TQ1_0", "TQ2_0"];

/// Gone from llama.cpp: `Q4_0` is repacked when it is loaded.
const GONE: [&str; 3] = ["Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8"];

/// A type as llama.cpp spells it, upper case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    /// Whether it stands for one that is gone.
    pub(crate) replaced: bool,
}

/// The type of a file for `QUANTIZE`.
pub(crate) fn of_file(written: &str) -> Result<Type, String> {
    if gone(written) {
        return Ok(Type { name: "Q4_0", replaced: true });
    }
    find(written, FILES.iter().chain(&FILES_BY_MATRIX)).map(|name| Type { name, replaced: false })
}

/// All types of files for `QUANTIZE`, each by one name.
pub(crate) fn of_files() -> impl Iterator<Item = &'static str> {
    FILES.iter().chain(&FILES_BY_MATRIX).copied().filter(|name| !ALIASES.contains(name))
}

/// The type of a tensor for `QUANTIZE`.
pub(crate) fn of_tensor(written: &str) -> Result<Type, String> {
    if gone(written) {
        return Ok(Type { name: "Q4_0", replaced: true });
    }
    find(written, TENSORS.iter()).map(|name| Type { name, replaced: false })
}

/// The type of a file for `CONVERT`.
pub(crate) fn of_converted(written: &str) -> Result<&'static str, String> {
    let found = CONVERTED.iter().find(|name| name.eq_ignore_ascii_case(written));
    found.copied().ok_or_else(|| match of_file(written) {
        Ok(Type { name, .. }) => format!("CONVERT --type=F16, then QUANTIZE --type={name}"),
        Err(_) => format!("use one of {}", CONVERTED.join(", ")),
    })
}

/// Whether `QUANTIZE` to this type of file fails without an importance matrix. All tensors alike, an
/// `IQ3_XS` has only tensors that do without.
pub(crate) fn needs_matrix(file: &str, pure: bool) -> bool {
    FILES_BY_MATRIX.contains(&file) && !(pure && file == "IQ3_XS")
}

fn gone(written: &str) -> bool {
    GONE.iter().any(|name| name.eq_ignore_ascii_case(written))
}

/// The name, or what to write instead.
fn find(
    written: &str,
    known: impl Iterator<Item = &'static &'static str> + Clone,
) -> Result<&'static str, String> {
    let found = known.clone().find(|name| name.eq_ignore_ascii_case(written));
    found.copied().ok_or_else(|| match nearest(written, known.clone().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of {}", known.copied().collect::<Vec<_>>().join(", ")),
    })
}
