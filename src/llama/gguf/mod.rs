//! GGUF files, read and written.
//!
//! [`Gguf`] is what a file says of itself, with its fields as the bytes that they are. A [`Draft`] is a file to be: usually a copy of another in which some tensors
//! or fields are replaced. Everything else is copied byte for byte, a piece at a time, so that memory stays small whatever the
//! model's size; the result appears under its name when it is complete. Numbers are written by ggml's own quantisers.
//!
//! ```no_run
//! use widedeep::llama::{Draft, Gguf};
//!
//! let model = Gguf::open("model.gguf".as_ref())?;
//! let mut draft = Draft::of(&model);
//! let tensor = model.tensor("blk.3.ffn_up.weight")?;
//! draft.replace(&tensor.name, |rows| {
//!     // Silence unit 7: a row of zero bytes reads as zeros in every format.
//!     model.each_row(tensor, |unit, row| {
//!         if unit == 7 {
//!             row.fill(0);
//!         }
//!         Ok(rows.bytes(row)?)
//!     })
//! })?;
//! draft.write("silenced.gguf".as_ref())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
mod draft;
mod error;
mod field;
mod format;
mod header;
mod parse;
mod rows;

pub use adapter::{AdapterFile, Pair};
pub use draft::Draft;
pub use error::{GgufError, Problem};
pub use field::Field;
pub use format::{Format, FormatError};
pub use header::{Entry, Gguf};
pub use rows::{Rows, RowsError};
