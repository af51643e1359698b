//! Numbers of 16 and 8 bits, as numpy and gguf-py write them.

use super::*;

/// Bits of numbers, and what numpy 2.2.6 makes of them with `astype(float16)` and gguf-py with `BF16.quantize`.
const ROUNDED: &[(u32, u16, u16)] = &[
    (0x7f80_0001, 0x7c01, 0x7fc0),
    (0x7fa0_0000, 0x7d00, 0x7fe0),
    (0x7fc0_0001, 0x7e00, 0x7fc0),
    (0xff80_1234, 0xfc01, 0xffc0),
    (0x7f80_0000, 0x7c00, 0x7f80),
    (0x4780_0000, 0x7c00, 0x4780),
    (0x477f_efff, 0x7bff, 0x4780),
    (0x477f_f000, 0x7c00, 0x4780),
    (0x3300_0000, 0x0000, 0x3300),
    (0x3300_0001, 0x0001, 0x3300),
    (0x32ff_ffff, 0x0000, 0x3300),
    (0x7fff_ffff, 0x7fff, 0x7fff),
    (0x387f_ffff, 0x0400, 0x3880),
    (0x0000_0001, 0x0000, 0x0000),
    (0x7f80_3fff, 0x7c01, 0x7fc0),
];

#[test]
fn numbers_are_rounded_as_numpy_does_it() {
    for &(bits, f16, bf16) in ROUNDED {
        let value = f32::from_bits(bits);
        assert_eq!((half(value), brain(value)), (f16, bf16), "{bits:#x}");
    }
    // To the nearest even from both sides of 2049.
    assert_eq!([half(2049.0), half(2051.0)], [half(2048.0), half(2052.0)]);
}

#[test]
fn every_number_of_16_bits_comes_back() {
    for bits in 0..=u16::MAX {
        assert_eq!(half(wide(bits)), bits);
    }
    let wide: Vec<u32> = [0x7c01, 0x7e01, 0xfc01, 1].map(|bits| wide(bits).to_bits()).to_vec();
    assert_eq!(wide, [0x7f80_2000, 0x7fc0_2000, 0xff80_2000, 0x3380_0000]);
}

/// What gguf-py's `Q8_0.quantize` makes of one number among zeros.
#[test]
fn blocks_are_quantized_as_gguf_py_does_it() {
    let block = |value: f32| {
        let mut out = [7; 34];
        let mut values = [0.0; 32];
        values[3] = value;
        quantize(&values, &mut out);
        (u16::from_le_bytes([out[0], out[1]]), out[5] as i8, out[2])
    };
    assert_eq!(block(f32::NAN), (0x7e00, 0, 0));
    assert_eq!(block(f32::INFINITY), (0x7c00, 0, 0));
    assert_eq!(block(1e-45), (0, 0, 0));
    assert_eq!(block(0.0), (0, 0, 0));
    assert_eq!(block(-127.0), (0x3c00, -127, 0));
    let mut out = [0; 34];
    let mut values = [0.5; 32];
    values[..4].copy_from_slice(&[127.0, 2.5, -2.5, 0.499]);
    quantize(&values, &mut out);
    assert_eq!(out[..8], [0, 0x3c, 127, 3, 253, 0, 1, 1]);
}

#[test]
fn one_is_added_in_the_type_of_the_tensor() {
    let coded = |from: Dtype, input: &[u8]| {
        let coding = Coding { from: &from, to: Kind::F32, add_one: true };
        let mut out = [0; 4];
        coding.run(input, &mut out);
        f32::from_le_bytes(out)
    };
    // 0.1 in 16 bits: one and it are 1.099609375 in 16 bits, 1.0999755859375 in 32.
    assert_eq!(coded(Dtype::F16, &half(0.1).to_le_bytes()), 1.099_609_4);
    assert_eq!(coded(Dtype::F32, &wide(half(0.1)).to_le_bytes()), 1.099_975_6);
    assert_eq!(coded(Dtype::Bf16, &brain(0.5).to_le_bytes()), 1.5);
}
