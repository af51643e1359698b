//! How the elements of a tensor are written: names, elements and bytes of a block, as in `ggml_type` and
//! `type_traits` of the pinned llama.cpp.

/// A `ggml_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorType(u32);

/// Number, name, elements of a block, bytes of a block.
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    // Gone from files in November 2024; still met in older ones, which llama.cpp refuses.
    (31, "Q4_0_4x4", 32, 18),
    (32, "Q4_0_4x8", 32, 18),
    (33, "Q4_0_8x8", 32, 18),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (36, "IQ4_NL_4x4", 32, 18),
    (37, "IQ4_NL_4x8", 32, 18),
    (38, "IQ4_NL_8x8", 32, 18),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
];

impl TensorType {
    /// 32-bit numbers.
    pub const F32: Self = Self(0);

    /// The type with this number, when it is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        TYPES.iter().any(|row| row.0 == number).then_some(Self(number))
    }

    /// The type with this name, in upper case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES.iter().find(|row| row.1 == name).map(|row| Self(row.0))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Its name, in upper case.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Elements and bytes of a block.
    #[must_use]
    pub fn block(self) -> (u64, u64) {
        (self.row().2, self.row().3)
    }

    fn row(self) -> &'static (u32, &'static str, u64, u64) {
        TYPES.iter().find(|row| row.0 == self.0).expect("only numbers of the table become a type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_number_and_by_name() {
        let q4_k = TensorType::from_number(12).unwrap();
        assert_eq!((q4_k.name(), q4_k.block()), ("Q4_K", (256, 144)));
        assert_eq!(TensorType::from_name("Q4_K"), Some(q4_k));
        assert_eq!(TensorType::from_number(4), None);
        assert_eq!(TensorType::from_number(43), None);
        for row in TYPES {
            assert_eq!(TensorType::from_name(row.1).unwrap().number(), row.0);
        }
    }

    #[test]
    fn blocks_have_the_bits_that_llama_cpp_says() {
        let bits = |name: &str| {
            let (elements, bytes) = TensorType::from_name(name).unwrap().block();
            bytes as f64 * 8.0 / elements as f64
        };
        for (name, expected) in [
            ("Q4_0", 4.5),
            ("Q8_0", 8.5),
            ("Q6_K", 6.5625),
            ("IQ2_XXS", 2.0625),
            ("IQ4_XS", 4.25),
            ("TQ1_0", 1.6875),
            ("MXFP4", 4.25),
            ("NVFP4", 4.5),
            ("Q1_0", 1.125),
        ] {
            assert!((bits(name) - expected).abs() < 1e-9, "{name}");
        }
    }
}
