//! [`Kind::Q8_0`](super::Kind::Q8_0): blocks of 32 bytes with a scale.

pub(super) fn quantise(block: &[f32]) -> Vec<u8> {
    let top = block.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
    let scale = half(top / 127.0);
    let inverse = if top == 0.0 { 0.0 } else { 127.0 / top };
    let values = block.iter().map(|v| (v * inverse).round() as i8 as u8);
    scale.to_le_bytes().into_iter().chain(values).collect()
}

pub(super) fn dequantise(block: &[u8]) -> impl Iterator<Item = f32> {
    let scale = float(u16::from_le_bytes([block[0], block[1]]));
    block[2..].iter().map(move |v| f32::from(*v as i8) * scale)
}

/// The nearest 16-bit float to `x`, which is a scale: not negative, below 65504.
#[must_use]
pub fn half(x: f32) -> u16 {
    // Times 2^-112 moves the exponent where the narrow format has it, small values included.
    let bits = (x * f32::from_bits(15 << 23)).to_bits();
    let odd = (bits >> 13) & 1;
    ((bits + 0xfff + odd) >> 13) as u16
}

/// The float that [`half`] stored.
fn float(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 13) / f32::from_bits(15 << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_round_to_the_nearest() {
        for (value, bits) in [(1.0, 0x3c00), (0.5, 0x3800), (65504.0, 0x7bff), (6e-8, 1), (0.0, 0)]
        {
            assert_eq!(half(value), bits, "{value}");
        }
        assert_eq!(float(half(0.1)), 0.099_975_586);
        assert_eq!(half(1.0 + 1.0 / 2048.0), 0x3c00, "ties go to the even one");
    }
}
