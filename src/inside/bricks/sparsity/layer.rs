//! All figures of one layer (spec §3.4).

use serde::{Deserialize, Serialize};

use super::{
    Indicator, Normalisation, TailErrors, Target, column_norms, cumulative_distribution, indicators, lowest, tail_cett,
    units_for_mass, zero_fraction,
};
use crate::inside::bricks::{Element, Matrix, ShapeError};

/// At which points a layer is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What indicators are divided by.
    pub normalisation: Normalisation,
    /// Where the distribution is given.
    pub edges: Vec<f64>,
    /// How many percent of the units are masked.
    pub percents: Vec<f64>,
    /// Mean CETT for which thresholds are sought.
    pub targets: Vec<f64>,
    /// The share of `Σ|a|` that the counted units carry.
    pub mass: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            normalisation: Normalisation::TokenMaximum,
            edges: vec![0.05, 0.1, 0.2, 0.3, 0.5, 0.8],
            percents: vec![10.0, 30.0, 50.0, 70.0, 80.0, 90.0],
            targets: vec![0.1, 0.2, 0.3, 0.5],
            mass: 0.9,
        }
    }
}

/// How sparse a layer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSparsity {
    /// Tokens measured.
    pub tokens: usize,
    /// The layer's width.
    pub units: usize,
    /// By `|a|` and by output magnitude.
    pub distributions: Vec<Distribution>,
    /// Thresholds on the magnitude by mean CETT.
    pub thresholds: Vec<Target>,
    /// Whether the mean CETT grows with the threshold throughout.
    pub monotone: bool,
    /// The fraction of activations that are exactly 0.
    pub zero_fraction: f64,
    /// Mean over tokens of the units that carry the share of `Σ|a|`.
    pub units_for_mass: f64,
}

/// The distribution of one indicator and what masking by it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The indicator.
    pub indicator: Indicator,
    /// `(edge, fraction of normalised values below it)`.
    pub below: Vec<(f64, f64)>,
    /// Masks of the lowest units.
    pub masks: Vec<MaskError>,
}

/// What leaving out the lowest units of each token costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskError {
    /// Percent of the units.
    pub percent: f64,
    /// How many units that is.
    pub masked: usize,
    /// The mean CETT over tokens.
    pub mean_cett: f64,
    /// The CETT of each token.
    pub cett_per_token: Vec<f64>,
}

/// Measures one layer: `activations` `[tokens][units]`, `down` `[outputs][units]`. Leave position 0 out of the tokens: it carries massive activations.
pub fn measure<T: Element, W: Element>(
    activations: &Matrix<T>,
    down: &Matrix<W>,
    settings: &Settings,
) -> Result<LayerSparsity, ShapeError> {
    let norms = column_norms(down);
    let tails = TailErrors::new(activations, down, &norms)?;
    let mut distributions = Vec::new();
    for indicator in [Indicator::Activation, Indicator::Magnitude] {
        let values = indicators(activations, &norms, indicator)?;
        let below = cumulative_distribution(&values, settings.normalisation, &settings.edges);
        let masks = settings
            .percents
            .iter()
            .map(|&percent| mask(activations, down, &values, percent));
        distributions.push(Distribution {
            indicator,
            below: settings.edges.iter().copied().zip(below).collect(),
            masks: masks.collect::<Result<_, _>>()?,
        });
    }
    let carriers: usize = activations
        .each_row()
        .map(|row| units_for_mass(row, settings.mass))
        .sum();
    Ok(LayerSparsity {
        tokens: activations.rows(),
        units: activations.columns(),
        distributions,
        thresholds: tails.targets(&settings.targets).unwrap_or_default(),
        monotone: tails.is_monotone(),
        zero_fraction: zero_fraction(activations),
        units_for_mass: carriers as f64 / activations.rows().max(1) as f64,
    })
}

fn mask<T: Element, W: Element>(
    activations: &Matrix<T>,
    down: &Matrix<W>,
    indicators: &Matrix<f64>,
    percent: f64,
) -> Result<MaskError, ShapeError> {
    let mut masked = 0;
    let errors = activations
        .each_row()
        .zip(indicators.each_row())
        .map(|(row, indicators)| {
            let tail = lowest(indicators, percent);
            masked = tail.len();
            tail_cett(row, down, &tail)
        });
    let cett_per_token = errors.collect::<Result<Vec<_>, _>>()?;
    let mean_cett = cett_per_token.iter().sum::<f64>() / cett_per_token.len().max(1) as f64;
    Ok(MaskError {
        percent,
        masked,
        mean_cett,
        cett_per_token,
    })
}
