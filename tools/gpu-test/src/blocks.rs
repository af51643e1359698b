//! Quantised weights out of random numbers: normal in size, so that a model of them computes finite
//! values, and as costly as trained ones.

use demo_model::gguf::half;
use demo_model::rng::Rng;

/// Values that share a block in ggml's K types.
const BLOCK: usize = 256;
/// Values that share a block in its other types.
const SMALL: usize = 32;
/// Different blocks of one tensor; a larger one repeats them.
const POOL: usize = 8192;

/// How a tensor's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    Q4_0,
    Q8_0,
    Q4K,
    Q6K,
    Mxfp4,
}

impl Kind {
    /// As ggml numbers it.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q6K => 14,
            Self::Mxfp4 => 39,
        }
    }

    /// Bytes of `values` values, of whole blocks.
    pub(super) fn size(self, values: usize) -> usize {
        match self {
            Self::F32 => 4 * values,
            Self::F16 => 2 * values,
            Self::Q4_0 => 18 * (values / SMALL),
            Self::Q8_0 => 34 * (values / SMALL),
            Self::Mxfp4 => 17 * (values / SMALL),
            Self::Q4K => 144 * (values / BLOCK),
            Self::Q6K => 210 * (values / BLOCK),
        }
    }
}

/// The bytes that a tensor of `values` values repeats: weights of mean 0 and `deviation`, and ones where
/// they are not quantised.
pub(super) fn pool(kind: Kind, values: usize, deviation: f32, rng: &mut Rng) -> Vec<u8> {
    let mut fill = |size: usize, block: fn(f32, &mut Rng) -> Vec<u8>| {
        (0..(values / size).min(POOL)).flat_map(|_| block(deviation, rng)).collect()
    };
    match kind {
        Kind::F32 => 1.0_f32.to_le_bytes().repeat(values),
        Kind::F16 => fill(SMALL, f16),
        Kind::Q4_0 => fill(SMALL, q4_0),
        Kind::Q8_0 => fill(SMALL, q8_0),
        Kind::Mxfp4 => fill(SMALL, mxfp4),
        Kind::Q4K => fill(BLOCK, q4_k),
        Kind::Q6K => fill(BLOCK, q6_k),
    }
}

fn f16(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    let values = (0..SMALL).map(|_| deviation * rng.normal());
    values.flat_map(|v| (half(v.abs()) | u16::from(v < 0.0) << 15).to_le_bytes()).collect()
}

/// A block of 4-bit values `q`: each weighs `scale * (q - 8)`.
fn q4_0(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    // The deviation of -7..=7.
    let mut block = half(deviation / 4.32).to_le_bytes().to_vec();
    let mut nibble = || 1 + rng.below(15) as u8;
    block.extend((0..SMALL / 2).map(|_| nibble() | nibble() << 4));
    block
}

/// A block of bytes `q`: each weighs `scale * q`.
fn q8_0(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    // The deviation of -127..=127.
    let mut block = half(deviation / 73.6).to_le_bytes().to_vec();
    block.extend((0..SMALL).map(|_| (rng.below(255) as i16 - 127) as i8 as u8));
    block
}

/// A block of 4-bit floats, the halves of 0, 1, 2, 3, 4, 6, 8, 12 and their negatives, times a power of two.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-common.h>, `block_mxfp4`.
fn mxfp4(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    // Half the root mean square of those numbers. Two powers, mixed, give the deviation between them.
    let scale = deviation / 2.926;
    let low = scale.log2().floor();
    let excess = (scale / low.exp2()).powi(2) - 1.0;
    let up = rng.below(3000) < (1000.0 * excess) as usize;
    let mut block = vec![(127.0 + low) as u8 + u8::from(up)];
    random(&mut block, SMALL / 2, rng);
    block
}

/// A block of 4-bit values `q` in eight groups: each weighs `scale * q - minimum`.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-common.h>, `block_q4_K`.
fn q4_k(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    // The deviation of 0..=15 times the root mean square of 32..=63.
    let scale = deviation / (4.61 * 48.4);
    let groups: Vec<u8> = (0..8).map(|_| 32 + rng.below(32) as u8).collect();
    let mut block = half(scale).to_le_bytes().to_vec();
    // With the group's own scale as its minimum this puts the mean at 0.
    block.extend(half(7.5 * scale).to_le_bytes());
    let (low, high) = groups.split_at(4);
    let six_and_two = || low.iter().zip(high).map(|(low, high)| low | (high >> 4) << 6);
    block.extend(six_and_two().chain(six_and_two()));
    block.extend(high.iter().map(|high| high & 15 | (high & 15) << 4));
    random(&mut block, 128, rng);
    block
}

/// A block of 6-bit values `q` in sixteen groups: each weighs `scale * (q - 32)`.
/// <https://github.com/ggml-org/llama.cpp/blob/b11549/ggml/src/ggml-common.h>, `block_q6_K`.
fn q6_k(deviation: f32, rng: &mut Rng) -> Vec<u8> {
    // The deviation of 0..=63 times the root mean square of 64..=127.
    let scale = deviation / (18.47 * 97.3);
    let mut block = Vec::with_capacity(210);
    random(&mut block, 128 + 64, rng);
    for _ in 0..16 {
        let size = 64 + rng.below(64) as i8;
        let signed = if rng.chance(50) { size } else { -size };
        block.push(signed as u8);
    }
    block.extend(half(scale).to_le_bytes());
    block
}

fn random(block: &mut Vec<u8>, bytes: usize, rng: &mut Rng) {
    for _ in 0..bytes / 8 {
        block.extend(rng.bits().to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The float that 16 bits stand for; scales are never negative.
    fn float(bytes: &[u8]) -> f32 {
        let bits = u16::from_le_bytes([bytes[0], bytes[1]]);
        f32::from_bits(u32::from(bits) << 13) / f32::from_bits(15 << 23)
    }

    /// `dequantize_row_q4_K`, in ggml's own words.
    fn q4_k_values(block: &[u8]) -> Vec<f32> {
        let (d, min, q) = (float(block), float(&block[2..]), &block[4..16]);
        let group = |j: usize| match j {
            0..4 => (q[j] & 63, q[j + 4] & 63),
            _ => ((q[j + 4] & 15) | ((q[j - 4] >> 6) << 4), (q[j + 4] >> 4) | ((q[j] >> 6) << 4)),
        };
        let value = |j: usize, at: usize| {
            let byte = block[16 + 32 * (j / 2) + at];
            let nibble = if j % 2 == 0 { byte & 15 } else { byte >> 4 };
            let (scale, minimum) = group(j);
            d * f32::from(scale) * f32::from(nibble) - min * f32::from(minimum)
        };
        (0..8).flat_map(|j| (0..32).map(move |at| (j, at))).map(|(j, at)| value(j, at)).collect()
    }

    /// `dequantize_row_q6_K`, whose order does not matter here.
    fn q6_k_values(block: &[u8]) -> Vec<f32> {
        let d = float(&block[208..]);
        let value = |at: usize| {
            let (half, rest) = (at / 128, at % 128);
            let (part, l) = (rest / 32, rest % 32);
            let low = block[64 * half + l + 32 * (part % 2)] >> (4 * (part / 2)) & 15;
            let high = block[128 + 32 * half + l] >> (2 * part) & 3;
            let scale = block[192 + 8 * half + l / 16 + 2 * part] as i8;
            d * f32::from(scale) * (f32::from(low | high << 4) - 32.0)
        };
        (0..BLOCK).map(value).collect()
    }

    fn small_values(block: &[u8], value: impl Fn(f32, u8) -> f32) -> Vec<f32> {
        block[2..].iter().map(|byte| value(float(block), *byte)).collect()
    }

    fn q8_0_values(block: &[u8]) -> Vec<f32> {
        small_values(block, |scale, byte| scale * f32::from(byte as i8))
    }

    fn q4_0_values(block: &[u8]) -> Vec<f32> {
        let part = |shift: u8| {
            small_values(block, move |scale, byte| scale * (f32::from(byte >> shift & 15) - 8.0))
        };
        [part(0), part(4)].concat()
    }

    fn f16_values(block: &[u8]) -> Vec<f32> {
        let value = |pair: &[u8]| {
            let size = float(&[pair[0], pair[1] & 127]);
            if pair[1] > 127 { -size } else { size }
        };
        block.chunks(2).map(value).collect()
    }

    fn mxfp4_values(block: &[u8]) -> Vec<f32> {
        const DOUBLED: [f32; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0];
        let value = |code: u8| {
            let size = DOUBLED[usize::from(code & 7)] * (f32::from(block[0]) - 128.0).exp2();
            if code > 7 { -size } else { size }
        };
        block[1..].iter().flat_map(|byte| [value(byte & 15), value(byte >> 4)]).collect()
    }

    #[test]
    fn weights_have_mean_0_and_the_deviation_that_was_asked_for() {
        let mut rng = Rng::new(1);
        for (kind, size, values) in [
            (Kind::Q4K, BLOCK, q4_k_values as fn(&[u8]) -> Vec<f32>),
            (Kind::Q6K, BLOCK, q6_k_values),
            (Kind::F16, SMALL, f16_values),
            (Kind::Q4_0, SMALL, q4_0_values),
            (Kind::Q8_0, SMALL, q8_0_values),
            (Kind::Mxfp4, SMALL, mxfp4_values),
        ] {
            let wanted = 1.0 / 50.0;
            let pool = pool(kind, 64 * BLOCK, wanted, &mut rng);
            assert_eq!(pool.len(), kind.size(64 * BLOCK));
            let values: Vec<f32> = pool.chunks(kind.size(size)).flat_map(values).collect();
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < wanted / 20.0, "{kind:?}: mean {mean}");
            assert!((square.sqrt() / wanted - 1.0).abs() < 0.05, "{kind:?}: {}", square.sqrt());
        }
    }

    #[test]
    fn a_large_tensor_repeats_its_blocks() {
        let pool = pool(Kind::Q4K, 3 * POOL * BLOCK, 0.1, &mut Rng::new(1));
        assert_eq!(pool.len(), Kind::Q4K.size(POOL * BLOCK));
        assert_eq!(
            super::pool(Kind::F32, 2, 0.1, &mut Rng::new(1)),
            [0, 0, 128, 63, 0, 0, 128, 63]
        );
    }
}
