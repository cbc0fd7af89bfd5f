//! Methods that work on differences from a base.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{MergeError, Weighted, Weighting, average::divisor, check_fit, check_range, value};
use crate::inside::bricks::{Element, ShapeError, part_of};

/// Whether only differences with the elected sign count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Election {
    /// All count.
    None,
    /// Those with the sign of the weighted sum; that of a sum of 0 is +.
    Sign,
}

/// How what is left of a model's differences makes up for what was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rescale {
    /// Divided by the density, as in DARE's paper.
    Density,
    /// Multiplied so that the sum of magnitudes is what it was, as mergekit does.
    Magnitude,
    /// Not at all.
    None,
}

/// `W₀ + λ·Σ w δ`, the sum divided by `Σ w` where normalised.
pub fn task_arithmetic<T: Element>(
    base: &[T],
    models: &[Weighted<'_, T>],
    lambda: f64,
    weighting: Weighting,
) -> Result<Vec<T>, MergeError> {
    check_fit(models, base.len())?;
    let divisor = divisor(models, weighting)?;
    let whole = |nth, start| {
        let deltas = models
            .iter()
            .map(|model| model.weight * (value(model.values, nth) - start));
        deltas.sum::<f64>()
    };
    let merged = |nth| {
        let start = value(base, nth);
        T::narrow(start + lambda * whole(nth, start) / divisor)
    };
    Ok((0..base.len()).map(merged).collect())
}

/// TIES: of each model's differences the `floor(density·n)` largest are kept (of equal magnitudes the first ones), a sign is elected for every value, and what agrees with it is averaged
/// (`Σ w δ / Σ w` over those that agree; a divisor of 0 counts as 1) or summed, times λ.
pub fn ties<T: Element>(
    base: &[T],
    models: &[Weighted<'_, T>],
    density: f64,
    lambda: f64,
    weighting: Weighting,
) -> Result<Vec<T>, MergeError> {
    check_fit(models, base.len())?;
    check_range("density", density, "from 0 to 1", |density| {
        (0.0..=1.0).contains(&density)
    })?;
    let mut trims: Vec<Trim> = models
        .iter()
        .map(|model| Trim::new(base, model.values, density))
        .collect();
    let mut parts = Vec::with_capacity(models.len());
    let merged = (0..base.len()).map(|nth| {
        let start = value(base, nth);
        parts.clear();
        for (model, trim) in models.iter().zip(&mut trims) {
            parts.push((model.weight, trim.keep(value(model.values, nth) - start)));
        }
        T::narrow(start + lambda * consensus(&parts, Election::Sign, weighting))
    });
    Ok(merged.collect())
}

/// DARE with given masks: of each model's differences those whose mask is set are kept and rescaled, then summed (`Σ w δ`), with or without the election of signs, times λ.
pub fn dare<T: Element>(
    base: &[T],
    models: &[Weighted<'_, T>],
    masks: &[Vec<bool>],
    density: f64,
    lambda: f64,
    rescale: Rescale,
    election: Election,
) -> Result<Vec<T>, MergeError> {
    check_fit(models, base.len())?;
    check_range("density", density, "above 0 and up to 1", |density| {
        density > 0.0 && density <= 1.0
    })?;
    ShapeError::check("count of masks", masks.len(), models.len())?;
    for mask in masks {
        ShapeError::check("mask size", mask.len(), base.len())?;
    }
    let factor = |(model, mask): (&Weighted<'_, T>, &Vec<bool>)| match rescale {
        Rescale::Density => 1.0 / density,
        Rescale::Magnitude => restoring(base, model.values, mask),
        Rescale::None => 1.0,
    };
    let factors: Vec<f64> = models.iter().zip(masks).map(factor).collect();
    let merged = |nth: usize| {
        let start = value(base, nth);
        let part = |which: usize| {
            let delta = if masks[which][nth] {
                value(models[which].values, nth) - start
            } else {
                0.0
            };
            (models[which].weight, factors[which] * delta)
        };
        let parts: Vec<(f64, f64)> = (0..models.len()).map(part).collect();
        T::narrow(start + lambda * consensus(&parts, election, Weighting::Raw))
    };
    Ok((0..base.len()).map(merged).collect())
}

/// Masks that keep each value with probability `density`. Each tensor and model has a stream of its own: what one draws does not change another's.
pub fn bernoulli_masks(
    models: usize,
    size: usize,
    density: f64,
    seed: u64,
    tensor: u64,
) -> Result<Vec<Vec<bool>>, MergeError> {
    check_range("density", density, "above 0 and up to 1", |density| {
        density > 0.0 && density <= 1.0
    })?;
    let mask = |model: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(tensor.wrapping_mul(1 << 16).wrapping_add(model as u64));
        (0..size).map(|_| rng.random_bool(density)).collect()
    };
    Ok((0..models).map(mask).collect())
}

/// `(weight, difference)` of every model; a difference that was dropped is 0 and has no vote.
fn consensus(parts: &[(f64, f64)], election: Election, weighting: Weighting) -> f64 {
    let sum: f64 = parts.iter().map(|(weight, delta)| weight * delta).sum();
    let counts = |&(weight, delta): &(f64, f64)| match election {
        Election::None => true,
        Election::Sign => weight * delta != 0.0 && (weight * delta > 0.0) == (sum >= 0.0),
    };
    let agreeing = || parts.iter().copied().filter(counts);
    let sum: f64 = agreeing().map(|(weight, delta)| weight * delta).sum();
    let weight: f64 = agreeing().map(|(weight, _)| weight).sum();
    match weighting {
        Weighting::Normalised if weight != 0.0 => sum / weight,
        Weighting::Normalised | Weighting::Raw => sum,
    }
}

/// The factor that restores the sum of magnitudes; 1 where nothing is left.
fn restoring<T: Element>(base: &[T], values: &[T], mask: &[bool]) -> f64 {
    let (mut all, mut kept) = (0.0, 0.0);
    for (nth, &keep) in mask.iter().enumerate() {
        let magnitude = (value(values, nth) - value(base, nth)).abs();
        all += magnitude;
        kept += if keep { magnitude } else { 0.0 };
    }
    if kept > 0.0 { all / kept } else { 1.0 }
}

/// Which differences are among the largest, decided in one pass in order.
struct Trim {
    /// The smallest magnitude kept.
    least: f64,
    /// How many of exactly this magnitude are still to be kept.
    at_least: usize,
}

impl Trim {
    fn new<T: Element>(base: &[T], values: &[T], density: f64) -> Self {
        let count = part_of(density, base.len());
        if count == 0 {
            return Self {
                least: f64::INFINITY,
                at_least: 0,
            };
        }
        let deltas = (0..base.len()).map(|nth| (value(values, nth) - value(base, nth)).abs());
        let mut magnitudes: Vec<f64> = deltas.collect();
        let cut = count - 1;
        let (larger, &mut least, _) = magnitudes.select_nth_unstable_by(cut, |left, right| right.total_cmp(left));
        let above = larger.iter().filter(|&&magnitude| magnitude > least).count();
        Self {
            least,
            at_least: count - above,
        }
    }

    fn keep(&mut self, delta: f64) -> f64 {
        let magnitude = delta.abs();
        if magnitude > self.least {
            return delta;
        }
        if magnitude < self.least || self.at_least == 0 {
            return 0.0;
        }
        self.at_least -= 1;
        delta
    }
}
