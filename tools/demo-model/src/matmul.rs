//! Matrix products, as fast as safe code that the compiler can vectorise gets.
//!
//! Every element is one chain of fused multiplications and additions in an order that does not depend
//! on the machine, so wider vector registers make it faster and leave each bit of the result alone.
//! Where the target has no fused ones, the last bits differ.

const ROWS: usize = 6;
const COLS: usize = 16;
const DEPTH: usize = 256;

/// A matrix inside a longer slice: element (i, j) is `data[i * row + j * col]`, and one of the two
/// steps is 1.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    data: &'a [f32],
    row: usize,
    col: usize,
}

impl<'a> View<'a> {
    /// Rows that start `stride` apart.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, row: stride, col: 1 }
    }

    /// The same matrix, rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }
}

/// Rows, columns and inner dimension of a product.
#[derive(Clone, Copy)]
pub(crate) struct Dims(pub(crate) usize, pub(crate) usize, pub(crate) usize);

/// What becomes of the values that the target holds already.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// Packed copies of the operands, kept from product to product.
#[derive(Default)]
pub(crate) struct Multiplier {
    left: Vec<[f32; ROWS]>,
    right: Vec<[f32; COLS]>,
}

impl Multiplier {
    /// `target = left × right`, or `+=`; rows of `target` start `stride` apart.
    pub(crate) fn product(
        &mut self,
        Dims(m, n, k): Dims,
        (left, right): (View<'_>, View<'_>),
        (target, stride): (&mut [f32], usize),
        mut into: Into,
    ) {
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            pack(&mut self.left, left, m, from, depth);
            pack(&mut self.right, right.transposed(), n, from, depth);
            for (panel, right) in self.right.chunks_exact(depth).enumerate() {
                let width = COLS.min(n - panel * COLS);
                for (block, left) in self.left.chunks_exact(depth).enumerate() {
                    let tile = multiply(left, right);
                    let top = block * ROWS;
                    for (i, row) in tile.iter().enumerate().take(m - top) {
                        let at = (top + i) * stride + panel * COLS;
                        store(&mut target[at..at + width], row, into);
                    }
                }
            }
            into = Into::Add;
        }
    }
}

fn store(target: &mut [f32], values: &[f32; COLS], into: Into) {
    // Most rows are whole, and a size that is known is fast.
    match <&mut [f32; COLS]>::try_from(&mut *target) {
        Ok(target) if into == Into::Replace => *target = *values,
        Ok(target) => target.iter_mut().zip(values).for_each(|(t, v)| *t += v),
        Err(_) if into == Into::Replace => target.copy_from_slice(&values[..target.len()]),
        Err(_) => target.iter_mut().zip(values).for_each(|(t, v)| *t += v),
    }
}

#[inline(never)]
fn multiply(left: &[[f32; ROWS]], right: &[[f32; COLS]]) -> [[f32; COLS]; ROWS] {
    let mut sum = [[0.0; COLS]; ROWS];
    for (l, r) in left.iter().zip(right) {
        for (sum, l) in sum.iter_mut().zip(l) {
            for (sum, r) in sum.iter_mut().zip(r) {
                *sum = multiply_add(*l, *r, *sum);
            }
        }
    }
    sum
}

/// `a * b + c`, rounded once where that is one instruction: a call for each would take forever.
pub(crate) fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Copies `count` rows of `from`, columns `start..start + depth`, into panels of `N` rows each, in
/// the order in which [`multiply`] reads them; missing rows are zero.
fn pack<const N: usize>(
    into: &mut Vec<[f32; N]>,
    from: View<'_>,
    count: usize,
    start: usize,
    depth: usize,
) {
    into.clear();
    into.resize(count.div_ceil(N) * depth, [0.0; N]);
    for (panel, rows) in into.chunks_exact_mut(depth).enumerate() {
        let (first, lanes) = (panel * N, N.min(count - panel * N));
        if from.row == 1 {
            pack_across(rows, &from.data[first + start * from.col..], from.col, lanes);
        } else {
            for lane in 0..lanes {
                let values = &from.data[(first + lane) * from.row + start..][..depth];
                rows.iter_mut().zip(values).for_each(|(to, value)| to[lane] = *value);
            }
        }
    }
}

/// Fills a panel whose lanes lie side by side in `data`, each row `stride` after the one before.
fn pack_across<const N: usize>(rows: &mut [[f32; N]], data: &[f32], stride: usize, lanes: usize) {
    for (to, at) in rows.iter_mut().zip((0..).step_by(stride)) {
        let values = &data[at..at + lanes];
        // A copy of known size is two instructions, any other a call.
        match <&[f32; N]>::try_from(values) {
            Ok(values) => *to = *values,
            Err(_) => to[..lanes].copy_from_slice(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_equals_its_definition() {
        let (m, n, k) = (5, 19, 300);
        let a: Vec<f32> = (0..m * k).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..n * k).map(|i| (i % 5) as f32 - 2.0).collect();
        let mut c = vec![1.0; m * n];
        let operands = (View::rows(&a, k), View::rows(&b, k).transposed());
        Multiplier::default().product(Dims(m, n, k), operands, (&mut c, n), Into::Add);
        for i in 0..m {
            for j in 0..n {
                let sum: f32 = (0..k).map(|x| a[i * k + x] * b[j * k + x]).sum();
                assert_eq!(c[i * n + j], sum + 1.0, "row {i}, column {j}");
            }
        }
    }
}
