//! Where the rows of a new tensor go.

use std::io::Write;

use super::{Entry, FormatError};

/// Takes a tensor's rows in order, as bytes or as numbers.
pub struct Rows<'w> {
    tensor: &'w Entry,
    into: &'w mut dyn Write,
    written: u64,
    bytes: Vec<u8>,
}

/// Why rows cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The numbers do not fit the format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The bytes are no whole rows.
    #[error("{found} bytes are no whole number of rows of {row}")]
    Bytes {
        /// Bytes given.
        found: usize,
        /// Bytes of a row.
        row: usize,
    },
    /// The disk refuses.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

impl<'w> Rows<'w> {
    pub(super) fn new(tensor: &'w Entry, into: &'w mut dyn Write) -> Self {
        Self {
            tensor,
            into,
            written: 0,
            bytes: Vec::new(),
        }
    }

    /// The tensor that they make up.
    pub fn tensor(&self) -> &'w Entry {
        self.tensor
    }

    /// Takes whole rows in the tensor's format.
    pub fn bytes(&mut self, rows: &[u8]) -> Result<(), RowsError> {
        let row = self.tensor.row_bytes();
        if row == 0 || !rows.len().is_multiple_of(row) {
            let found = rows.len();
            return Err(RowsError::Bytes { found, row });
        }
        self.into.write_all(rows)?;
        self.written += rows.len() as u64;
        Ok(())
    }

    /// Takes whole rows of numbers, and stores them in the tensor's format.
    pub fn values(&mut self, rows: &[f32]) -> Result<(), RowsError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.tensor.format.quantise(self.tensor.columns(), rows, &mut bytes)?;
        self.bytes(&bytes)?;
        self.bytes = bytes;
        Ok(())
    }

    /// How many bytes were taken.
    pub(super) fn written(&self) -> u64 {
        self.written
    }
}
