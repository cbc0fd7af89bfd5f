//! A matrix whose shape is checked once.

use super::Element;

/// Numbers in rows. A weight is `[outputs][inputs]`, as GGUF stores it (its `ne0` is the row length); activations are `[tokens][units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix<T> {
    rows: usize,
    columns: usize,
    values: Vec<T>,
}

/// Numbers do not fill the shape that they are said to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The count of values is wrong.
    #[error("{values} values do not fill {rows} rows of {columns}; give the shape that the tensor has in its file")]
    Values {
        /// Rows asked for.
        rows: usize,
        /// Row length asked for.
        columns: usize,
        /// Values given.
        values: usize,
    },
    /// Rows differ in length.
    #[error("row {row} holds {found} values where row 0 holds {expected}; every row needs the same length")]
    Ragged {
        /// The first row that differs, from 0.
        row: usize,
        /// Its length.
        found: usize,
        /// The first row's length.
        expected: usize,
    },
    /// Two tensors that belong together do not fit.
    #[error(
        "`{what}` is {found}, but {expected} is needed to fit the other tensors; check that all are of the same layer and model"
    )]
    Fit {
        /// The length that does not fit.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The value that fits.
        expected: usize,
    },
}

impl ShapeError {
    /// An error unless `found` is `expected`.
    pub(super) fn check(what: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        if found == expected {
            Ok(())
        } else {
            Err(Self::Fit { what, found, expected })
        }
    }
}

impl<T: Element> Matrix<T> {
    /// A matrix of `rows` rows of `columns` values.
    pub fn new(rows: usize, columns: usize, values: Vec<T>) -> Result<Self, ShapeError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            let values = values.len();
            return Err(ShapeError::Values { rows, columns, values });
        }
        Ok(Self { rows, columns, values })
    }

    /// A matrix of the given rows.
    pub fn from_rows<R: AsRef<[T]>>(rows: &[R]) -> Result<Self, ShapeError> {
        let expected = rows.first().map_or(0, |row| row.as_ref().len());
        let mut values = Vec::with_capacity(rows.len() * expected);
        for (nth, row) in rows.iter().enumerate() {
            let found = row.as_ref().len();
            if found != expected {
                return Err(ShapeError::Ragged {
                    row: nth,
                    found,
                    expected,
                });
            }
            values.extend_from_slice(row.as_ref());
        }
        Ok(Self {
            rows: rows.len(),
            columns: expected,
            values,
        })
    }

    /// Every value computed from its row and column.
    pub fn from_fn(rows: usize, columns: usize, mut value: impl FnMut(usize, usize) -> f64) -> Self {
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let values = cells.map(|(row, column)| T::narrow(value(row, column))).collect();
        Self { rows, columns, values }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// All values, row after row, given away.
    pub fn into_values(self) -> Vec<T> {
        self.values
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[T] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// One row, to be changed.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.values[row * self.columns..][..self.columns]
    }

    /// The rows in order.
    pub fn each_row(&self) -> impl ExactSizeIterator<Item = &[T]> {
        (0..self.rows).map(|row| self.row(row))
    }

    /// One value, in f64.
    ///
    /// # Panics
    /// If it lies outside.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.row(row)[column].into()
    }

    /// Sets one value.
    ///
    /// # Panics
    /// If it lies outside.
    pub fn set(&mut self, row: usize, column: usize, value: f64) {
        self.row_mut(row)[column] = T::narrow(value);
    }

    /// Rows as columns.
    #[must_use]
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |row, column| self.at(column, row))
    }

    /// The product with a vector, `[rows]`.
    pub fn times(&self, vector: &[f64]) -> Result<Vec<f64>, ShapeError> {
        ShapeError::check("vector length", vector.len(), self.columns)?;
        Ok(self.each_row().map(|row| dot(row, vector)).collect())
    }

    /// The product with another matrix, `[rows][other columns]`.
    pub fn product<U: Element>(&self, other: &Matrix<U>) -> Result<Matrix<f64>, ShapeError> {
        ShapeError::check("rows of the right factor", other.rows, self.columns)?;
        Ok(self.times_fitting(other))
    }

    /// The product with a matrix that is known to have as many rows as this one has columns.
    pub(super) fn times_fitting<U: Element>(&self, other: &Matrix<U>) -> Matrix<f64> {
        let mut product = Matrix::from_fn(self.rows, other.columns, |_, _| 0.0);
        for row in 0..self.rows {
            let sums: &mut [f64] = product.row_mut(row);
            for (&left, right) in self.row(row).iter().zip(other.each_row()) {
                let left: f64 = left.into();
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum += left * right.into();
                }
            }
        }
        product
    }

    /// The square root of the sum of squares.
    pub fn frobenius(&self) -> f64 {
        norm(&self.values)
    }
}

/// The Euclidean length.
pub(super) fn norm<T: Element>(values: &[T]) -> f64 {
    let squares = values.iter().map(|&value| {
        let value: f64 = value.into();
        value * value
    });
    squares.sum::<f64>().sqrt()
}

/// The sum of products, over the shorter length.
pub(super) fn dot<T: Element, U: Element>(left: &[T], right: &[U]) -> f64 {
    let products = left.iter().zip(right).map(|(&left, &right)| left.into() * right.into());
    products.sum()
}
