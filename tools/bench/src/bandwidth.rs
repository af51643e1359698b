//! How fast this machine's memory is, with every thread that a server would use: reading, as generation reads weights,
//! and STREAM's triad.

use std::hint::black_box;
use std::time::Instant;

use crate::machine;

/// Bytes of one array: far above any cache, where memory allows it.
const BYTES: u64 = 1 << 30;

/// Bytes a second of reading, and of `a[i] = b[i] + 3 c[i]`, counted as STREAM does: each array once.
pub(crate) fn measure() -> [f64; 2] {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bytes = BYTES.min(machine::available() / 8).max(1 << 20);
    let each = bytes as usize / 8 / threads;
    let mut arrays: Vec<[Vec<f64>; 3]> =
        (0..threads).map(|_| [1.0, 2.0, 0.5].map(|value| vec![value; each])).collect();
    let total = (each * threads * 8) as f64;
    let triad = timed(&mut arrays, |[a, b, c]| {
        for ((a, b), c) in a.iter_mut().zip(&*b).zip(&*c) {
            *a = b + 3.0 * c;
        }
        black_box(a);
    });
    let read = timed(&mut arrays, |[a, ..]| {
        // As whole numbers: these add in any order, several at once.
        black_box(a.iter().fold(0_u64, |sum, value| sum.wrapping_add(value.to_bits())));
    });
    [total / read, 3.0 * total / triad]
}

/// Seconds that one thread for each of `parts` takes, after a first time that fetches the pages.
fn timed(parts: &mut [[Vec<f64>; 3]], work: fn(&mut [Vec<f64>; 3])) -> f64 {
    let mut seconds = 0.0;
    for _ in 0..2 {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for part in parts.iter_mut() {
                scope.spawn(move || work(part));
            }
        });
        seconds = started.elapsed().as_secs_f64();
    }
    seconds
}
