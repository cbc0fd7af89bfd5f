//! One adapter of one tensor.

use crate::inside::bricks::{Element, Matrix, ShapeError, merge::MergeError};

/// An adapter of one tensor. Both factors have its rank, and α is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Lora<T> {
    a: Matrix<T>,
    b: Matrix<T>,
    alpha: f64,
}

/// Adapters that cannot be made or combined.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LoraError {
    /// Factors or tensors do not fit.
    #[error("the adapter does not fit: {0}")]
    Shape(#[from] ShapeError),
    /// α is no number.
    #[error("`adapter.lora.alpha` is {0}; it must be a finite number")]
    Alpha(f64),
    /// No rank.
    #[error("an adapter of rank 0 changes nothing; ask for rank 1 or more")]
    NoRank,
    /// No adapter.
    #[error("no adapter given; combining needs one or more")]
    None,
    /// Products do not merge.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// No singular values.
    #[error("the singular value decomposition did not converge; check the tensors for values that are not finite")]
    Decomposition,
}

impl<T: Element> Lora<T> {
    /// `a` `[r][inputs]`, `b` `[outputs][r]`.
    pub fn new(a: Matrix<T>, b: Matrix<T>, alpha: f64) -> Result<Self, LoraError> {
        ShapeError::check("rank of `lora_b`", b.columns(), a.rows())?;
        if a.rows() == 0 {
            return Err(LoraError::NoRank);
        }
        if !alpha.is_finite() {
            return Err(LoraError::Alpha(alpha));
        }
        Ok(Self { a, b, alpha })
    }

    /// `A [r][inputs]`.
    pub fn a(&self) -> &Matrix<T> {
        &self.a
    }

    /// `B [outputs][r]`.
    pub fn b(&self) -> &Matrix<T> {
        &self.b
    }

    /// `adapter.lora.alpha`.
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// The rank r.
    pub fn rank(&self) -> usize {
        self.a.rows()
    }

    /// `s·α/r`; where α is 0, `s`.
    pub fn factor(&self, scale: f64) -> f64 {
        if self.alpha == 0.0 {
            scale
        } else {
            scale * self.alpha / self.rank() as f64
        }
    }

    /// `s·(α/r)·B A`, `[outputs][inputs]`.
    pub fn delta(&self, scale: f64) -> Matrix<f64> {
        let factor = self.factor(scale);
        let product = self.b.times_fitting(&self.a);
        Matrix::from_fn(product.rows(), product.columns(), |row, column| {
            factor * product.at(row, column)
        })
    }

    /// `W + s·(α/r)·B A`. A negative scale takes an adapter out again, up to rounding.
    pub fn merged_into(&self, weight: &Matrix<T>, scale: f64) -> Result<Matrix<T>, LoraError> {
        ShapeError::check("rows of the tensor", weight.rows(), self.b.rows())?;
        ShapeError::check("columns of the tensor", weight.columns(), self.a.columns())?;
        let delta = self.delta(scale);
        let sum = |row, column| weight.at(row, column) + delta.at(row, column);
        Ok(Matrix::from_fn(weight.rows(), weight.columns(), sum))
    }

    /// What the runtime adds to `W x`: `s·(α/r)·B(A x)`.
    pub fn output(&self, x: &[f64], scale: f64) -> Result<Vec<f64>, LoraError> {
        let factor = self.factor(scale);
        let output = self.b.times(&self.a.times(x)?)?;
        Ok(output.into_iter().map(|value| factor * value).collect())
    }

    /// One adapter that does exactly what all do at their scales: rows of A stacked, columns of B side by side and multiplied by `s·α/r`, α the new rank.
    pub fn joined(adapters: &[(&Self, f64)]) -> Result<Self, LoraError> {
        let (first, _) = adapters.first().ok_or(LoraError::None)?;
        let (inputs, outputs) = (first.a.columns(), first.b.rows());
        let mut rows = Vec::new();
        let mut columns = Vec::new();
        for (adapter, scale) in adapters {
            ShapeError::check("inputs of an adapter", adapter.a.columns(), inputs)?;
            ShapeError::check("outputs of an adapter", adapter.b.rows(), outputs)?;
            for component in 0..adapter.rank() {
                rows.push(adapter.a.row(component));
                columns.push((&adapter.b, component, adapter.factor(*scale)));
            }
        }
        let b = Matrix::from_fn(outputs, columns.len(), |row, column| {
            let (b, component, factor) = columns[column];
            factor * b.at(row, component)
        });
        Self::new(Matrix::from_rows(&rows)?, b, rows.len() as f64)
    }
}
