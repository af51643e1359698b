//! Random tensors and the files that they come in. Numbers are made of bits, so they are the same everywhere.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// How numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F32,
    F16,
    BF16,
}

/// Tensors in the order in which they were made.
pub(super) struct Tensors {
    dtype: Dtype,
    random: u64,
    list: Vec<Tensor>,
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
        }
    }

    /// The number with this sign, an exponent so far below 1, and the upper bits of this fraction.
    fn number(self, sign: u32, below: u32, fraction: u32) -> Vec<u8> {
        let half = |bits: u32| u16::try_from(bits).expect("16 bits").to_le_bytes().to_vec();
        match self {
            Self::F32 => (sign << 31 | (127 - below) << 23 | fraction >> 9).to_le_bytes().to_vec(),
            Self::F16 => half(sign << 15 | (15 - below) << 10 | fraction >> 22),
            Self::BF16 => half(sign << 15 | (127 - below) << 7 | fraction >> 25),
        }
    }

    /// Numbers on which roundings differ: zeros, the smallest, halves between two that can be kept.
    fn special(self) -> Vec<Vec<u8>> {
        let words = |words: &[u16]| words.iter().map(|word| word.to_le_bytes().to_vec()).collect();
        match self {
            Self::F32 => [
                0,
                0x8000_0000,
                1,
                0x3f80_8000,
                0x3f81_8000,
                0x3f80_1000,
                0x3f80_3000,
                0x3380_0001,
                0x477f_f000,
                0xc780_0000,
            ]
            .iter()
            .map(|word: &u32| word.to_le_bytes().to_vec())
            .collect(),
            Self::F16 => words(&[0, 0x8000, 1, 0x83ff, 0x3c00, 0x7bff]),
            Self::BF16 => words(&[0, 0x8000, 1, 0x3380, 0x3f80, 0xb300, 0x3300]),
        }
    }
}

impl Tensors {
    pub(super) fn new(dtype: Dtype, seed: u64) -> Self {
        Self { dtype, random: seed, list: Vec::new() }
    }

    /// Small numbers of both signs, behind the special ones.
    pub(super) fn weight(&mut self, name: &str, shape: &[usize]) {
        let mut numbers = self.dtype.special();
        let count = shape.iter().product::<usize>();
        numbers.truncate(count / 2);
        let mut data = numbers.concat();
        for _ in numbers.len()..count {
            let random = self.next();
            data.extend(self.dtype.number(random & 1, 1 + (random >> 1 & 7), random << 4));
        }
        self.list.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), data });
    }

    /// Numbers from a half to 2.
    pub(super) fn norm(&mut self, name: &str, size: usize) {
        let mut data = Vec::new();
        for _ in 0..size {
            let random = self.next();
            data.extend(self.dtype.number(0, random & 1, random << 1));
        }
        self.list.push(Tensor { name: name.to_owned(), shape: vec![size], data });
    }

    /// `splitmix64`, its upper half.
    fn next(&mut self) -> u32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) >> 32).expect("32 bits")
    }

    /// Writes `NAME.safetensors`, or that many shards and their index.
    pub(super) fn write(&self, dir: &Path, name: &str, shards: usize) {
        if shards == 1 {
            let all: Vec<&Tensor> = self.list.iter().collect();
            return self.file(&dir.join(format!("{name}.safetensors")), &all);
        }
        let mut index = Vec::new();
        for shard in 0..shards {
            let part: Vec<&Tensor> = self.list.iter().skip(shard).step_by(shards).collect();
            let file = format!("{name}-{:05}-of-{shards:05}.safetensors", shard + 1);
            self.file(&dir.join(&file), &part);
            index.extend(part.iter().map(|tensor| format!("    \"{}\": \"{file}\"", tensor.name)));
        }
        index.sort();
        let total: usize = self.list.iter().map(|tensor| tensor.data.len()).sum();
        let text = format!(
            "{{\n  \"metadata\": {{ \"total_size\": {total} }},\n  \"weight_map\": {{\n{}\n  }}\n}}\n",
            index.join(",\n")
        );
        let path = dir.join(format!("{name}.safetensors.index.json"));
        std::fs::write(path, text).expect("the folder takes it");
    }

    /// A length, a header of JSON, and the numbers.
    fn file(&self, path: &Path, tensors: &[&Tensor]) {
        let (mut header, mut at) = (vec!["\"__metadata__\":{\"format\":\"pt\"}".to_owned()], 0);
        for Tensor { name, shape, data } in tensors {
            let (dtype, end) = (self.dtype.name(), at + data.len());
            header.push(format!(
                "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}"
            ));
            at = end;
        }
        let mut header = format!("{{{}}}", header.join(","));
        header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
        let mut file = BufWriter::new(File::create(path).expect("the folder takes it"));
        let length = (header.len() as u64).to_le_bytes();
        let parts = [&length[..], header.as_bytes()].into_iter();
        for part in parts.chain(tensors.iter().map(|tensor| &tensor.data[..])) {
            file.write_all(part).expect("there is room for it");
        }
        file.flush().expect("there is room for it");
    }
}
