//! The label-permutation test: how well does the whole procedure do where there is nothing to find? (spec 11)

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::super::example::Truth;

/// The outcome of a permutation test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Permutation {
    /// The statistic with the true labels.
    pub observed: f64,
    /// The statistic with each shuffling of the labels, in the order drawn.
    pub permuted: Vec<f64>,
    /// `(1 + #{permuted ≥ observed}) / (1 + n)`.
    pub p_value: f64,
}

impl Permutation {
    /// From the statistics.
    pub fn of(observed: f64, permuted: Vec<f64>) -> Self {
        let reached = permuted.iter().filter(|&&value| value >= observed).count();
        let p_value = (1 + reached) as f64 / (1 + permuted.len()) as f64;
        Self {
            observed,
            permuted,
            p_value,
        }
    }

    /// Mean of the statistic over shufflings; `None` without any.
    pub fn mean(&self) -> Option<f64> {
        let n = self.permuted.len();
        (n > 0).then(|| self.permuted.iter().sum::<f64>() / n as f64)
    }
}

/// The truths of questions, shuffled among the questions of each stratum by ChaCha8 with the seed, on the stream `nth`.
pub fn shuffled(truths: &[Truth], strata: &[usize], seed: u64, nth: u64) -> Vec<Truth> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(nth);
    let mut result = truths.to_vec();
    let count = strata.iter().max().map_or(0, |last| last + 1);
    for stratum in 0..count {
        let places: Vec<usize> = (0..truths.len())
            .filter(|&question| strata[question] == stratum)
            .collect();
        let mut own: Vec<Truth> = places.iter().map(|&place| truths[place]).collect();
        own.shuffle(&mut rng);
        for (place, truth) in places.into_iter().zip(own) {
            result[place] = truth;
        }
    }
    result
}
