//! The loss and its derivatives with respect to the linear predictor.

use super::{FitError, Intercept, Labels};
use crate::inside::hallucination::columns::{Columns, Value, dot};

/// What is to be minimised at one C. The intercept is the weight of one more column, of ones.
pub(super) struct Problem<'a, T> {
    x: &'a Columns<T>,
    ones: Vec<T>,
    pub(super) loss: Loss<'a>,
}

/// `C Σ cᵢ log(1 + exp(−sᵢ fᵢ))` of the linear predictor f `[rows]`.
#[derive(Clone, Copy)]
pub(super) struct Loss<'a> {
    pub(super) labels: &'a Labels,
    pub(super) c: f64,
}

impl<'a, T: Value> Problem<'a, T> {
    pub(super) fn new(x: &'a Columns<T>, labels: &'a Labels, c: f64, intercept: Intercept) -> Result<Self, FitError> {
        labels.check(x.rows())?;
        if !(c.is_finite() && c > 0.0) {
            return Err(FitError::C(c));
        }
        let ones = match intercept {
            Intercept::Penalised => vec![T::from(1); x.rows()],
            Intercept::Absent => Vec::new(),
        };
        Ok(Self {
            x,
            ones,
            loss: Loss { labels, c },
        })
    }

    /// Columns, that of ones included.
    pub(super) fn columns(&self) -> usize {
        self.x.columns() + usize::from(!self.ones.is_empty())
    }

    /// The column of ones, where there is one.
    pub(super) fn constant(&self) -> Option<usize> {
        (!self.ones.is_empty()).then(|| self.x.columns())
    }

    pub(super) fn column(&self, column: usize) -> &[T] {
        if column < self.x.columns() {
            self.x.column(column)
        } else {
            &self.ones
        }
    }

    /// The products of all columns with `v` `[rows]`.
    pub(super) fn products(&self, v: &[f64]) -> Vec<f64> {
        let mut products = self.x.transposed_times(v);
        if !self.ones.is_empty() {
            products.push(dot(&self.ones, v));
        }
        products
    }
}

impl Loss<'_> {
    pub(super) fn value(self, linear: &[f64]) -> f64 {
        let rows = self.labels.signs.iter().zip(&self.labels.importance).zip(linear);
        self.c
            * rows
                .filter(|((_, importance), _)| **importance > 0.0)
                .map(|((sign, importance), f)| importance * softplus(-sign * f))
                .sum::<f64>()
    }

    /// First and second derivatives by every row's predictor.
    pub(super) fn derivatives(self, linear: &[f64], first: &mut [f64], second: &mut [f64]) {
        let rows = self.labels.signs.iter().zip(&self.labels.importance).zip(linear);
        for (((sign, importance), f), (first, second)) in rows.zip(first.iter_mut().zip(second)) {
            // The probability of the other class.
            let wrong = sigmoid(-sign * f);
            *first = -self.c * importance * sign * wrong;
            *second = self.c * importance * wrong * (1.0 - wrong);
        }
    }
}

/// `log(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    if x > 0.0 {
        x + (-x).exp().ln_1p()
    } else {
        x.exp().ln_1p()
    }
}

/// The logistic function.
pub(in crate::inside::hallucination) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}
