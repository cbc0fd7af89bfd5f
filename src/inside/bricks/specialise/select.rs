//! Which units of a layer make a brick.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{FunctionScores, Labels};
use crate::inside::bricks::{Element, Matrix, part_of};

/// Which of two units with equal scores goes first (spec §4.5: with few instances many scores are 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// The lower index.
    LowerIndex,
    /// The one with the larger mean instance score among the function's instances, then the lower index.
    LargerMean,
}

/// The mean instance score per function, `[units][functions]`, from `[instances][units]`.
pub fn mean_scores<T: Element>(instance_scores: &Matrix<T>, labels: &Labels) -> Matrix<f64> {
    let mut sums = Matrix::<f64>::from_fn(instance_scores.columns(), labels.functions().len(), |_, _| 0.0);
    for (row, &function) in instance_scores.each_row().zip(labels.of_instance()) {
        for (unit, &score) in row.iter().enumerate() {
            sums.row_mut(unit)[function] += score.into();
        }
    }
    Matrix::from_fn(sums.rows(), sums.columns(), |unit, function| {
        sums.at(unit, function) / labels.counts()[function] as f64
    })
}

/// The `floor(fraction·units)` units with the highest score for the function, without the units in `except`, ascending by index. `means` are those of [`mean_scores`].
pub fn top(
    scores: &FunctionScores,
    function: usize,
    fraction: f64,
    ties: Ties,
    means: &Matrix<f64>,
    except: &BTreeSet<usize>,
) -> Vec<usize> {
    let count = part_of(fraction * (1.0 + f64::EPSILON), scores.units());
    let mut order: Vec<usize> = (0..scores.units()).filter(|unit| !except.contains(unit)).collect();
    order.sort_by(|&left, &right| {
        let by_score = scores.of(right, function).total_cmp(&scores.of(left, function));
        match ties {
            Ties::LowerIndex => by_score,
            Ties::LargerMean => by_score.then(means.at(right, function).total_cmp(&means.at(left, function))),
        }
    });
    order.truncate(count);
    order.sort_unstable();
    order
}

/// The `floor(fraction·units)` units with the highest mean activation over all functions: a control for pruning.
pub fn top_by_mean(means: &Matrix<f64>, fraction: f64) -> Vec<usize> {
    let overall: Vec<f64> = means.each_row().map(|row| row.iter().sum()).collect();
    let mut order = falling(&overall);
    order.truncate(part_of(fraction * (1.0 + f64::EPSILON), means.rows()));
    order.sort_unstable();
    order
}

/// Resident units: among the top 1 % by mean activation for all functions but one at the most. They are active on nearly every input and slip into bricks.
pub fn residents(means: &Matrix<f64>) -> BTreeSet<usize> {
    let mut times = vec![0; means.rows()];
    for function in 0..means.columns() {
        let column: Vec<f64> = (0..means.rows()).map(|unit| means.at(unit, function)).collect();
        let few = part_of(0.01 * (1.0 + f64::EPSILON), means.rows()).max(1);
        falling(&column).into_iter().take(few).for_each(|unit| times[unit] += 1);
    }
    let enough = means.columns().saturating_sub(1).max(1);
    (0..means.rows()).filter(|&unit| times[unit] >= enough).collect()
}

fn falling(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&left, &right| values[right].total_cmp(&values[left]));
    order
}
