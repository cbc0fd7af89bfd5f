//! Inner products between rows: all that an L2 problem needs to know about the features.

use std::ops::Range;

use faer::{
    Accum, Mat, Par,
    linalg::matmul::triangular::{BlockStructure, matmul},
};
use rayon::prelude::*;

use super::{Fit, FitError, Labels, Settings, path::path_of_gram};
use crate::inside::hallucination::columns::{Columns, Value};

/// Columns that are multiplied at once: a block of 4,000 rows is 8 MB.
const BLOCK: usize = 256;

/// `X Xᵀ`, `[rows][rows]`, in `f64`: 8 bytes per pair of rows, 128 MB for 4,000 rows. Computed once, it serves every C, fold and permutation.
#[derive(Debug, Clone)]
pub struct Gram {
    products: Mat<f64>,
}

impl Gram {
    /// Of all rows, on all threads of the pool. Costs rows² × columns multiplications.
    pub fn of<T: Value>(x: &Columns<T>) -> Self {
        let share = x.columns().div_ceil(rayon::current_num_threads()).max(1);
        let spans: Vec<Range<usize>> = (0..x.columns())
            .step_by(share)
            .map(|from| from..(from + share).min(x.columns()))
            .collect();
        let products = spans
            .into_par_iter()
            .map(|span| lower(x, span))
            .reduce_with(|mut sum, part| {
                sum += part;
                sum
            })
            .unwrap_or_else(|| Mat::zeros(x.rows(), x.rows()));
        Self { products }
    }

    /// Fits an L2 problem over the rows of `x`, which must be the matrix that this was computed of.
    pub fn fit<T: Value>(&self, x: &Columns<T>, labels: &Labels, c: f64, settings: &Settings) -> Result<Fit, FitError> {
        let mut fits = path_of_gram(x, self, labels, &[c], settings)?;
        fits.pop().ok_or(FitError::C(c))
    }

    /// The product of two rows.
    pub fn at(&self, one: usize, other: usize) -> f64 {
        self.products[(one.max(other), one.min(other))]
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.products.nrows()
    }
}

/// The lower triangle of the products over some columns.
fn lower<T: Value>(x: &Columns<T>, span: Range<usize>) -> Mat<f64> {
    let mut sum = Mat::zeros(x.rows(), x.rows());
    for from in span.clone().step_by(BLOCK) {
        let block = Mat::from_fn(x.rows(), BLOCK.min(span.end - from), |row, nth| -> f64 {
            x.column(from + nth)[row].into()
        });
        matmul(
            &mut sum,
            BlockStructure::TriangularLower,
            Accum::Add,
            &block,
            BlockStructure::Rectangular,
            block.transpose(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
    }
    sum
}
