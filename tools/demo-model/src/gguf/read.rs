//! Reads a file that [`super::File::write`] wrote; any other is refused, none panics.

use super::{ALIGNMENT, BLOCK, File, Kind, MAGIC, Tensor, Value, array};

/// Reads from the front; `None` where the bytes end or are not understood.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the whole file in `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn file(&mut self) -> Option<File> {
        (self.take(MAGIC.len())? == MAGIC).then_some(())?;
        let (tensors, keys) = (self.len()?, self.len()?);
        let metadata = self.list(keys, |r| Some((r.text()?, r.value()?)))?;
        let mut tensors = self.list(tensors, Self::tensor)?;
        for tensor in &mut tensors {
            self.at = self.at.next_multiple_of(ALIGNMENT);
            let count = tensor.shape.iter().try_fold(1, |n: usize, d| n.checked_mul(*d))?;
            let size = match tensor.kind {
                Kind::F32 => count.checked_mul(4)?,
                Kind::Q8_0 => (count / BLOCK).checked_mul(2 + BLOCK)?,
            };
            tensor.data = self.take(size)?.to_vec();
        }
        Some(File { metadata, tensors })
    }

    /// A tensor's description; its bytes follow those of the tensor before.
    fn tensor(&mut self) -> Option<Tensor> {
        let name = self.text()?;
        let dimensions = self.u32()?;
        let shape = self.list(dimensions as usize, Self::len)?;
        let kind = match self.u32()? {
            0 => Kind::F32,
            8 => Kind::Q8_0,
            _ => return None,
        };
        self.len()?;
        Some(Tensor { name, shape, kind, data: Vec::new() })
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.u32()? {
            4 => Value::U32(self.u32()?),
            5 => Value::I32(self.u32()? as i32),
            6 => Value::F32(f32::from_bits(self.u32()?)),
            7 => Value::Bool(self.take(1)?[0] != 0),
            8 => Value::Text(self.text()?),
            9 => {
                let (kind, count) = (self.u32()?, self.len()?);
                match kind {
                    5 => Value::I32s(self.list(count, |r| Some(r.u32()? as i32))?),
                    6 => Value::F32s(self.list(count, |r| Some(f32::from_bits(r.u32()?)))?),
                    8 => Value::Texts(self.list(count, Self::text)?),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn list<T>(&mut self, n: usize, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..n).map(|_| item(self)).collect()
    }

    fn text(&mut self) -> Option<String> {
        let len = self.len()?;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(array(self.take(8)?))).ok()
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(array(self.take(4)?)))
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(bytes)
    }
}
