//! Values of a GGUF file's metadata.

/// A `gguf_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the types of the format")]
pub enum ValueType {
    Uint8,
    Int8,
    Uint16,
    Int16,
    Uint32,
    Int32,
    Float32,
    Bool,
    String,
    Array,
    Uint64,
    Int64,
    Float64,
}

impl ValueType {
    const ALL: [Self; 13] = [
        Self::Uint8,
        Self::Int8,
        Self::Uint16,
        Self::Int16,
        Self::Uint32,
        Self::Int32,
        Self::Float32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::Uint64,
        Self::Int64,
        Self::Float64,
    ];

    /// The type with this number, when it is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at).copied())
    }

    /// Its number in a file.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The bytes of a value, when all have the same.
    #[must_use]
    pub fn width(self) -> Option<u64> {
        match self {
            Self::Uint8 | Self::Int8 | Self::Bool => Some(1),
            Self::Uint16 | Self::Int16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Float32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Float64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "named after the types of the format")]
pub enum Value {
    Uint8(u8),
    Int8(i8),
    Uint16(u16),
    Int16(i16),
    Uint32(u32),
    Int32(i32),
    Float32(f32),
    Bool(bool),
    String(String),
    Array(Array),
    Uint64(u64),
    Int64(i64),
    Float64(f64),
}

/// Many values of one type. A vocabulary is only measured: its items are not held.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// What the items are.
    pub kind: ValueType,
    /// How many there are.
    pub len: u64,
    /// The items, unless they are many or the tokenizer's.
    pub items: Option<Vec<Value>>,
    /// Where the array begins (its type), counted from the start of the file.
    pub start: u64,
    /// Bytes of its items.
    pub size: u64,
}

impl Value {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ValueType {
        match self {
            Self::Uint8(_) => ValueType::Uint8,
            Self::Int8(_) => ValueType::Int8,
            Self::Uint16(_) => ValueType::Uint16,
            Self::Int16(_) => ValueType::Int16,
            Self::Uint32(_) => ValueType::Uint32,
            Self::Int32(_) => ValueType::Int32,
            Self::Float32(_) => ValueType::Float32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::Uint64(_) => ValueType::Uint64,
            Self::Int64(_) => ValueType::Int64,
            Self::Float64(_) => ValueType::Float64,
        }
    }

    /// The text, when it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, when it is a whole one that is not negative.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match *self {
            Self::Uint8(n) => Some(n.into()),
            Self::Uint16(n) => Some(n.into()),
            Self::Uint32(n) => Some(n.into()),
            Self::Uint64(n) => Some(n),
            Self::Int8(n) => n.try_into().ok(),
            Self::Int16(n) => n.try_into().ok(),
            Self::Int32(n) => n.try_into().ok(),
            Self::Int64(n) => n.try_into().ok(),
            _ => None,
        }
    }
}
