//! Stored bytes to numbers, by ggml's own conversions.
#![expect(unsafe_code, reason = "ggml's conversions are C functions over raw pointers")]

use llama_cpp_sys_2 as sys;

/// Bytes of rows as the file has them, aligned for ggml's blocks (of which none holds anything wider than eight bytes).
#[derive(Debug, Default)]
pub(in crate::llama) struct Raw {
    words: Vec<u64>,
    bytes: usize,
}

impl Raw {
    /// Room for so many bytes, to be filled by the caller.
    pub(in crate::llama) fn bytes(&mut self, bytes: usize) -> &mut [u8] {
        self.bytes = bytes;
        self.words.resize(bytes.div_ceil(8), 0);
        // SAFETY: the words are initialised, hold at least `bytes` bytes, and any byte may be written into them.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast::<u8>(), bytes) }
    }
}

/// Converts whole rows; false for formats that have no conversion.
///
/// # Panics
///
/// If there are not as many bytes as so many numbers take.
pub(in crate::llama) fn to_f32(format: sys::ggml_type, raw: &Raw, values: &mut [f32]) -> bool {
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
    // SAFETY: arithmetic on a type number that ggml's reader accepted.
    let needed = unsafe { sys::ggml_row_size(format, count) };
    assert!(needed == raw.bytes, "{} bytes for {count} numbers", raw.bytes);
    let from = raw.words.as_ptr();
    if format == sys::GGML_TYPE_F32 {
        // SAFETY: `needed` bytes are there, four for each number; both ranges are initialised and do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.cast::<f32>(), values.as_mut_ptr(), values.len()) };
        return true;
    }
    // SAFETY: ggml keeps a static table of traits for all types; the reader has refused others.
    let Some(convert) = (unsafe { (*sys::ggml_get_type_traits(format)).to_float }) else {
        return false;
    };
    // SAFETY: the function reads the bytes of `count` numbers, which are there (checked above) and aligned to eight bytes, and writes as many
    // floats. Whole rows are whole blocks, since the reader refuses rows that are not.
    unsafe { convert(from.cast(), values.as_mut_ptr(), count) };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_q8_0_is_its_scale_times_its_integers() {
        let mut raw = Raw::default();
        let bytes = raw.bytes(34);
        // The scale 0.5 as a 16-bit float, then 32 signed bytes.
        bytes[..2].copy_from_slice(&0x3800u16.to_le_bytes());
        for (i, byte) in (0u8..).zip(&mut bytes[2..]) {
            *byte = i.wrapping_sub(16);
        }
        let mut values = [0f32; 32];
        assert!(to_f32(sys::GGML_TYPE_Q8_0, &raw, &mut values));
        assert!(values[0].total_cmp(&-8.0).is_eq(), "{values:?}");
        assert!(values[31].total_cmp(&7.5).is_eq(), "{values:?}");
    }

    #[test]
    fn integers_have_no_conversion() {
        let mut raw = Raw::default();
        raw.bytes(4);
        assert!(!to_f32(sys::GGML_TYPE_I32, &raw, &mut [0.0]));
    }
}
