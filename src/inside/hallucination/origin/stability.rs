//! Are H-units more stable under tuning than other units?

use std::collections::BTreeSet;

use rand::{SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{
    super::evaluate::MannWhitney,
    movement::{Movement, OriginError},
};
use crate::inside::language::{Shape, Unit};

/// Which vectors of a unit count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modules {
    /// Up and down: the paper.
    #[default]
    UpDown,
    /// Gate, up and down.
    GateUpDown,
}

/// Over which units distances are brought to zero mean and unit deviation before they are averaged; the paper does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// Over all units of the model.
    #[default]
    Model,
    /// Within each layer, so that layers which move as a whole do not decide the ranks.
    Layer,
}

/// One chosen unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The layer, from 0.
    pub layer: usize,
    /// The index, from 0.
    pub index: usize,
    /// Its distances.
    pub movement: Movement,
    /// The mean of its standardised distances.
    pub change: f64,
    /// Its normalised rank among all units: 0 for the one that changed most, 1 for the one that changed least.
    pub rank: f64,
}

/// H-units against all other units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stability {
    /// Which vectors.
    pub modules: Modules,
    /// Which units scaled together.
    pub scaling: Scaling,
    /// The chosen units, in order.
    pub units: Vec<Moved>,
    /// Mean normalised rank of the chosen units; one half by chance.
    pub mean_rank: f64,
    /// Mean normalised rank of the others.
    pub others_mean_rank: f64,
    /// Rank test of the ranks of chosen units against the others'.
    pub rank_test: MannWhitney,
    /// One-sided p of Welch's t-test that the chosen units' ranks are larger: the paper's test. `None` for fewer than two chosen units or ranks without spread.
    pub t_test: Option<f64>,
    /// The share of random sets with as many units in every layer that have as large a mean rank, `(1 + #)/(1 + n)`; `None` without draws.
    pub layer_matched: Option<f64>,
}

/// Ranks all units by how much they moved, and compares the chosen ones. `movements` `[layers × units]`, flat by layer; `draws` random sets for the
/// layer-matched test, the same ones for the same seed whatever the modules and the scaling. Where all units moved alike there is nothing to rank, and
/// [`OriginError::Still`] says so.
pub fn stability(
    movements: &[Movement],
    shape: Shape,
    chosen: &BTreeSet<Unit>,
    (modules, scaling): (Modules, Scaling),
    draws: usize,
    seed: u64,
) -> Result<Stability, OriginError> {
    let all = shape.units();
    if movements.len() != all {
        return Err(OriginError::Count {
            found: movements.len(),
            expected: all,
        });
    }
    let known = chosen.iter().filter(|unit| shape.has(**unit)).count();
    if known != chosen.len() || chosen.is_empty() || chosen.len() >= all {
        return Err(OriginError::Set { chosen: known, all });
    }
    let changes = changes(movements, shape, modules, scaling);
    if changes.windows(2).all(|pair| pair[0].total_cmp(&pair[1]).is_eq()) {
        return Err(OriginError::Still);
    }
    let ranks = ranks(&changes);
    let is_chosen = |position: usize| chosen.contains(&shape.unit(position));
    let (own, others): (Vec<usize>, Vec<usize>) = (0..all).partition(|&position| is_chosen(position));
    let of = |positions: &[usize]| positions.iter().map(|&position| ranks[position]).collect::<Vec<f64>>();
    let (own_ranks, other_ranks) = (of(&own), of(&others));
    let mean_rank = mean(&own_ranks);
    let rank_test = MannWhitney::of(&own_ranks, &other_ranks).ok_or(OriginError::Set { chosen: known, all })?;
    let units = own.iter().map(|&position| {
        let Unit { layer, index } = shape.unit(position);
        Moved {
            layer,
            index,
            movement: movements[position],
            change: changes[position],
            rank: ranks[position],
        }
    });
    Ok(Stability {
        modules,
        scaling,
        units: units.collect(),
        mean_rank,
        others_mean_rank: mean(&other_ranks),
        rank_test,
        t_test: welch(&own_ranks, &other_ranks),
        layer_matched: layer_matched(chosen, shape, &ranks, mean_rank, draws, seed),
    })
}

/// The mean of every unit's standardised distances.
fn changes(movements: &[Movement], shape: Shape, modules: Modules, scaling: Scaling) -> Vec<f64> {
    let mut columns: Vec<Vec<f64>> = vec![
        movements.iter().map(|m| m.up).collect(),
        movements.iter().map(|m| m.down).collect(),
    ];
    if modules == Modules::GateUpDown {
        // A model without gates is ranked by what it has.
        columns.extend(movements.iter().map(|m| m.gate).collect::<Option<Vec<f64>>>());
    }
    let span = match scaling {
        Scaling::Model => movements.len(),
        Scaling::Layer => shape.width,
    };
    for column in &mut columns {
        column.chunks_mut(span).for_each(standardise);
    }
    (0..movements.len())
        .map(|unit| columns.iter().map(|column| column[unit]).sum::<f64>() / columns.len() as f64)
        .collect()
}

/// To zero mean and unit deviation; zeros where nothing differs.
fn standardise(values: &mut [f64]) {
    let mean = mean(values);
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
    for value in values {
        *value = if deviation > 0.0 {
            (*value - mean) / deviation
        } else {
            0.0
        };
    }
}

/// 0 for the largest change, 1 for the least; equal changes share the mean of their ranks.
fn ranks(changes: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|&a, &b| changes[b].total_cmp(&changes[a]));
    let last = changes.len().saturating_sub(1).max(1) as f64;
    let mut ranks = vec![0.0; changes.len()];
    let mut from = 0;
    while from < order.len() {
        let run = order[from..]
            .iter()
            .take_while(|&&unit| changes[unit] >= changes[order[from]])
            .count()
            // What is no number equals nothing, not even itself.
            .max(1);
        let middle = from as f64 + (run as f64 - 1.0) / 2.0;
        for &unit in &order[from..from + run] {
            ranks[unit] = middle / last;
        }
        from += run;
    }
    ranks
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// P that the first sample's mean is as much larger by chance.
fn welch(first: &[f64], second: &[f64]) -> Option<f64> {
    if first.len() < 2 || second.len() < 2 {
        return None;
    }
    let moments = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = mean(values);
        (
            mean,
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n,
            n,
        )
    };
    let ((m1, v1, n1), (m2, v2, n2)) = (moments(first), moments(second));
    let variance = v1 + v2;
    if variance <= 0.0 {
        return None;
    }
    let freedom = variance.powi(2) / (v1.powi(2) / (n1 - 1.0) + v2.powi(2) / (n2 - 1.0));
    let t = (m1 - m2) / variance.sqrt();
    Some(StudentsT::new(0.0, 1.0, freedom).ok()?.sf(t))
}

/// Labels shuffled within layers: sets are drawn from all units of a layer, the chosen ones among them, as under the hypothesis that being chosen means nothing.
fn layer_matched(
    chosen: &BTreeSet<Unit>,
    shape: Shape,
    ranks: &[f64],
    observed: f64,
    draws: usize,
    seed: u64,
) -> Option<f64> {
    let mut wanted = vec![0_usize; shape.layers];
    for unit in chosen {
        wanted[unit.layer] += 1;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut reached = 0_usize;
    for _ in 0..draws {
        let mut sum = 0.0;
        for (&wanted, ranks) in wanted.iter().zip(ranks.chunks_exact(shape.width)) {
            sum += index::sample(&mut rng, shape.width, wanted)
                .iter()
                .map(|index| ranks[index])
                .sum::<f64>();
        }
        // Equal up to the order of summation.
        reached += usize::from(sum / chosen.len() as f64 >= observed - 1e-12);
    }
    (draws > 0).then(|| (1 + reached) as f64 / (1 + draws) as f64)
}
