//! Fields of a header, kept as the bytes that they are.

/// Numbers of the kinds of value, as files have them.
const UINT32: u32 = 4;
const FLOAT32: u32 = 6;
const TEXT: u32 = 8;
pub(super) const LIST: u32 = 9;

/// A value, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub(super) kind: u32,
    pub(super) bytes: Vec<u8>,
}

impl Field {
    /// A whole number.
    pub fn number(value: u32) -> Self {
        Self {
            kind: UINT32,
            bytes: value.to_le_bytes().to_vec(),
        }
    }

    /// A floating-point number.
    pub fn float(value: f32) -> Self {
        Self {
            kind: FLOAT32,
            bytes: value.to_le_bytes().to_vec(),
        }
    }

    /// A text.
    pub fn text(value: &str) -> Self {
        let mut bytes = (value.len() as u64).to_le_bytes().to_vec();
        bytes.extend(value.as_bytes());
        Self { kind: TEXT, bytes }
    }

    /// The value, if it is a whole number and not negative.
    pub fn as_number(&self) -> Option<u64> {
        let at = |width: usize| self.bytes.get(..width);
        match self.kind {
            0 => Some(u64::from(self.bytes.first().copied()?)),
            1 => u64::try_from(i8::from_le_bytes(at(1)?.try_into().ok()?)).ok(),
            2 => Some(u64::from(u16::from_le_bytes(at(2)?.try_into().ok()?))),
            3 => u64::try_from(i16::from_le_bytes(at(2)?.try_into().ok()?)).ok(),
            UINT32 => Some(u64::from(u32::from_le_bytes(at(4)?.try_into().ok()?))),
            5 => u64::try_from(i32::from_le_bytes(at(4)?.try_into().ok()?)).ok(),
            10 => Some(u64::from_le_bytes(at(8)?.try_into().ok()?)),
            11 => u64::try_from(i64::from_le_bytes(at(8)?.try_into().ok()?)).ok(),
            _ => None,
        }
    }

    /// The value, if it is a 32-bit float.
    pub fn as_float(&self) -> Option<f32> {
        let bytes = self.bytes.get(..4)?.try_into().ok()?;
        (self.kind == FLOAT32).then(|| f32::from_le_bytes(bytes))
    }

    /// How long the value is, if it is a list.
    pub fn list_length(&self) -> Option<u64> {
        (self.kind == LIST).then_some(())?;
        let count = self.bytes.get(4..12)?.try_into().ok()?;
        Some(u64::from_le_bytes(count))
    }

    /// The value, if it is a text.
    pub fn as_text(&self) -> Option<&str> {
        (self.kind == TEXT).then_some(())?;
        std::str::from_utf8(self.bytes.get(8..)?).ok()
    }
}

/// Bytes of a value of this kind; none for texts and lists, whose length stands in front, and for kinds that do not exist.
pub(super) fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        UINT32 | 5 | FLOAT32 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

pub(super) fn is_text(kind: u32) -> bool {
    kind == TEXT
}
