//! Elements of a checkpoint as elements of a GGUF file: rounded as numpy and gguf-py of the pinned llama.cpp do it.

use super::super::checkpoint::Dtype;
use super::kind::Kind;

/// Elements that are decoded at once; blocks of 32 divide it.
const AT_ONCE: usize = 256;

/// How the elements of a tensor change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coding<'a> {
    pub(super) from: &'a Dtype,
    pub(super) to: Kind,
    /// Whether one is added on the way.
    pub(super) add_one: bool,
}

impl Coding<'_> {
    /// Bytes of an element in the checkpoint.
    pub(super) fn width(&self) -> usize {
        if *self.from == Dtype::F32 { 4 } else { 2 }
    }

    /// Bytes of `elements` in the file.
    pub(super) fn size(&self, elements: usize) -> usize {
        match self.to {
            Kind::F32 => elements * 4,
            Kind::F16 | Kind::Bf16 | Kind::Auto => elements * 2,
            Kind::Q8_0 => elements / 32 * 34,
        }
    }

    /// Encodes `input` into `out`, which has [`Coding::size`] bytes.
    pub(super) fn run(&self, input: &[u8], out: &mut [u8]) {
        let mut values = [0.0; AT_ONCE];
        let whole = self.size(AT_ONCE).max(1);
        for (input, out) in input.chunks(AT_ONCE * self.width()).zip(out.chunks_mut(whole)) {
            let values = &mut values[..input.len() / self.width()];
            self.decode(input, values);
            encode(self.to, values, out);
        }
    }

    fn decode(&self, input: &[u8], values: &mut [f32]) {
        let halves = || input.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        match self.from {
            Dtype::F32 => {
                for (value, four) in values.iter_mut().zip(input.chunks_exact(4)) {
                    *value = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                }
            }
            Dtype::Bf16 => values
                .iter_mut()
                .zip(halves())
                .for_each(|(value, half)| *value = f32::from_bits(u32::from(half) << 16)),
            // `Family::of` lets no other type through.
            Dtype::F16 | Dtype::Other(_) => {
                values.iter_mut().zip(halves()).for_each(|(value, half)| *value = wide(half));
            }
        }
        if self.add_one {
            for value in values {
                *value += 1.0;
                // torch adds in the type of the tensor.
                if *self.from == Dtype::F16 {
                    *value = wide(half(*value));
                }
            }
        }
    }
}

fn encode(to: Kind, values: &[f32], out: &mut [u8]) {
    match to {
        Kind::F32 => {
            for (out, value) in out.chunks_exact_mut(4).zip(values) {
                out.copy_from_slice(&value.to_le_bytes());
            }
        }
        Kind::F16 | Kind::Auto => {
            for (out, value) in out.chunks_exact_mut(2).zip(values) {
                out.copy_from_slice(&half(*value).to_le_bytes());
            }
        }
        Kind::Bf16 => {
            for (out, value) in out.chunks_exact_mut(2).zip(values) {
                out.copy_from_slice(&brain(*value).to_le_bytes());
            }
        }
        Kind::Q8_0 => {
            for (out, block) in out.chunks_exact_mut(34).zip(values.chunks_exact(32)) {
                quantize(block, out);
            }
        }
    }
}

/// A block of Q8_0: the scale, then 32 numbers.
fn quantize(block: &[f32], out: &mut [u8]) {
    // `f32::max` passes over what is no number, numpy's does not.
    let larger = |a: f32, b: f32| if b.is_nan() || b > a { b } else { a };
    let largest = block
        .iter()
        .fold(0.0_f32, |most, value| if most.is_nan() { most } else { larger(most, value.abs()) });
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    out[..2].copy_from_slice(&half(scale).to_le_bytes());
    for (out, value) in out[2..].iter_mut().zip(block) {
        // Rounded away from zero. What is no number, or infinite, becomes 0.
        let rounded = (value * inverse).round();
        *out = if rounded.is_finite() { rounded as i8 as u8 } else { 0 };
    }
}

/// A number in 16 bits, to the nearest even. Unlike a processor, numpy lets what is no number be as loud as it was.
pub(super) fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let size = bits & 0x7fff_ffff;
    let rest = match size {
        0x7f80_0001.. => 0x7c00 | (size >> 13 & 0x3ff).max(1),
        // From halfway between the largest number and the next.
        0x477f_f000.. => 0x7c00,
        0x3880_0000.. => even(size - 0x3800_0000, 13),
        // A number of fewer bits than eleven.
        0x3300_0000.. => even(size & 0x7f_ffff | 0x80_0000, 126 - (size >> 23)),
        _ => 0,
    };
    sign | rest as u16
}

/// `bits` without the last `count` of them, to the nearest even.
fn even(bits: u32, count: u32) -> u32 {
    let half = (1 << (count - 1)) - 1;
    (bits + half + (bits >> count & 1)) >> count
}

/// A number of 16 bits in 32, wholly.
pub(super) fn wide(half: u16) -> f32 {
    let (sign, size) = (u32::from(half & 0x8000) << 16, u32::from(half & 0x7fff));
    let bits = match size {
        0x7c00.. => 0x7f80_0000 | (size & 0x3ff) << 13,
        0x400.. => (size << 13) + 0x3800_0000,
        // Thousandths of 2 to the power of -14: `size` times 2 to the power of -24.
        _ => (size as f32 * f32::from_bits(0x3380_0000)).to_bits(),
    };
    f32::from_bits(sign | bits)
}

/// A number as bfloat16, to the nearest even. What is no number is made quiet.
pub(super) fn brain(value: f32) -> u16 {
    let bits = value.to_bits();
    if bits & 0x7fff_ffff > 0x7f80_0000 {
        return (bits >> 16) as u16 | 64;
    }
    let rounded = u64::from(bits) + 0x7fff + u64::from(bits >> 16 & 1);
    (rounded >> 16) as u16
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
