//! The whole Newton step of an L1 problem over the columns that have a weight, by Cholesky.

use faer::{Mat, Side, prelude::Solve};

use crate::inside::hallucination::columns::Value;

/// Columns up to which a step is worth its cubic cost.
const LARGEST: usize = 1500;

/// The weights that minimise the quadratic model among those of the same signs, zeros staying zero. Where that would change a sign, the step ends at the
/// first zero. `None` where there is nothing to move, too much of it, or no unique step.
pub(super) fn newton_step<T: Value>(
    columns: &[&[T]],
    gradient: &[f64],
    second: &[f64],
    weights: &[f64],
) -> Option<Vec<f64>> {
    let free: Vec<usize> = (0..columns.len()).filter(|&column| weights[column] != 0.0).collect();
    if free.is_empty() || free.len() > LARGEST {
        return None;
    }
    let rows = second.len();
    // [rows][free], each row scaled by the root of its curvature, so that H = ScaledᵀScaled.
    let roots: Vec<f64> = second.iter().map(|value| value.sqrt()).collect();
    let scaled = Mat::from_fn(rows, free.len(), |row, nth| {
        let x: f64 = columns[free[nth]][row].into();
        roots[row] * x
    });
    let mut hessian = scaled.transpose() * &scaled;
    let mut trace = 0.0;
    for nth in 0..free.len() {
        trace += hessian[(nth, nth)];
    }
    let ridge = 1e-13 * trace / free.len() as f64;
    for nth in 0..free.len() {
        hessian[(nth, nth)] += ridge;
    }
    let right = Mat::from_fn(free.len(), 1, |nth, _| {
        -(gradient[free[nth]] + weights[free[nth]].signum())
    });
    let step = hessian.llt(Side::Lower).ok()?.solve(right);
    let mut share = 1.0;
    let mut blocking = None;
    for (nth, &column) in free.iter().enumerate() {
        let (from, change) = (weights[column], step[(nth, 0)]);
        if !change.is_finite() {
            return None;
        }
        let reaches = -from / change;
        if from * (from + change) < 0.0 && reaches < share {
            share = reaches;
            blocking = Some(column);
        }
    }
    let mut target = weights.to_vec();
    for (nth, &column) in free.iter().enumerate() {
        target[column] += share * step[(nth, 0)];
    }
    if let Some(column) = blocking {
        target[column] = 0.0;
    }
    Some(target)
}
