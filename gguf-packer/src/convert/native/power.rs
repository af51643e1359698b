//! Powers as torch has them: the same bits, which rope factors need to be those of upstream's converter.
//!
//! On a processor with fused multiplication, torch takes SLEEF's `powf` (Boost Software License 1.0; its order of
//! operations and coefficients are facts here) for as many whole vectors as there are, and the C library's for the
//! rest. Both are off the nearest number at times, so neither can be replaced by a better one.

/// Elements that torch takes at once with AVX-512: two vectors of sixteen.
const AT_ONCE: usize = 32;

/// A number in two parts, the second of which is what the first lacks.
type Pair = (f32, f32);

/// `base` to the power of each of `exponents`.
pub(super) fn powers(base: f32, exponents: &[f32]) -> Vec<f32> {
    let whole = exponents.len() - exponents.len() % AT_ONCE;
    let power = |(at, &e): (usize, &f32)| if at < whole { power(base, e) } else { base.powf(e) };
    exponents.iter().enumerate().map(power).collect()
}

fn power(base: f32, exponent: f32) -> f32 {
    exponential(scaled(logarithm(base), exponent))
}

/// The natural logarithm of a positive number.
fn logarithm(of: f32) -> Pair {
    // `of` is `mantissa` times 2 to the power of `e`, the mantissa from 0.75 to 1.5.
    let e = exponent_of(of * (1.0 / 0.75));
    let mantissa = of * two_to(-e);
    let x = quotient(sum_of(-1.0, mantissa), sum_of(1.0, mantissa));
    let x2 = square(x);
    let t = 0.240_320_35_f32.mul_add(x2.0, 0.285_112_68).mul_add(x2.0, 0.400_008);
    let c = (0.666_666_6, 3.691_838_6e-9);
    let s = scaled((std::f32::consts::LN_2, -1.904_654_4e-9), e as f32);
    let s = sum(s, (x.0 * 2.0, x.1 * 2.0));
    sum(s, product(product(x2, x), wide_sum(scaled(x2, t), c)))
}

fn exponential(of: Pair) -> f32 {
    let q = ((of.0 + of.1) * std::f32::consts::LOG2_E).round_ties_even();
    let s = more(of, q * -0.693_145_75);
    let s = more(s, q * -1.428_606_8e-6);
    let first = s.0 + s.1;
    let s = (first, s.0 - first + s.1);
    let u = 0.001_363_246_5_f32
        .mul_add(s.0, 0.008_365_97)
        .mul_add(s.0, 0.041_671_082)
        .mul_add(s.0, 0.166_665_52)
        .mul_add(s.0, 0.499_999_85);
    let t = sum(s, scaled(square(s), u));
    let t = sum((1.0, 0.0), t);
    (t.0 + t.1) * two_to(q as i32)
}

/// The power of two that a positive normal number has.
fn exponent_of(of: f32) -> i32 {
    (of.to_bits() >> 23) as i32 - 127
}

/// 2 to the power of `n`, for a normal number.
fn two_to(n: i32) -> f32 {
    f32::from_bits(((n + 127).clamp(1, 254) as u32) << 23)
}

/// The sum of two numbers, wholly.
fn sum_of(a: f32, b: f32) -> Pair {
    let s = a + b;
    let v = s - a;
    (s, (a - (s - v)) + (b - v))
}

/// A sum whose first number is the larger one.
fn sum(a: Pair, b: Pair) -> Pair {
    let s = a.0 + b.0;
    (s, a.0 - s + b.0 + a.1 + b.1)
}

/// A sum of any two numbers.
fn wide_sum(a: Pair, b: Pair) -> Pair {
    let (s, rest) = sum_of(a.0, b.0);
    (s, rest + (a.1 + b.1))
}

fn more(a: Pair, b: f32) -> Pair {
    let (s, rest) = sum_of(a.0, b);
    (s, rest + a.1)
}

fn product(a: Pair, b: Pair) -> Pair {
    let s = a.0 * b.0;
    (s, a.0.mul_add(b.1, a.1.mul_add(b.0, a.0.mul_add(b.0, -s))))
}

fn scaled(a: Pair, b: f32) -> Pair {
    let s = a.0 * b;
    (s, a.1.mul_add(b, a.0.mul_add(b, -s)))
}

fn square(a: Pair) -> Pair {
    let s = a.0 * a.0;
    (s, (a.0 + a.0).mul_add(a.1, a.0.mul_add(a.0, -s)))
}

fn quotient(a: Pair, b: Pair) -> Pair {
    let t = 1.0 / b.0;
    let s = a.0 * t;
    let u = t.mul_add(a.0, -s);
    let v = (-b.1).mul_add(t, (-b.0).mul_add(t, 1.0));
    (s, s.mul_add(v, a.1.mul_add(t, u)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(size: u32) -> Vec<f32> {
        (0..size).step_by(2).map(|n| n as f32 / size as f32).collect()
    }

    /// What torch 2.15 has for `base ** (torch.arange(0, size, 2, dtype=torch.float32) / size)`.
    #[test]
    fn powers_have_the_bits_of_torch() {
        let bits = |base, size| -> Vec<u32> {
            powers(base, &steps(size)).into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(500_000.0, 128)[28..32], LLAMA_3);
        let mut all = 0_u64;
        let bases = [1e4, 5e4, 1e5, 5e5, 6.4e5, 1e6, 1_234_567.0, 5e6];
        for (base, size) in bases.iter().flat_map(|&base| (1..=8).map(move |n| (base, n * 64))) {
            for bits in bits(base, size) {
                all = all.wrapping_mul(31).wrapping_add(bits.into());
            }
        }
        assert_eq!(all, ALL, "{all:#x}");
        assert_eq!(powers(10_000.0, &[0.0]), [1.0]);
    }

    const LLAMA_3: [u32; 4] = [0x439b_b16f, 0x43bf_1fcf, 0x43ea_9e54, 0x4410_015e];
    const ALL: u64 = 0x72cc_1c19_1ece_aa21;
}
