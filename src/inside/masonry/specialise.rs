//! Which units serve which function (spec §4).

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::profiles::Profiles;
use super::{MasonryError, Progress};
use crate::inside::bricks::specialise::{
    Chance, FunctionScores, Halves, HeldOut, Labels, Overlap, Predictivity, Summary, Ties, chance, function_scores,
    halves, held_out, mean_scores, overlap, residents, top, top_by_mean,
};
use crate::inside::bricks::{Matrix, Unit, UnitSet};

/// A layer's units of each function.
type Sets = Vec<Vec<usize>>;

/// Whether units that are active on nearly every text may be in a brick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residents {
    /// As in the paper.
    Kept,
    /// Left out (spec §4.5, iii).
    Dropped,
}

/// How bricks are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Which fraction of each layer's units makes a brick: 0.05 in the paper.
    pub fraction: f64,
    /// Units that are always active.
    pub residents: Residents,
    /// Permutations of the labels that say what chance gives.
    pub permutations: usize,
    /// What random choices are drawn from.
    pub seed: u64,
}

/// One layer's figures.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// The best scores, by function.
    pub summaries: Vec<Summary>,
    /// What permuted labels give.
    pub chance: Chance,
    /// Units chosen on one half of the texts and scored on the other.
    pub held_out: Vec<HeldOut>,
    /// Units that are active on nearly every text.
    pub residents: Vec<usize>,
    /// Every unit's scores.
    #[serde(skip)]
    pub scores: FunctionScores,
}

/// All layers' figures.
#[derive(Debug, Clone, Serialize)]
pub struct Specialised {
    /// The functions.
    pub functions: Vec<String>,
    /// How many texts each has.
    pub texts: Vec<usize>,
    /// The layers.
    pub layers: Vec<Layer>,
    /// How far the functions' bricks are the same.
    pub overlap: Overlap,
    /// What two random bricks share.
    pub overlap_by_chance: f64,
    /// The units of every function.
    #[serde(skip)]
    pub bricks: Vec<(String, UnitSet)>,
}

/// Scores every unit of every layer, and chooses each function's units.
pub fn specialise(
    profiles: &Profiles,
    labels: &Labels,
    settings: &Settings,
    progress: Progress<'_>,
) -> Result<Specialised, MasonryError> {
    let split = halves(labels, settings.seed);
    let mut layers = Vec::new();
    // A few layers at a time, so that the progress moves.
    let count = profiles.layers();
    for first in (0..count).step_by(4) {
        let these: Vec<usize> = (first..count.min(first + 4)).collect();
        let measured: Result<Vec<(Layer, Sets)>, MasonryError> = these
            .into_par_iter()
            .map(|layer| one(&profiles.layer(layer), labels, &split, settings, layer))
            .collect();
        layers.extend(measured?);
        progress(layers.len(), count);
    }
    let (layers, sets): (Vec<Layer>, Vec<Sets>) = layers.into_iter().unzip();
    let per_brick = sets.first().and_then(|sets| sets.first()).map_or(0, Vec::len);
    Ok(Specialised {
        functions: labels.functions().to_vec(),
        texts: labels.counts().to_vec(),
        overlap: overlap(&sets),
        overlap_by_chance: per_brick as f64 / profiles.units().max(1) as f64,
        bricks: joined(labels.functions(), &sets),
        layers,
    })
}

fn one(
    scores: &Matrix<f32>,
    labels: &Labels,
    split: &Halves,
    settings: &Settings,
    layer: usize,
) -> Result<(Layer, Vec<Vec<usize>>), MasonryError> {
    let seed = settings.seed.wrapping_add(layer as u64);
    let of_units = function_scores(scores, labels, Predictivity::Precision)?;
    let means = mean_scores(scores, labels);
    let always = residents(&means);
    let sets = sets(&of_units, &means, &always, labels, settings);
    let layer = Layer {
        summaries: of_units.summaries(labels.functions()),
        chance: chance(scores, labels, settings.permutations, seed)?,
        held_out: held_out(scores, labels, split, settings.fraction)?,
        residents: always.into_iter().collect(),
        scores: of_units,
    };
    Ok((layer, sets))
}

fn sets(
    scores: &FunctionScores,
    means: &Matrix<f64>,
    always: &BTreeSet<usize>,
    labels: &Labels,
    settings: &Settings,
) -> Vec<Vec<usize>> {
    let none = BTreeSet::new();
    let except = match settings.residents {
        Residents::Kept => &none,
        Residents::Dropped => always,
    };
    (0..labels.functions().len())
        .map(|function| top(scores, function, settings.fraction, Ties::LargerMean, means, except))
        .collect()
}

/// Each function's units, and those with the highest mean activity, as some of the texts choose them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The units of every function.
    pub bricks: Vec<(String, UnitSet)>,
    /// As many units with the highest mean activity.
    pub by_mean: UnitSet,
}

/// Chooses units on these texts alone, so that others can measure what they do.
pub fn choose(
    profiles: &Profiles,
    labels: &Labels,
    instances: &[usize],
    settings: &Settings,
) -> Result<Chosen, MasonryError> {
    let labels = labels.only(instances)?;
    let layers: Result<Vec<(Sets, Vec<usize>)>, MasonryError> = (0..profiles.layers())
        .into_par_iter()
        .map(|layer| {
            let all = profiles.layer(layer);
            let scores =
                Matrix::<f32>::from_fn(instances.len(), all.columns(), |row, unit| all.at(instances[row], unit));
            let of_units = function_scores(&scores, &labels, Predictivity::Precision)?;
            let means = mean_scores(&scores, &labels);
            let always = residents(&means);
            let by_mean = top_by_mean(&means, settings.fraction);
            Ok((sets(&of_units, &means, &always, &labels, settings), by_mean))
        })
        .collect();
    let (sets, by_mean): (Vec<Vec<Vec<usize>>>, Vec<Vec<usize>>) = layers?.into_iter().unzip();
    let mut most_active = UnitSet::default();
    for (layer, indices) in by_mean.into_iter().enumerate() {
        most_active.extend(indices.into_iter().map(|index| Unit { layer, index }));
    }
    Ok(Chosen {
        bricks: joined(labels.functions(), &sets),
        by_mean: most_active,
    })
}

/// `sets[layer][function]` by function.
fn joined(functions: &[String], sets: &[Vec<Vec<usize>>]) -> Vec<(String, UnitSet)> {
    let of = |function: usize| -> UnitSet {
        let layers = sets.iter().enumerate();
        layers
            .flat_map(|(layer, sets)| sets[function].iter().map(move |&index| Unit { layer, index }))
            .collect()
    };
    let named = functions.iter().enumerate();
    named.map(|(function, name)| (name.clone(), of(function))).collect()
}
