//! The cumulative error of tail truncation as a function of the threshold (Sparsing Law, arXiv 2411.02335; spec §3.3).

use serde::{Deserialize, Serialize};

use super::mask::{ascending, ratio};
use crate::inside::bricks::{Element, Matrix, ShapeError, matrix::norm};

/// For every token, its units in ascending order of magnitude and the norm of what each prefix of them puts out. All questions about thresholds are
/// answered from it. Holds 16 bytes per token and unit.
#[derive(Debug, Clone)]
pub struct TailErrors {
    tokens: Vec<Tail>,
    units: usize,
}

#[derive(Debug, Clone)]
struct Tail {
    /// Magnitudes, ascending.
    magnitudes: Vec<f64>,
    /// `cett[k]`: the error of leaving out the k lowest, `[units + 1]`.
    cett: Vec<f64>,
}

/// What a threshold does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtThreshold {
    /// The threshold ε; units with magnitude strictly below it are left out.
    pub epsilon: f64,
    /// The mean fraction of units left out.
    pub sparsity: f64,
    /// The mean CETT over tokens.
    pub mean_cett: f64,
    /// The CETT of each token.
    pub cett_per_token: Vec<f64>,
}

/// A threshold with its sparsity and error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The threshold ε, one of the magnitudes that occur.
    pub epsilon: f64,
    /// The mean fraction of units left out.
    pub sparsity: f64,
    /// The mean CETT over tokens.
    pub mean_cett: f64,
}

/// The thresholds for a wanted mean CETT. The mean is not strictly monotone, as it is the norm of a sum: a larger threshold may be feasible beyond one that is
/// not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The mean CETT that must not be passed.
    pub target: f64,
    /// The largest magnitude, in ascending order, before the first at which the mean CETT is above the target. This is the definition.
    pub before_first_violation: Threshold,
    /// The largest magnitude at which the mean CETT is not above the target.
    pub largest_feasible: Threshold,
}

impl TailErrors {
    /// `activations` `[tokens][units]`, `down` `[outputs][units]`, `norms` of [`super::column_norms`]. Costs tokens × units × outputs multiplications.
    pub fn new<T: Element, W: Element>(
        activations: &Matrix<T>,
        down: &Matrix<W>,
        norms: &[f64],
    ) -> Result<Self, ShapeError> {
        ShapeError::check("columns of ffn_down", down.columns(), activations.columns())?;
        ShapeError::check("column norms", norms.len(), activations.columns())?;
        // A unit's outputs lie together, so that adding one is a walk over memory.
        let values = down.transposed();
        let tokens = activations
            .each_row()
            .map(|row| Tail::new(row, &values, norms))
            .collect();
        Ok(Self {
            tokens,
            units: activations.columns(),
        })
    }

    /// The error and the sparsity at ε.
    pub fn at(&self, epsilon: f64) -> AtThreshold {
        let (mut left_out, mut cett_per_token) = (0, Vec::with_capacity(self.tokens.len()));
        for token in &self.tokens {
            let below = token.magnitudes.partition_point(|&magnitude| magnitude < epsilon);
            left_out += below;
            cett_per_token.push(token.cett[below]);
        }
        let mean_cett = mean(cett_per_token.iter().sum(), self.tokens.len());
        let sparsity = mean(left_out as f64, self.tokens.len() * self.units);
        AtThreshold {
            epsilon,
            sparsity,
            mean_cett,
            cett_per_token,
        }
    }

    /// The thresholds for each target; `None` without tokens or units.
    pub fn targets(&self, targets: &[f64]) -> Option<Vec<Target>> {
        let sweep = self.sweep();
        targets.iter().map(|&target| find(&sweep, target)).collect()
    }

    /// Whether a larger threshold never lowers the mean CETT.
    pub fn is_monotone(&self) -> bool {
        self.sweep().is_sorted_by(|low, high| low.mean_cett <= high.mean_cett)
    }

    /// Every magnitude that occurs, ascending, with what it does as a threshold.
    fn sweep(&self) -> Vec<Threshold> {
        let all = self.tokens.iter().enumerate();
        let mut events: Vec<(f64, usize)> = all
            .flat_map(|(nth, token)| token.magnitudes.iter().map(move |&magnitude| (magnitude, nth)))
            .collect();
        events.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut taken = vec![0; self.tokens.len()];
        let (mut sum, mut left_out) = (0.0, 0);
        let mut sweep: Vec<Threshold> = Vec::new();
        for (epsilon, token) in events {
            if sweep.last().is_none_or(|last| last.epsilon < epsilon) {
                let sparsity = mean(f64::from(left_out), self.tokens.len() * self.units);
                sweep.push(Threshold {
                    epsilon,
                    sparsity,
                    mean_cett: mean(sum, self.tokens.len()),
                });
            }
            let cett = &self.tokens[token].cett;
            sum += cett[taken[token] + 1] - cett[taken[token]];
            taken[token] += 1;
            left_out += 1;
        }
        sweep
    }
}

impl Tail {
    fn new<T: Element, W: Element>(activations: &[T], outputs: &Matrix<W>, norms: &[f64]) -> Self {
        let magnitude = |(&value, norm): (&T, &f64)| value.into().abs() * norm;
        let magnitudes: Vec<f64> = activations.iter().zip(norms).map(magnitude).collect();
        let order = ascending(&magnitudes);
        let mut sum = vec![0.0; outputs.columns()];
        let mut norms = vec![0.0];
        for &unit in &order {
            let activation: f64 = activations[unit].into();
            for (sum, &value) in sum.iter_mut().zip(outputs.row(unit)) {
                *sum += activation * value.into();
            }
            norms.push(norm(&sum));
        }
        let whole = norms[order.len()];
        Self {
            magnitudes: order.iter().map(|&unit| magnitudes[unit]).collect(),
            cett: norms.into_iter().map(|norm| ratio(norm, whole)).collect(),
        }
    }
}

/// The first candidate leaves out nothing and is feasible for every target that is not negative.
fn find(sweep: &[Threshold], target: f64) -> Option<Target> {
    let feasible = |threshold: &&Threshold| threshold.mean_cett <= target;
    Some(Target {
        target,
        before_first_violation: *sweep.iter().take_while(feasible).last()?,
        largest_feasible: *sweep.iter().rfind(feasible)?,
    })
}

fn mean(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}
