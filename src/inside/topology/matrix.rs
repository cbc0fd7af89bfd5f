//! Dense matrices, `[out][in]`: a row holds the weights that arrive at one node.

use thiserror::Error;

/// Numbers that do not fill the shape they were given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{found} numbers do not fill the shape {shape:?}, which takes {expected}")]
pub struct ShapeError {
    /// The shape asked for.
    pub shape: Vec<usize>,
    /// How many numbers that takes.
    pub expected: usize,
    /// How many came.
    pub found: usize,
}

impl ShapeError {
    /// An error unless `found` numbers fill `shape`.
    pub(super) fn check(shape: &[usize], found: usize) -> Result<(), Self> {
        let expected = shape.iter().product();
        if found == expected {
            return Ok(());
        }
        Err(Self {
            shape: shape.to_vec(),
            expected,
            found,
        })
    }
}

/// Weights from `columns` source nodes to `rows` target nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// From values in row-major order.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self, ShapeError> {
        ShapeError::check(&[rows, columns], values.len())?;
        Ok(Self { rows, columns, values })
    }

    /// Number of target nodes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of source nodes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values in row-major order.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The weights that arrive at a target node.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// The sum of each row.
    #[must_use]
    pub fn row_sums(&self) -> Vec<f64> {
        (0..self.rows).map(|row| self.row(row).iter().sum()).collect()
    }

    /// The sum of each column.
    #[must_use]
    pub fn column_sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.columns];
        for row in 0..self.rows {
            add(&mut sums, self.row(row));
        }
        sums
    }

    /// Matrix times vector.
    #[must_use]
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let dot = |row: &[f64]| row.iter().zip(vector).map(|(weight, value)| weight * value).sum();
        (0..self.rows).map(|row| dot(self.row(row))).collect()
    }
}

/// Adds a vector to another, number by number.
pub(super) fn add(to: &mut [f64], more: &[f64]) {
    for (value, more) in to.iter_mut().zip(more) {
        *value += more;
    }
}
