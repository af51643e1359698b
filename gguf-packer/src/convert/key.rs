//! Keys and values of a GGUF file that is being made, in the order in which they are written.

use std::io::{self, Write};

use crate::gguf::ValueType;

/// The value of a key.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named after what they hold")]
pub enum Key {
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Strings(Vec<String>),
    U32s(Vec<u32>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

/// Keys and their values. A key is there once: setting it again changes its value, not its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keys(Vec<(String, Key)>);

impl Keys {
    /// No keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key. A text or a list that is empty is left out, as gguf-py does.
    pub fn set(&mut self, name: &str, value: Key) {
        if value.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a text.
    pub fn text(&mut self, name: &str, value: impl Into<String>) {
        self.set(name, Key::String(value.into()));
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets all of `others`, in their order.
    pub fn extend(&mut self, others: Self) {
        for (name, value) in others.0 {
            self.set(&name, value);
        }
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Key)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them as they stand in a file.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (name, value) in &self.0 {
            text(out, name)?;
            value.write(out)?;
        }
        Ok(())
    }
}

impl Key {
    /// What it is; of a list, what its items are.
    fn kind(&self) -> ValueType {
        match self {
            Self::U32(_) | Self::U32s(_) => ValueType::Uint32,
            Self::I32(_) | Self::I32s(_) => ValueType::Int32,
            Self::F32(_) | Self::F32s(_) => ValueType::Float32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) | Self::Strings(_) => ValueType::String,
        }
    }

    /// How many items a list has.
    fn items(&self) -> Option<usize> {
        match self {
            Self::Strings(items) => Some(items.len()),
            Self::U32s(items) => Some(items.len()),
            Self::I32s(items) => Some(items.len()),
            Self::F32s(items) => Some(items.len()),
            _ => None,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::String(text) => text.is_empty(),
            list => list.items() == Some(0),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(items) = self.items() {
            out.write_all(&ValueType::Array.number().to_le_bytes())?;
            out.write_all(&self.kind().number().to_le_bytes())?;
            out.write_all(&(items as u64).to_le_bytes())?;
        } else {
            out.write_all(&self.kind().number().to_le_bytes())?;
        }
        match self {
            Self::U32(n) => out.write_all(&n.to_le_bytes()),
            Self::I32(n) => out.write_all(&n.to_le_bytes()),
            Self::F32(n) => out.write_all(&n.to_le_bytes()),
            Self::Bool(yes) => out.write_all(&[u8::from(*yes)]),
            Self::String(value) => text(out, value),
            Self::Strings(items) => items.iter().try_for_each(|item| text(out, item)),
            Self::U32s(items) => items.iter().try_for_each(|n| out.write_all(&n.to_le_bytes())),
            Self::I32s(items) => items.iter().try_for_each(|n| out.write_all(&n.to_le_bytes())),
            Self::F32s(items) => items.iter().try_for_each(|n| out.write_all(&n.to_le_bytes())),
        }
    }
}

/// A text, after its length.
pub(super) fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(&(text.len() as u64).to_le_bytes())?;
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_place_and_what_is_empty_is_left_out() {
        let mut keys = Keys::new();
        keys.set("a", Key::U32(1));
        keys.text("b", "two");
        keys.text("c", "");
        keys.set("d", Key::Strings(Vec::new()));
        keys.set("a", Key::U32(3));
        let mut more = Keys::new();
        more.set("e", Key::Bool(true));
        keys.extend(more);
        let names: Vec<&str> = keys.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "e"]);
        assert_eq!(keys.get("a"), Some(&Key::U32(3)));
    }

    #[test]
    fn values_stand_in_a_file_as_the_format_says() {
        let written = |value: Key| {
            let mut out = Vec::new();
            value.write(&mut out).unwrap();
            out
        };
        assert_eq!(written(Key::U32(258)), [4, 0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(written(Key::Bool(true)), [7, 0, 0, 0, 1]);
        assert_eq!(written(Key::F32(1.0)), [6, 0, 0, 0, 0, 0, 0x80, 0x3f]);
        let list = written(Key::I32s(vec![-1]));
        assert_eq!(list, [9, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        let text = written(Key::String("hi".to_owned()));
        assert_eq!(text, [8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
        let texts = written(Key::Strings(vec!["h".to_owned(), String::new()]));
        assert_eq!(texts[..16], [9, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(texts[16..].len(), 8 + 1 + 8);
    }
}
