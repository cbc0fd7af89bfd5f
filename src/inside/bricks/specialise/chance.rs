//! How high scores go by chance, by permuting the labels (spec §4.2 and §8.6).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{LabelError, Labels, precision::rank};
use crate::inside::bricks::{Element, Matrix};

/// What permuted labels give in one layer, one entry per function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Permutations drawn.
    pub permutations: usize,
    /// The mean score over units and permutations.
    pub mean: Vec<f64>,
    /// The maximum over units, of each permutation, ascending: `[functions][permutations]`. The best score of a layer is compared with this, as it is a maximum too.
    pub maxima: Vec<Vec<f64>>,
}

impl Chance {
    /// `(1 + permutations whose maximum reaches the score) / (1 + permutations)`: the p value of a unit's score, corrected for the layer's many units.
    pub fn p_value(&self, function: usize, score: f64) -> f64 {
        let reached = self.maxima[function]
            .iter()
            .filter(|&&maximum| maximum >= score)
            .count();
        (1 + reached) as f64 / (1 + self.permutations) as f64
    }
}

/// Scores under `permutations` random labellings; costs one sort per unit and a walk over the instances per unit and permutation.
pub fn chance<T: Element>(
    instance_scores: &Matrix<T>,
    labels: &Labels,
    permutations: usize,
    seed: u64,
) -> Result<Chance, LabelError> {
    labels.check(instance_scores.rows())?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shuffled: Vec<Labels> = (0..permutations).map(|_| labels.shuffled(&mut rng)).collect();
    let functions = labels.functions().len();
    let mut sums = vec![0.0; functions];
    let mut maxima = vec![vec![0.0; permutations]; functions];
    for unit in 0..instance_scores.columns() {
        let ranked = rank(instance_scores, unit)?;
        for (nth, labels) in shuffled.iter().enumerate() {
            let mut scores = vec![0.0; functions];
            ranked.precisions(labels.of_instance(), labels.counts(), &mut scores, None);
            for (function, score) in scores.into_iter().enumerate() {
                sums[function] += score;
                let maximum = &mut maxima[function][nth];
                *maximum = if score > *maximum { score } else { *maximum };
            }
        }
    }
    for maxima in &mut maxima {
        maxima.sort_by(f64::total_cmp);
    }
    let draws = (permutations * instance_scores.columns()).max(1) as f64;
    Ok(Chance {
        permutations,
        mean: sums.into_iter().map(|sum| sum / draws).collect(),
        maxima,
    })
}
