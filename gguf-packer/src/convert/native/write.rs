//! A GGUF file, written from its start to its end: keys, descriptions of tensors, weights. Never more than a piece
//! of one tensor is in memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;

use super::super::checkpoint::{Dtype, Tensor};
use super::super::key::{Keys, text};
use super::encode::Coding;
use super::kind::Kind;
use crate::Error;

/// Where each tensor begins is a multiple of it.
const ALIGNMENT: u64 = 32;
/// Elements that are in memory at once; blocks of 32 divide it.
const PIECE: usize = 1 << 20;
/// Elements that are worth a thread.
const SHARE: usize = 1 << 16;

/// A tensor of the file to be.
#[derive(Debug, Clone)]
pub(in super::super) struct Planned<'a> {
    pub(in super::super) name: String,
    /// Elements in each dimension, the slowest first.
    pub(in super::super) shape: Vec<u64>,
    pub(in super::super) kind: Kind,
    pub(in super::super) data: Data<'a>,
}

/// Where its weights are from.
#[derive(Debug, Clone)]
pub(in super::super) enum Data<'a> {
    /// A tensor of the checkpoint.
    Stored { tensor: &'a Tensor, add_one: bool, heads: Option<u64> },
    /// These.
    Values(Vec<f32>),
}

impl Planned<'_> {
    /// How many elements it has.
    pub(in super::super) fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Bytes of its weights.
    fn size(&self) -> u64 {
        let (elements, bytes) = self.kind.tensor_type().block();
        self.elements() / elements * bytes
    }
}

/// Writes the file `out`. `step` receives how many bytes of weights are written, of how many; its error ends the
/// writing.
pub(in super::super) fn file(
    out: &Path,
    keys: Keys,
    tensors: &[Planned<'_>],
    step: &mut dyn FnMut(u64, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |e: &io::Error| Error::io("write", out, e);
    let file = File::create(out).map_err(|e| failed(&e))?;
    let mut to = Out { file: BufWriter::new(file), path: out, at: 0 };
    header(&mut to, &keys, tensors).map_err(|e| failed(&e))?;
    // A vocabulary is large.
    drop(keys);
    let total = tensors.iter().map(Planned::size).sum();
    let mut source = Source::default();
    let mut done = 0;
    for tensor in tensors {
        match &tensor.data {
            Data::Values(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                to.write_all(&bytes).map_err(|e| failed(&e))?;
            }
            Data::Stored { tensor: stored, add_one, heads } => {
                let coding = Coding { from: &stored.dtype, to: tensor.kind, add_one: *add_one };
                let mut tell = |bytes: u64| step(done + bytes, total);
                let rows = Rows::of(&tensor.shape, *heads);
                source.copy(stored, coding, rows, &mut to, &mut tell)?;
            }
        }
        to.pad().map_err(|e| failed(&e))?;
        done += tensor.size();
        step(done, total)?;
    }
    to.flush().map_err(|e| failed(&e))
}

fn header(to: &mut Out<'_>, keys: &Keys, tensors: &[Planned<'_>]) -> io::Result<()> {
    to.write_all(b"GGUF")?;
    to.write_all(&3_u32.to_le_bytes())?;
    to.write_all(&(tensors.len() as u64).to_le_bytes())?;
    to.write_all(&(keys.len() as u64).to_le_bytes())?;
    keys.write(to)?;
    let mut offset = 0;
    for tensor in tensors {
        text(to, &tensor.name)?;
        to.write_all(&(tensor.shape.len() as u32).to_le_bytes())?;
        for size in tensor.shape.iter().rev() {
            to.write_all(&size.to_le_bytes())?;
        }
        to.write_all(&tensor.kind.tensor_type().number().to_le_bytes())?;
        to.write_all(&u64::to_le_bytes(offset))?;
        offset += tensor.size().next_multiple_of(ALIGNMENT);
    }
    to.pad()
}

/// The file, and how much of it is written.
struct Out<'a> {
    file: BufWriter<File>,
    path: &'a Path,
    at: u64,
}

impl Out<'_> {
    /// Writes zeros up to where a tensor may begin.
    fn pad(&mut self) -> io::Result<()> {
        let count = self.at.next_multiple_of(ALIGNMENT) - self.at;
        self.write_all(&[0; ALIGNMENT as usize][..count as usize])
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The order in which elements are taken from a tensor.
#[derive(Debug, Clone, Copy)]
struct Rows {
    /// How many elements of the file's tensor there are.
    elements: u64,
    /// Elements of a row, and rows of half a head; nothing when they stay where they are.
    interleaved: Option<(u64, u64)>,
}

impl Rows {
    fn of(shape: &[u64], heads: Option<u64>) -> Self {
        let elements = shape.iter().product();
        let rows = shape.first().copied().unwrap_or(1);
        let row = elements / rows.max(1);
        Self { elements, interleaved: heads.map(|heads| (row, rows / heads / 2)) }
    }

    /// The element to be read for the one at `at`, and how many after it are in their order too.
    fn place(self, at: u64) -> (u64, u64) {
        let Some((row, half)) = self.interleaved else { return (at, self.elements - at) };
        let (number, column) = (at / row, at % row);
        let (head, inside) = (number / (half * 2), number % (half * 2));
        // The rows of both halves take turns.
        let from = head * half * 2 + inside % 2 * half + inside / 2;
        (from * row + column, row - column)
    }
}

/// Reads weights, a piece at a time.
#[derive(Default)]
struct Source {
    open: Option<(std::path::PathBuf, File)>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Source {
    /// Copies the elements of `tensor`.
    fn copy(
        &mut self,
        tensor: &Tensor,
        coding: Coding<'_>,
        rows: Rows,
        to: &mut Out<'_>,
        tell: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut at, mut done) = (0, 0);
        while at < rows.elements {
            let count = (rows.elements - at).min(PIECE as u64);
            self.read(tensor, coding.width(), rows, at, count)
                .map_err(|e| Error::io("read", &tensor.file, &e))?;
            self.output.resize(coding.size(count as usize), 0);
            run(coding, &self.input, &mut self.output);
            to.write_all(&self.output).map_err(|e| Error::io("write", to.path, &e))?;
            at += count;
            done += self.output.len() as u64;
            tell(done)?;
        }
        Ok(())
    }

    fn read(
        &mut self,
        tensor: &Tensor,
        width: usize,
        rows: Rows,
        from: u64,
        count: u64,
    ) -> io::Result<()> {
        self.input.resize(count as usize * width, 0);
        let file = match self.open.take() {
            Some((path, file)) if path == tensor.file => file,
            _ => File::open(&tensor.file)?,
        };
        let mut filled = 0;
        while filled < count {
            let (place, run) = rows.place(from + filled);
            let run = run.min(count - filled);
            let part = filled as usize * width..(filled + run) as usize * width;
            (&file).seek(SeekFrom::Start(tensor.start + place * width as u64))?;
            (&file).read_exact(&mut self.input[part])?;
            filled += run;
        }
        self.open = Some((tensor.file.clone(), file));
        Ok(())
    }
}

/// Encodes a piece, by as many threads as are worth it.
fn run(coding: Coding<'_>, input: &[u8], output: &mut [u8]) {
    let elements = input.len() / coding.width();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = (elements / SHARE).clamp(1, cores);
    let share = elements.div_ceil(threads).next_multiple_of(SHARE.min(elements.max(32)));
    if threads == 1 || *coding.from == Dtype::F32 && coding.to == Kind::F32 {
        return coding.run(input, output);
    }
    let inputs = input.chunks(share * coding.width());
    let outputs = output.chunks_mut(coding.size(share));
    thread::scope(|scope| {
        for (input, output) in inputs.zip(outputs) {
            scope.spawn(move || coding.run(input, output));
        }
    });
}
