//! The type of most tensors of a file, by `general.file_type` (a `llama_ftype`) or by the tensors.

use std::collections::BTreeMap;

use super::{Header, TensorType};

/// Names by number. From 11 to 18 they are GGUF Packer's, which name two readings of the number at once; the
/// second is llama.cpp's. Beyond 18 the original names the wrong type, so these are llama.cpp's alone.
const NAMES: &[(u32, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (4, "Q4_1_F16"),
    (5, "Q4_2"),
    (6, "Q4_3"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K/Q3_K_S"),
    (12, "Q4_K/Q3_K_M"),
    (13, "Q5_K/Q3_K_L"),
    (14, "Q6_K/Q4_K_S"),
    (15, "IQ2_XXS/Q4_K_M"),
    (16, "IQ2_XS/Q5_K_S"),
    (17, "IQ3_XXS/Q5_K_M"),
    (18, "IQ1_S/Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
    (33, "Q4_0_4x4"),
    (34, "Q4_0_4x8"),
    (35, "Q4_0_8x8"),
    (36, "TQ1_0"),
    (37, "TQ2_0"),
    (38, "MXFP4_MOE"),
    (39, "NVFP4"),
    (40, "Q1_0"),
    (41, "Q2_0"),
];

/// What is said of a file whose type is not known.
const UNKNOWN: (u32, &str) = (1023, "Unknown");

/// The name of a `general.file_type`.
#[must_use]
pub fn file_type_name(number: u32) -> &'static str {
    // 1024 marks a guess of llama.cpp.
    NAMES.iter().find(|row| row.0 == number & !1024).map_or(UNKNOWN.1, |row| row.1)
}

/// A name of [`file_type_name`] as llama.cpp's quantizer has it alone.
#[must_use]
pub fn quantizer_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The `general.file_type` of `parts`, files of one model.
pub(super) fn file_type(parts: &[Header], diffusion: bool) -> u32 {
    let said = parts.iter().find_map(|header| header.number("general.file_type"));
    let said = said.and_then(|number| u32::try_from(number).ok());
    match said {
        Some(number) if file_type_name(number) != UNKNOWN.1 => number & !1024,
        _ => guess(parts, diffusion),
    }
}

fn guess(parts: &[Header], diffusion: bool) -> u32 {
    let mut counts = BTreeMap::<TensorType, usize>::new();
    for tensor in parts.iter().flat_map(|header| &header.tensors) {
        let name = &tensor.name;
        if if diffusion { name.ends_with(".weight") } else { name.starts_with("blk.") } {
            *counts.entry(tensor.kind).or_default() += 1;
        }
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    let mut names = kinds.iter().map(|(kind, _)| kind.name());
    let first = names.next();
    let rest: Vec<_> = names.collect();
    // Norms are F32 in every model.
    let first = if first == Some("F32") { rest.first().copied().or(first) } else { first };
    let name = match first {
        Some("Q3_K") if rest.first() == Some(&"Q4_K") => "Q4_K/Q3_K_M",
        Some("Q3_K") if rest.first() == Some(&"Q5_K") => "Q5_K/Q3_K_L",
        Some("Q3_K") => "Q3_K/Q3_K_S",
        Some("Q4_K") if rest.contains(&"Q6_K") => "IQ2_XXS/Q4_K_M",
        Some("Q4_K") => "Q6_K/Q4_K_S",
        Some("Q5_K") if rest.contains(&"Q6_K") => "IQ3_XXS/Q5_K_M",
        Some("Q5_K") => "IQ2_XS/Q5_K_S",
        Some("Q6_K") => "IQ1_S/Q6_K",
        Some("MXFP4") => "MXFP4_MOE",
        Some(name) => name,
        None => return UNKNOWN.0,
    };
    NAMES.iter().find(|row| row.1 == name).unwrap_or(&UNKNOWN).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::write::Writer;

    fn guessed(tensors: &[&str]) -> &'static str {
        let mut writer = Writer::default();
        for (at, kind) in tensors.iter().enumerate() {
            writer = writer.tensor(&format!("blk.{at}.w"), &[256], kind);
        }
        file_type_name(file_type(&[writer.header()], false))
    }

    #[test]
    fn names_are_those_of_the_document() {
        assert_eq!(file_type_name(15), "IQ2_XXS/Q4_K_M");
        assert_eq!(file_type_name(17), "IQ3_XXS/Q5_K_M");
        assert_eq!(file_type_name(1 | 1024), "F16");
        assert_eq!(file_type_name(19), "IQ2_XXS");
        assert_eq!(file_type_name(99), "Unknown");
        assert_eq!(quantizer_name(file_type_name(15)), "Q4_K_M");
        assert_eq!(quantizer_name("Q8_0"), "Q8_0");
    }

    #[test]
    fn the_file_says_its_type_or_its_tensors_do() {
        let said = Writer::default().u32("general.file_type", 7).tensor("blk.0.w", &[256], "F16");
        assert_eq!(file_type(&[said.header()], false), 7);
        assert_eq!(guessed(&["F32"]), "F32");
        assert_eq!(guessed(&["F32", "F32", "Q4_K", "Q6_K"]), "IQ2_XXS/Q4_K_M");
        assert_eq!(guessed(&["F32", "F32", "Q4_K"]), "Q6_K/Q4_K_S");
        assert_eq!(guessed(&["Q5_K", "Q5_K", "F32", "Q6_K"]), "IQ3_XXS/Q5_K_M");
        assert_eq!(guessed(&["F32", "IQ4_XS"]), "IQ4_XS");
        assert_eq!(guessed(&[]), "Unknown");
        let outside = Writer::default().tensor("output.weight", &[256], "Q8_0");
        assert_eq!(file_type(&[outside.header()], false), 1023);
        assert_eq!(file_type(&[outside.header()], true), 7);
    }
}
