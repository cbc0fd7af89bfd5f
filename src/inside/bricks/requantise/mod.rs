//! Rows of quantised tensors changed in their bytes (spec §4.5 and §6.3).
//!
//! A row is a run of blocks, each with scales of its own. Zero bytes read as zeros in every format, and a row is scaled by scaling its blocks' f16 scales: neither rounds the quants again, and neither changes
//! the file's size. What crosses blocks (a column of `ffn_down`) needs the row written anew: [`quantise`].

mod blocks;
mod format;
mod rows;

pub use blocks::{dequantise, quantise};
pub use format::BlockFormat;
pub use rows::{RowError, scale_row, zero_row};
