//! One model on its own: its spectrum in every mode, its groups and blocks, its surrogates, plain statistics.

use rayon::prelude::*;
use serde::Serialize;

use super::{
    companion::Companion,
    config::{Config, Measure, Scale, ScalingRule, Scope, TARGET_RMS},
    control::{Surrogate, surrogate},
    degree::{Metrics, degree},
    error::EmergenceError,
    full,
    measurement::{Estimate, Measurement, Repetition, join, measure_made},
    parts::{Dissection, Parts},
    plan::Plan,
    sample::{Group, Sample, sample},
    shape::Shape,
    weights::Weights,
};

/// What one model's weights are like. A single model has no E.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The architecture's name.
    pub architecture: String,
    /// Blocks.
    pub blocks: usize,
    /// All choices.
    pub config: Config,
    /// Nodes per group that were drawn; fewer than asked for where the model is small. `None` for the full network.
    pub size: Option<usize>,
    /// The spectrum.
    pub measurement: Measurement,
    /// Groups and blocks.
    pub parts: Vec<Part>,
    /// Controls; empty for the full network.
    pub surrogates: Vec<SurrogateRow>,
    /// Plain statistics of every matrix of the first repetition; empty for the full network.
    pub companions: Vec<Companion>,
}

impl Report {
    /// What a reader should know: a smaller sample than was asked for.
    pub fn warnings(&self) -> Vec<String> {
        match (self.config.scope, self.size) {
            (Scope::Sampled { size: asked, .. }, Some(drawn)) => smaller(drawn, asked).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Says so where fewer nodes were drawn than asked for.
pub(super) fn smaller(drawn: usize, asked: usize) -> Option<String> {
    (drawn < asked).then(|| format!("{drawn} nodes per group were drawn, not {asked}: the model is small"))
}

/// The spectrum of a part.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The block; `None` for a group over all blocks.
    pub block: Option<usize>,
    /// The group; `None` for all groups of a block.
    pub group: Option<Group>,
    /// α0; `None` where no repetition has a spectrum.
    pub alpha0: Option<Estimate>,
    /// The width, likewise.
    pub width: Option<Estimate>,
    /// The least R², averaged over repetitions, likewise.
    pub worst_r2: Option<Estimate>,
}

/// A control beside a model.
#[derive(Clone, Debug, Serialize)]
pub struct SurrogateRow {
    /// What the control is.
    pub name: &'static str,
    /// Its α0.
    pub alpha0: Estimate,
    /// Its width.
    pub width: Estimate,
    /// `E_surrogate` = (w / w_s) · ln(α0_s / α0): the model against its control. Never call it E.
    pub e_surrogate: Option<f64>,
}

/// The controls are shown whatever the quality of their fit: they say what the number means.
pub(super) fn unjudged(config: &Config) -> Config {
    let mut config = config.clone();
    config.analysis.scaling = ScalingRule::ReportAnyway;
    config
}

/// The same choices at one root mean square.
pub(super) fn at_one_scale(config: &Config) -> Config {
    Config {
        scale: Scale::RootMeanSquare(TARGET_RMS),
        ..config.clone()
    }
}

/// The same choices over the fixed grid of radii.
pub(super) fn on_grid(config: &Config) -> Config {
    Config {
        measure: Measure::fixed_grid(),
        ..config.clone()
    }
}

/// Draws nodes, reads weights and looks at them from all sides.
///
/// # Errors
/// Where the choices contradict each other, weights cannot be read, or masses do not scale (see [`ScalingRule`](super::ScalingRule)).
pub fn report(weights: &dyn Weights, config: &Config) -> Result<Report, EmergenceError> {
    config.check()?;
    let (size, samples, sums) = match config.scope {
        Scope::Full => (None, Vec::new(), vec![full::parts(weights, config)?]),
        Scope::Sampled {
            size,
            repetitions,
            seed,
        } => {
            let plan = Plan::seeded(weights.shape(), size, repetitions, seed);
            let samples = sample(weights, &plan, config)?;
            let sums = samples.par_iter().map(|sample| Parts::of(sample, config)).collect();
            (Some(plan.size), samples, sums)
        }
    };
    let repetitions = sums.iter().enumerate();
    let measurement = join(
        repetitions
            .map(|(nth, sums)| Repetition::of(nth, sums, config))
            .collect(),
        config,
    )?;
    let dissections: Vec<Dissection> = sums
        .par_iter()
        .map(|sums| sums.dissect(config))
        .collect::<Result<_, _>>()?;
    Ok(Report {
        architecture: weights.shape().architecture().to_owned(),
        blocks: weights.shape().blocks().len(),
        config: config.clone(),
        size,
        parts: part_rows(&dissections),
        surrogates: surrogates(&samples, config, measurement.metrics())?,
        companions: samples.first().map_or_else(Vec::new, companions),
        measurement,
    })
}

/// Plain statistics of every matrix.
pub(super) fn companions(sample: &Sample) -> Vec<Companion> {
    sample.matrices.par_iter().map(Companion::of).collect()
}

fn part_rows(dissections: &[Dissection]) -> Vec<Part> {
    let Some(first) = dissections.first() else {
        return Vec::new();
    };
    let row = |block: Option<usize>, group: Option<usize>| {
        let spectra = dissections.iter().filter_map(|one| match (block, group) {
            (Some(block), _) => one.blocks.get(block)?.as_ref().ok(),
            (None, Some(group)) => one.groups[group].1.as_ref().ok(),
            (None, None) => Some(&one.whole),
        });
        let spectra: Vec<_> = spectra.collect();
        let estimate = |value: fn(&super::Spectrum) -> f64| {
            let values: Vec<f64> = spectra.iter().map(|spectrum| value(spectrum)).collect();
            (!values.is_empty()).then(|| Estimate::of(&values))
        };
        Part {
            block,
            group: group.map(|group| first.groups[group].0),
            alpha0: estimate(|spectrum| spectrum.alpha0),
            width: estimate(|spectrum| spectrum.width),
            worst_r2: estimate(|spectrum| spectrum.scaling.worst_r2),
        }
    };
    let groups = (0..first.groups.len()).map(|group| row(None, Some(group)));
    groups
        .chain((0..first.blocks.len()).map(|block| row(Some(block), None)))
        .collect()
}

/// The spectrum of a control, drawn `draws` times for every repetition.
pub(super) fn control(
    samples: &[Sample],
    kind: Surrogate,
    draws: usize,
    config: &Config,
) -> Result<Measurement, EmergenceError> {
    let make = |nth: usize| {
        let (repetition, draw) = (nth / draws, nth % draws);
        surrogate(&samples[repetition], kind, repetition as u64, draw as u64)
    };
    measure_made(samples.len() * draws, make, config)
}

fn surrogates(samples: &[Sample], config: &Config, own: Metrics) -> Result<Vec<SurrogateRow>, EmergenceError> {
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let config = unjudged(config);
    let kinds = [
        ("shuffled in each matrix", Surrogate::Shuffled),
        ("Gaussian in each matrix", Surrogate::Gaussian),
    ];
    let row = |(name, kind)| {
        let control = control(samples, kind, 1, &config)?;
        Ok(SurrogateRow {
            name,
            alpha0: control.alpha0,
            width: control.width,
            e_surrogate: degree(control.metrics(), own).ok().map(|degree| degree.e),
        })
    };
    kinds.into_iter().map(row).collect()
}

/// The nodes that a series is traced over; refuses what it cannot be traced with.
pub(super) fn series_plan(shape: &Shape, config: &Config) -> Result<Plan, EmergenceError> {
    match config.scope {
        Scope::Sampled {
            size,
            repetitions,
            seed,
        } => Ok(Plan::seeded(shape, size, repetitions, seed)),
        Scope::Full => Err(EmergenceError::SeriesNeedsSample),
    }
}
