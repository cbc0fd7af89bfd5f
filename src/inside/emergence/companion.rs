//! Plain statistics of the same sampled weights, to be shown beside E: whether it adds anything (spec 15).

use serde::Serialize;

use super::{
    dimension::node_dimensions,
    moments::mean,
    sample::{Group, SampledMatrix},
};

/// Plain statistics of one sampled matrix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Companion {
    /// The block.
    pub block: usize,
    /// The place of the source nodes.
    pub group: Group,
    /// Root mean square.
    pub rms: f64,
    /// Fourth moment about the mean over the squared variance: 3 for a Gaussian; 0 where weights do not vary.
    pub kurtosis: f64,
    /// Gini coefficient of the out-strengths Σ|w| of the source nodes.
    pub strength_gini: f64,
    /// Variance of the logarithm of the out-strengths.
    pub log_strength_variance: f64,
    /// Squared Frobenius norm over the squared largest singular value.
    pub stable_rank: f64,
    /// The source nodes' own fractal dimensions.
    pub dimension: Summary,
}

/// A summary of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// The standard deviation (n − 1).
    pub sd: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// The summary of at least one number; NaN without.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        let estimate = super::measurement::Estimate::of(values);
        Self {
            mean: estimate.mean,
            median: f64::midpoint(at(n.saturating_sub(1) / 2), at(n / 2)),
            sd: estimate.sd,
            min: at(0),
            max: at(n.saturating_sub(1)),
        }
    }
}

/// Rounds of the power iteration; the ratio of squared singular values to the power of these is what is left of the second.
const ROUNDS: usize = 60;

impl Companion {
    /// The statistics of one matrix. Weights that are not numbers count as zero.
    pub fn of(matrix: &SampledMatrix) -> Self {
        let weights: Vec<f64> = matrix
            .weights()
            .iter()
            .map(|weight| if weight.is_finite() { *weight } else { 0.0 })
            .collect();
        let strengths: Vec<f64> = weights
            .chunks_exact(matrix.targets())
            .map(|row| row.iter().map(|w| w.abs()).sum())
            .collect();
        let logarithms: Vec<f64> = strengths.iter().filter(|s| **s > 0.0).map(|s| s.ln()).collect();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        Self {
            block: matrix.block(),
            group: matrix.group(),
            rms: (squares / weights.len() as f64).sqrt(),
            kurtosis: kurtosis(&weights),
            strength_gini: gini(&strengths),
            log_strength_variance: if logarithms.is_empty() {
                0.0
            } else {
                variance(&logarithms)
            },
            stable_rank: stable_rank(&weights, matrix.targets(), squares),
            dimension: Summary::of(&node_dimensions(matrix.sources())),
        }
    }
}

fn variance(values: &[f64]) -> f64 {
    let centre = mean(values);
    mean(
        &values
            .iter()
            .map(|value| (value - centre) * (value - centre))
            .collect::<Vec<f64>>(),
    )
}

fn kurtosis(values: &[f64]) -> f64 {
    let (centre, spread) = (mean(values), variance(values));
    let fourth = mean(
        &values
            .iter()
            .map(|value| (value - centre).powi(4))
            .collect::<Vec<f64>>(),
    );
    if spread > 0.0 { fourth / (spread * spread) } else { 0.0 }
}

/// The Gini coefficient of numbers that are not negative: 0 where all are equal.
fn gini(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (n, total) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    if total <= 0.0 {
        return 0.0;
    }
    let ranked: f64 = sorted
        .iter()
        .enumerate()
        .map(|(place, value)| (place + 1) as f64 * value)
        .sum();
    2.0 * ranked / (n * total) - (n + 1.0) / n
}

fn stable_rank(weights: &[f64], targets: usize, squares: f64) -> f64 {
    if squares <= 0.0 {
        return 0.0;
    }
    // Power iteration on AᵀA from a vector without symmetry, so that it is not orthogonal to the answer by construction.
    let mut vector: Vec<f64> = (0..targets).map(|place| 1.0 + (place as f64 * 0.618).fract()).collect();
    let mut largest = 0.0;
    for _ in 0..ROUNDS {
        let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
        if length <= 0.0 {
            return 0.0;
        }
        let mut next = vec![0.0; targets];
        largest = 0.0;
        for row in weights.chunks_exact(targets) {
            let product = row.iter().zip(&vector).map(|(w, v)| w * v).sum::<f64>() / length;
            largest += product * product;
            next.iter_mut().zip(row).for_each(|(next, w)| *next += product * w);
        }
        vector = next;
    }
    if largest > 0.0 { squares / largest } else { 0.0 }
}
