//! Routing by the activity of functions' units: no training.

use serde::{Deserialize, Serialize};

use super::signature::moments;
use crate::inside::bricks::{Element, Matrix, ShapeError};

/// The usual activity of every unit, over instances of all functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitScale {
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl UnitScale {
    /// From instance scores `[instances][units]`.
    pub fn new<T: Element>(instance_scores: &Matrix<T>) -> Self {
        let (means, deviations) = moments(instance_scores);
        Self { means, deviations }
    }
}

/// `z_F`, the mean over the units of F of `(s_i − μ_i)/σ_i`, for a query's scores `[units]`. `sets[f]` are unit indices; units that never vary count as 0, and so does an empty set.
///
/// # Panics
/// If a set holds a unit that does not exist.
pub fn activity_of_functions<T: Element>(
    query: &[T],
    scale: &UnitScale,
    sets: &[Vec<usize>],
) -> Result<Vec<f64>, ShapeError> {
    ShapeError::check("units of the query", query.len(), scale.means.len())?;
    let score = |&unit: &usize| {
        let off = query[unit].into() - scale.means[unit];
        if scale.deviations[unit] > 0.0 {
            off / scale.deviations[unit]
        } else {
            0.0
        }
    };
    let mean = |set: &Vec<usize>| set.iter().map(score).sum::<f64>() / set.len().max(1) as f64;
    Ok(sets.iter().map(mean).collect())
}

/// The function with the largest activity; of equal ones the first. `None` without functions.
pub fn by_function(activities: &[f64]) -> Option<usize> {
    (0..activities.len())
        .rev()
        .max_by(|&left, &right| activities[left].total_cmp(&activities[right]))
}
