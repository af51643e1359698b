//! Changes to tars that the tests of their readers share: a byte, a field, a block, the end.

/// Numbers that are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        let most = most.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// Where a change of one byte means something: names, sizes, kinds, links, and the checksum is made right again.
pub(crate) fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let block = dice.below(bytes.len() / 512) * 512;
    match dice.below(8) {
        0 => bytes.truncate(dice.below(bytes.len()) + 1),
        1 => {
            let at = dice.below(bytes.len());
            bytes[at] = u8::try_from(dice.below(256)).unwrap();
        }
        2 => {
            let from = dice.below(bytes.len() / 512) * 512;
            let copy = bytes[from..(from + 512).min(bytes.len())].to_vec();
            bytes.splice(block..block, copy);
        }
        kind => {
            let fields = [(0, 100), (100, 8), (124, 12), (156, 1), (157, 100)];
            let (field, length) = fields[kind - 3];
            let pieces: [&[u8]; 9] = [
                b"../../x",
                b"/etc/x",
                b"\0",
                b"77777777777",
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                b"L",
                b"x",
                b"models",
                b"./././a",
            ];
            let piece = pieces[dice.below(pieces.len())];
            let taken = piece.len().min(length);
            let end = (block + field + taken).min(bytes.len());
            let start = (block + field).min(end);
            bytes[start..end].copy_from_slice(&piece[..end - start]);
        }
    }
    if dice.below(4) != 0 {
        sum(bytes, block);
    }
}

fn sum(bytes: &mut [u8], block: usize) {
    let Some(header) = bytes.get_mut(block..block + 512) else { return };
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
