//! The formats in which tensors hold numbers, as ggml knows them.
#![expect(unsafe_code, reason = "ggml's traits and quantisers are C functions")]

use std::ffi::CStr;
use std::fmt;

use llama_cpp_sys_2 as sys;

use crate::llama::weights::{Raw, to_f32};

/// A number format that ggml knows, such as `f16` or `q4_1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(sys::ggml_type);

/// Numbers that a format cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The row is no whole number of blocks.
    #[error("a row of `{format}` has a multiple of {block} numbers, and not {columns}; take another width, or `f16`")]
    Length {
        /// The format.
        format: String,
        /// Numbers in a block.
        block: usize,
        /// Numbers of the row.
        columns: usize,
    },
    /// The numbers are no whole number of rows.
    #[error("{found} numbers are no whole number of rows of {columns}")]
    Rows {
        /// Numbers given.
        found: usize,
        /// Numbers of a row.
        columns: usize,
    },
    /// A number that is none.
    #[error("number {0} is not finite, and no quantised tensor can hold it; check the model's file")]
    NotFinite(usize),
    /// ggml has no quantiser for it, or one that wants more than the numbers.
    #[error("ggml writes no numbers as `{0}` without an importance matrix; store the tensor as `f16` or `q8_0`")]
    Unsupported(String),
}

impl Format {
    /// 32-bit floats.
    pub const F32: Self = Self(sys::GGML_TYPE_F32);
    /// 16-bit floats.
    pub const F16: Self = Self(sys::GGML_TYPE_F16);

    /// By ggml's number, which files hold; none where this build of ggml does not know it.
    pub fn from_number(number: u32) -> Option<Self> {
        let format: sys::ggml_type = number;
        if format >= sys::GGML_TYPE_COUNT {
            return None;
        }
        // SAFETY: a number below the count has an entry in ggml's table; types that were taken out have blocks of 0.
        let known = unsafe { sys::ggml_blck_size(format) } > 0;
        known.then_some(Self(format))
    }

    /// By ggml's name in small letters, such as `q8_0`.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = (0..sys::GGML_TYPE_COUNT).filter_map(Self::from_number);
        let name = name.to_lowercase();
        all.find(|format| format.name().to_lowercase() == name)
    }

    /// ggml's number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// ggml's name, such as `q4_1`.
    pub fn name(self) -> String {
        // SAFETY: a type that ggml knows has a name, which is a static text.
        unsafe { CStr::from_ptr(sys::ggml_type_name(self.0)) }
            .to_string_lossy()
            .into_owned()
    }

    /// Numbers in a block: a row's length is a multiple of it.
    pub fn block(self) -> usize {
        // SAFETY: a type that ggml knows.
        usize::try_from(unsafe { sys::ggml_blck_size(self.0) }).unwrap_or(1)
    }

    /// Bytes of a row of so many numbers.
    pub fn row_bytes(self, columns: usize) -> Result<usize, FormatError> {
        let block = self.block();
        if !columns.is_multiple_of(block) {
            return Err(FormatError::Length {
                format: self.name(),
                block,
                columns,
            });
        }
        // SAFETY: arithmetic on a type that ggml knows, and a whole number of blocks.
        Ok(unsafe { sys::ggml_row_size(self.0, i64::try_from(columns).unwrap_or(i64::MAX)) })
    }

    /// Whether numbers can be written in it.
    pub fn is_writable(self) -> bool {
        let plain = [
            sys::GGML_TYPE_F32,
            sys::GGML_TYPE_F16,
            sys::GGML_TYPE_BF16,
            sys::GGML_TYPE_Q4_0,
            sys::GGML_TYPE_Q4_1,
            sys::GGML_TYPE_Q5_0,
            sys::GGML_TYPE_Q5_1,
            sys::GGML_TYPE_Q8_0,
            sys::GGML_TYPE_Q2_K,
            sys::GGML_TYPE_Q3_K,
            sys::GGML_TYPE_Q4_K,
            sys::GGML_TYPE_Q5_K,
            sys::GGML_TYPE_Q6_K,
            sys::GGML_TYPE_IQ4_NL,
            sys::GGML_TYPE_IQ4_XS,
            sys::GGML_TYPE_TQ1_0,
            sys::GGML_TYPE_TQ2_0,
            sys::GGML_TYPE_MXFP4,
        ];
        plain.contains(&self.0)
    }

    /// Numbers of whole blocks, by ggml's own conversion.
    pub fn dequantise(self, bytes: &[u8]) -> Result<Vec<f32>, FormatError> {
        let width = self.row_bytes(self.block())?.max(1);
        if !bytes.len().is_multiple_of(width) {
            return Err(FormatError::Rows {
                found: bytes.len(),
                columns: width,
            });
        }
        let mut raw = Raw::default();
        raw.bytes(bytes.len()).copy_from_slice(bytes);
        let mut values = vec![0.0; bytes.len() / width * self.block()];
        if to_f32(self.0, &raw, &mut values) {
            Ok(values)
        } else {
            Err(FormatError::Unsupported(self.name()))
        }
    }

    /// Appends whole rows of numbers to bytes, by ggml's quantiser.
    pub fn quantise(self, columns: usize, values: &[f32], bytes: &mut Vec<u8>) -> Result<(), FormatError> {
        let row = self.row_bytes(columns)?;
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(FormatError::Rows {
                found: values.len(),
                columns,
            });
        }
        if !self.is_writable() {
            return Err(FormatError::Unsupported(self.name()));
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(FormatError::NotFinite(place));
        }
        let rows = values.len() / columns;
        // ggml wants blocks aligned; none holds anything wider than eight bytes.
        let mut words = vec![0u64; (rows * row).div_ceil(8)];
        let (count, width) = (i64::try_from(rows).unwrap_or(0), i64::try_from(columns).unwrap_or(0));
        // SAFETY: the type has a quantiser that needs no importance matrix (checked against a list); `rows × columns` floats are read, and
        // `rows × row` bytes written, which the words hold.
        let written = unsafe {
            let room = words.as_mut_ptr().cast();
            sys::ggml_quantize_chunk(self.0, values.as_ptr(), room, 0, count, width, std::ptr::null())
        };
        debug_assert_eq!(written, rows * row);
        // SAFETY: initialised words seen as bytes, of which there are at least as many.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), rows * row) });
        Ok(())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn formats_are_found_by_name_and_number() {
        let q4_1 = Format::named("Q4_1").unwrap();
        assert_eq!((q4_1.name().as_str(), q4_1.block()), ("q4_1", 32));
        assert_eq!(q4_1.row_bytes(64), Ok(40));
        assert_eq!(Format::from_number(q4_1.number()), Some(q4_1));
        assert_eq!(Format::named("q4_9"), None);
        // Q4_2 was taken out of ggml.
        assert_eq!(Format::from_number(4), None);
        assert_eq!(Format::from_number(9999), None);
    }

    #[test]
    fn rows_that_no_format_can_hold_are_refused() {
        let q8_0 = Format::named("q8_0").unwrap();
        let mut bytes = Vec::new();
        let refused = q8_0.quantise(48, &[0.0; 48], &mut bytes).unwrap_err();
        assert!(matches!(refused, FormatError::Length { block: 32, .. }), "{refused}");
        let mut values = [1.0; 32];
        values[5] = f32::NAN;
        assert_eq!(q8_0.quantise(32, &values, &mut bytes), Err(FormatError::NotFinite(5)));
        // It needs an importance matrix, without which ggml would end the process.
        let iq1 = Format::named("iq1_s").unwrap();
        assert!(iq1.quantise(256, &[0.0; 256], &mut bytes).is_err());
        assert!(bytes.is_empty());
    }

    #[test]
    fn plain_floats_are_written_as_they_are() {
        let mut bytes = Vec::new();
        Format::F32.quantise(3, &[1.0, -2.0, 0.5], &mut bytes).unwrap();
        assert_eq!(bytes, [1.0f32, -2.0, 0.5].map(f32::to_le_bytes).concat());
        Format::F16.quantise(1, &[1.0], &mut bytes).unwrap();
        assert_eq!(bytes[12..], 0x3c00u16.to_le_bytes());
    }
}
