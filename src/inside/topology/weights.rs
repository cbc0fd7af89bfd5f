//! The door through which weights of a large model come: rows on demand, so that no tensor needs to fit in memory.

use std::error::Error;
use std::ops::Range;

use thiserror::Error;

/// Shape of a tensor as a matrix, `[out][in]`. A vector is one row; the experts of a stacked tensor `[expert][out][in]` are rows one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows: what the matrix writes, one after another.
    pub rows: usize,
    /// Columns: what it reads.
    pub columns: usize,
}

/// A model's tensors.
pub trait Weights: Sync {
    /// What a weight is once dequantised: `f32` for model files.
    type Value: Copy + Into<f64> + Send;

    /// The shape of a tensor, under its name in GGUF files; `None` where the model has no such tensor.
    fn shape(&self, tensor: &str) -> Option<Shape>;

    /// Replaces what `into` holds by the values of some rows, row-major. Called from several threads at once.
    fn read(
        &self,
        tensor: &str,
        rows: Range<usize>,
        into: &mut Vec<Self::Value>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Some rows of a tensor: all of them, or those of one expert or of one part of a fused tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slab {
    /// The tensor's name.
    pub tensor: String,
    /// Which rows.
    pub rows: Range<usize>,
}

/// Why a tensor's values did not come.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The source failed.
    #[error("cannot read rows {rows:?} of tensor `{tensor}`")]
    Source {
        /// The tensor.
        tensor: String,
        /// The rows asked for.
        rows: Range<usize>,
        /// What the source says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The source gave another number of values than it has rows and columns for.
    #[error("rows {rows:?} of tensor `{tensor}` came as {found} values where {expected} were asked for")]
    Length {
        /// The tensor.
        tensor: String,
        /// The rows asked for.
        rows: Range<usize>,
        /// Values that these rows have.
        expected: usize,
        /// Values that came.
        found: usize,
    },
    /// A value that is no number.
    #[error(
        "tensor `{tensor}` holds a value that is not finite in rows {rows:?}; the file is damaged, or its training diverged"
    )]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The rows looked at.
        rows: Range<usize>,
    },
}

/// Reads rows, checks their number and that all are finite, and makes them f64.
pub(super) fn rows<W: Weights + ?Sized>(
    weights: &W,
    tensor: &str,
    rows: Range<usize>,
    columns: usize,
) -> Result<Vec<f64>, ReadError> {
    let mut values = Vec::new();
    let name = || tensor.to_owned();
    weights
        .read(tensor, rows.clone(), &mut values)
        .map_err(|source| ReadError::Source {
            tensor: name(),
            rows: rows.clone(),
            source,
        })?;
    let expected = rows.len() * columns;
    if values.len() != expected {
        return Err(ReadError::Length {
            tensor: name(),
            rows,
            expected,
            found: values.len(),
        });
    }
    let values: Vec<f64> = values.into_iter().map(Into::into).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(ReadError::NotFinite { tensor: name(), rows })
    }
}

/// A whole vector (or the only row of a matrix); `None` where the model has no such tensor.
pub(super) fn vector<W: Weights + ?Sized>(weights: &W, tensor: &str) -> Result<Option<Vec<f64>>, ReadError> {
    match weights.shape(tensor) {
        Some(shape) => rows(weights, tensor, 0..shape.rows, shape.columns).map(Some),
        None => Ok(None),
    }
}
