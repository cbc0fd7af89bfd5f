//! Units chosen on one half of the instances, scored on the other (spec §8.7).

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{LabelError, Labels, Predictivity, Ties, function_scores, mean_scores, top};
use crate::inside::bricks::{Element, Matrix};

/// Instances in two halves that hold every function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halves {
    /// For choosing units, ascending.
    pub choosing: Vec<usize>,
    /// For measuring them, ascending.
    pub measuring: Vec<usize>,
}

/// What the chosen units score where they were chosen, and elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The function's name.
    pub function: String,
    /// The units chosen on the first half.
    pub units: Vec<usize>,
    /// Their mean score there.
    pub chosen_on: f64,
    /// Their mean score on the other half.
    pub held_out: f64,
    /// The mean score of all units on the other half.
    pub all_units: f64,
}

/// Splits each function's instances in two; of an odd number the larger part is for choosing. Every function needs two instances, or the measuring half lacks it.
pub fn halves(labels: &Labels, seed: u64) -> Halves {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut choosing, mut measuring) = (Vec::new(), Vec::new());
    for function in 0..labels.functions().len() {
        let is_of = |(_, label): &(usize, &usize)| **label == function;
        let all = labels.of_instance().iter().enumerate();
        let mut instances: Vec<usize> = all.filter(is_of).map(|(instance, _)| instance).collect();
        instances.shuffle(&mut rng);
        measuring.extend(instances.split_off(instances.len().div_ceil(2)));
        choosing.extend(instances);
    }
    choosing.sort_unstable();
    measuring.sort_unstable();
    Halves { choosing, measuring }
}

/// Chooses the top `fraction` of one layer's units per function on one half, and scores them on both.
pub fn held_out<T: Element>(
    instance_scores: &Matrix<T>,
    labels: &Labels,
    halves: &Halves,
    fraction: f64,
) -> Result<Vec<HeldOut>, LabelError> {
    labels.check(instance_scores.rows())?;
    let part = |instances: &[usize]| {
        let score = |row: usize, unit| instance_scores.at(instances[row], unit);
        let scores = Matrix::<T>::from_fn(instances.len(), instance_scores.columns(), score);
        let labels = labels.only(instances)?;
        let of_units = function_scores(&scores, &labels, Predictivity::Precision)?;
        Ok::<_, LabelError>((mean_scores(&scores, &labels), of_units))
    };
    let (means, first) = part(&halves.choosing)?;
    let (_, second) = part(&halves.measuring)?;
    let each = labels.functions().iter().enumerate().map(|(function, name)| {
        let units = top(&first, function, fraction, Ties::LargerMean, &means, &[].into());
        let all: Vec<usize> = (0..second.units()).collect();
        let mean = |scores: &super::FunctionScores, units: &[usize]| {
            let sum: f64 = units.iter().map(|&unit| scores.of(unit, function)).sum();
            sum / units.len().max(1) as f64
        };
        HeldOut {
            function: name.clone(),
            chosen_on: mean(&first, &units),
            held_out: mean(&second, &units),
            all_units: mean(&second, &all),
            units,
        }
    });
    Ok(each.collect())
}
