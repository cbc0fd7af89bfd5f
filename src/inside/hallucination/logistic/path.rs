//! Several values of C, each starting from the solution of the one before.

use serde::{Deserialize, Serialize};

use super::{Fit, FitError, Gram, Intercept, Labels, Penalty, Problem, Settings, l1, l2};
use crate::inside::hallucination::columns::{Columns, Value};

/// Which values of C to try: logarithmically spaced between two multiples of [`largest_c_without_weights`] (spec 2.11).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// How many.
    pub points: usize,
    /// The smallest, as a multiple.
    pub from: f64,
    /// The largest, as a multiple.
    pub to: f64,
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            points: 12,
            from: 1.2,
            to: 300.0,
        }
    }
}

impl Grid {
    /// The values for a matrix, ascending. Only columns of features count for the bound, not the constant one.
    pub fn values<T: Value>(&self, x: &Columns<T>, labels: &Labels) -> Result<Vec<f64>, FitError> {
        let bound = largest_c_without_weights(x, labels, Intercept::Absent)?;
        let last = self.points.saturating_sub(1).max(1) as f64;
        let at = |nth: usize| bound * self.from * (self.to / self.from).powf(nth as f64 / last);
        Ok((0..self.points).map(at).collect())
    }
}

/// The largest C at which all L1 weights are zero: `2 / maxⱼ |Σ sᵢ cᵢ xᵢⱼ|`, over the constant column too where there is an intercept (scikit-learn's `l1_min_c`).
pub fn largest_c_without_weights<T: Value>(
    x: &Columns<T>,
    labels: &Labels,
    intercept: Intercept,
) -> Result<f64, FitError> {
    let problem = Problem::new(x, labels, 1.0, intercept)?;
    let signs: Vec<f64> = labels
        .signs
        .iter()
        .zip(&labels.importance)
        .map(|(sign, c)| sign * c)
        .collect();
    let products = problem.products(&signs);
    if let Some(column) = products.iter().position(|product| !product.is_finite()) {
        return Err(FitError::NotFinite(column));
    }
    let largest = products
        .iter()
        .map(|product| product.abs())
        .max_by(f64::total_cmp)
        .unwrap_or(0.0);
    if largest > 0.0 {
        Ok(2.0 / largest)
    } else {
        Err(FitError::Nothing)
    }
}

/// The solutions at several values of C, in the order given; ascending is fastest.
pub fn path<T: Value>(
    x: &Columns<T>,
    labels: &Labels,
    cs: &[f64],
    penalty: Penalty,
    settings: &Settings,
) -> Result<Vec<Fit>, FitError> {
    match penalty {
        Penalty::L1 => path_l1(x, labels, cs, settings),
        Penalty::L2 if x.columns() < x.rows() => {
            let mut weights = Vec::new();
            cs.iter()
                .map(|&c| {
                    let problem = Problem::new(x, labels, c, settings.intercept)?;
                    finite(l2::over_columns(&problem, settings, &mut weights)?)
                })
                .collect()
        }
        Penalty::L2 => path_of_gram(x, &Gram::of(x), labels, cs, settings),
    }
}

/// L2 with products of rows that are at hand.
pub(super) fn path_of_gram<T: Value>(
    x: &Columns<T>,
    gram: &Gram,
    labels: &Labels,
    cs: &[f64],
    settings: &Settings,
) -> Result<Vec<Fit>, FitError> {
    let mut start: Option<Vec<f64>> = None;
    cs.iter()
        .map(|&c| {
            let problem = Problem::new(x, labels, c, settings.intercept)?;
            let found = l2::over_rows(gram, labels, c, settings, start.as_deref())?;
            let fit = found.fit(&problem, x.columns(), c);
            start = Some(found.alpha);
            finite(fit)
        })
        .collect()
}

fn path_l1<T: Value>(x: &Columns<T>, labels: &Labels, cs: &[f64], settings: &Settings) -> Result<Vec<Fit>, FitError> {
    let columns = x.columns() + usize::from(settings.intercept == Intercept::Penalised);
    let mut state = l1::State::zero(columns, x.rows());
    cs.iter()
        .map(|&c| {
            let problem = Problem::new(x, labels, c, settings.intercept)?;
            let outcome = l1::solve(&problem, &mut state, settings);
            let mut weights = state.weights.clone();
            let bias = if problem.constant().is_some() {
                weights.pop().unwrap_or(0.0)
            } else {
                0.0
            };
            finite(Fit {
                penalty: Penalty::L1,
                c,
                weights,
                bias,
                objective: outcome.objective,
                violation: outcome.violation,
                rounds: outcome.rounds,
                stopped: outcome.stopped,
            })
        })
        .collect()
}

fn finite(fit: Fit) -> Result<Fit, FitError> {
    if let Some(column) = fit.weights.iter().position(|weight| !weight.is_finite()) {
        return Err(FitError::NotFinite(column));
    }
    if fit.objective.is_finite() {
        Ok(fit)
    } else {
        Err(FitError::Singular)
    }
}
