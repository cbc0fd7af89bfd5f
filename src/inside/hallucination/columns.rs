//! A matrix whose columns lie together in memory: rows are examples, columns are units.

use rayon::prelude::*;

/// A number that a matrix can hold; arithmetic is in `f64`.
pub trait Value: Copy + Default + From<u8> + Into<f64> + Send + Sync {}

impl Value for f32 {}
impl Value for f64 {}

/// `[rows][columns]`, stored column after column. Real features are `f32`: four bytes per example and unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns<T = f32> {
    rows: usize,
    data: Vec<T>,
}

/// Rows of unequal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("row {row} has {found} values and the first one {expected}: rows must be of one length")]
pub struct RaggedRows {
    /// The row, from 0.
    pub row: usize,
    /// Its values.
    pub found: usize,
    /// Values of the first row.
    pub expected: usize,
}

impl<T: Value> Columns<T> {
    /// From rows.
    pub fn from_rows<R: AsRef<[T]>>(rows: &[R]) -> Result<Self, RaggedRows> {
        let expected = rows.first().map_or(0, |row| row.as_ref().len());
        let mut columns = Self::zeros(rows.len(), expected);
        for (row, values) in rows.iter().enumerate() {
            let values = values.as_ref();
            if values.len() != expected {
                return Err(RaggedRows {
                    row,
                    found: values.len(),
                    expected,
                });
            }
            columns.set_rows(row, values);
        }
        Ok(columns)
    }

    /// All zero.
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            data: vec![T::default(); rows * columns],
        }
    }

    /// Sets the rows from `first` on to those in `block`, which lie one after the other.
    pub(super) fn set_rows(&mut self, first: usize, block: &[T]) {
        let columns = self.columns();
        if columns == 0 {
            return;
        }
        for (column, values) in self.data.chunks_exact_mut(self.rows).enumerate() {
            for (nth, row) in block.chunks_exact(columns).enumerate() {
                values[first + nth] = row[column];
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.data.len().checked_div(self.rows).unwrap_or(0)
    }

    /// One column, `[rows]`.
    pub fn column(&self, column: usize) -> &[T] {
        &self.data[column * self.rows..(column + 1) * self.rows]
    }

    /// Some columns, in the order given.
    #[must_use]
    pub fn select(&self, columns: &[usize]) -> Self {
        let data = columns.iter().flat_map(|&column| self.column(column).iter().copied());
        Self {
            rows: self.rows,
            data: data.collect(),
        }
    }

    /// `Xᵀ v`: every column's product with `v` `[rows]`, on all threads of the pool.
    pub fn transposed_times(&self, v: &[f64]) -> Vec<f64> {
        if self.rows == 0 {
            return Vec::new();
        }
        self.data
            .par_chunks_exact(self.rows)
            .with_min_len(64)
            .map(|column| dot(column, v))
            .collect()
    }

    /// `X w + bias` over the columns with a weight, `[rows]`.
    pub fn times(&self, weights: impl IntoIterator<Item = (usize, f64)>, bias: f64) -> Vec<f64> {
        let mut sums = vec![bias; self.rows];
        for (column, weight) in weights {
            if weight != 0.0 {
                add_scaled(&mut sums, self.column(column), weight);
            }
        }
        sums
    }
}

/// The inner product. Eight sums side by side, since a single one could not be vectorised without changing its value.
pub(super) fn dot<T: Value>(x: &[T], v: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (xs, x_rest) = x.as_chunks::<8>();
    let (vs, v_rest) = v.as_chunks::<8>();
    for (x, v) in xs.iter().zip(vs) {
        for lane in 0..8 {
            sums[lane] += x[lane].into() * v[lane];
        }
    }
    let rest: f64 = x_rest.iter().zip(v_rest).map(|(&x, &v)| x.into() * v).sum();
    sums.iter().sum::<f64>() + rest
}

/// `Σ x² v`, as [`dot`].
pub(super) fn dot_squares<T: Value>(x: &[T], v: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (xs, x_rest) = x.as_chunks::<8>();
    let (vs, v_rest) = v.as_chunks::<8>();
    for (x, v) in xs.iter().zip(vs) {
        for lane in 0..8 {
            let x: f64 = x[lane].into();
            sums[lane] += x * x * v[lane];
        }
    }
    let square = |x: T| {
        let x: f64 = x.into();
        x * x
    };
    let rest: f64 = x_rest.iter().zip(v_rest).map(|(&x, &v)| square(x) * v).sum();
    sums.iter().sum::<f64>() + rest
}

/// `sums += scale · x`.
pub(super) fn add_scaled<T: Value>(sums: &mut [f64], x: &[T], scale: f64) {
    for (sum, &x) in sums.iter_mut().zip(x) {
        *sum += scale * x.into();
    }
}
