//! Rows zeroed and scaled without quantising again.

use half::{bf16, f16};

use super::BlockFormat;

/// Rows that cannot be changed in place.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RowError {
    /// The row is no whole number of blocks.
    #[error(
        "a {format} row holds a multiple of {block} values, and not {values}; widen in steps of {block}, or keep the tensor in F16"
    )]
    Length {
        /// The format.
        format: &'static str,
        /// Values in a block.
        block: usize,
        /// The row length asked for.
        values: usize,
    },
    /// The bytes are no whole number of blocks.
    #[error("{found} bytes are no row of {format} blocks of {block} bytes; check the tensor's type and offset")]
    Bytes {
        /// The format.
        format: &'static str,
        /// Bytes in a block.
        block: usize,
        /// Bytes given.
        found: usize,
    },
    /// A scale leaves f16.
    #[error(
        "factor {factor} takes a block's scale {scale} beyond what f16 holds; choose a smaller one, or edit through an adapter"
    )]
    Overflow {
        /// The factor.
        factor: f64,
        /// The scale.
        scale: f64,
    },
    /// A value is too large for the format's scales.
    #[error("a value of the row is beyond what the f16 numbers of {0} hold; keep the tensor in F32 or BF16")]
    TooLarge(&'static str),
    /// Reading or writing values needs ggml.
    #[error("values of {0} are read and written by ggml alone; rewrite the tensor as F16 or Q8_0")]
    Unsupported(&'static str),
    /// A value has no place in the format.
    #[error("value {0} of the row is not finite; a quantised row cannot hold it")]
    NotFinite(usize),
}

/// Erases a row: it reads as zeros in every format.
pub fn zero_row(row: &mut [u8]) {
    row.fill(0);
}

/// Multiplies a row by `factor` through its blocks' scales, each rounded to f16: exact for powers of two while nothing under- or overflows. Plain floats are multiplied one by one.
/// On an error the row is as it was.
pub fn scale_row(format: BlockFormat, row: &mut [u8], factor: f64) -> Result<(), RowError> {
    check_bytes(format, row)?;
    let mut scaled = row.to_vec();
    for block in scaled.chunks_exact_mut(format.block_bytes()) {
        match format {
            BlockFormat::F32 => {
                let value = f32::from_le_bytes([block[0], block[1], block[2], block[3]]);
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "rounding to the nearest f32 is the purpose"
                )]
                let product = (f64::from(value) * factor) as f32;
                finite(value.into(), factor, product.is_finite())?;
                block.copy_from_slice(&product.to_le_bytes());
            }
            BlockFormat::BF16 => {
                let value = bf16::from_le_bytes([block[0], block[1]]).to_f64();
                let product = bf16::from_f64(value * factor);
                finite(value, factor, product.is_finite())?;
                block.copy_from_slice(&product.to_le_bytes());
            }
            BlockFormat::F16 => scale_half(block, 0, factor)?,
            _ => format
                .scales()
                .iter()
                .try_for_each(|&at| scale_half(block, at, factor))?,
        }
    }
    row.copy_from_slice(&scaled);
    Ok(())
}

pub(super) fn check_bytes(format: BlockFormat, row: &[u8]) -> Result<(), RowError> {
    let (block, found) = (format.block_bytes(), row.len());
    match found % block {
        0 => Ok(()),
        _ => Err(RowError::Bytes {
            format: format.name(),
            block,
            found,
        }),
    }
}

fn scale_half(block: &mut [u8], at: usize, factor: f64) -> Result<(), RowError> {
    let value = f16::from_le_bytes([block[at], block[at + 1]]).to_f64();
    let product = f16::from_f64(value * factor);
    finite(value, factor, product.is_finite())?;
    block[at..at + 2].copy_from_slice(&product.to_le_bytes());
    Ok(())
}

/// A scale that was no number before may stay so.
fn finite(scale: f64, factor: f64, is_finite: bool) -> Result<(), RowError> {
    if is_finite || !scale.is_finite() {
        return Ok(());
    }
    Err(RowError::Overflow { factor, scale })
}
