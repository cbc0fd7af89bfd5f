//! One model's spectrum over repetitions: means, standard errors, and a refusal where scaling does not hold.

use rayon::prelude::*;
use serde::Serialize;

use super::{
    config::{Average, Config, Scope},
    degree::Metrics,
    error::EmergenceError,
    full,
    lengths::Fate,
    parts::Parts,
    plan::Plan,
    sample::{Sample, sample},
    spectrum::{Curve, Scaling, Spectrum, SpectrumError, asymmetry},
    weights::Weights,
};

/// A mean over repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The standard deviation between repetitions (n − 1); 0 for one.
    pub sd: f64,
    /// The standard error of the mean: `sd / √n`.
    pub se: f64,
    /// Repetitions.
    pub n: usize,
}

impl Estimate {
    /// The mean of `values` with its errors; NaN without values.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len();
        let mean = super::moments::mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let sd = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
        Self {
            mean,
            sd,
            se: sd / (n as f64).sqrt(),
            n,
        }
    }
}

/// One repetition.
#[derive(Clone, Debug, Serialize)]
pub struct Repetition {
    /// Its place among the repetitions, from 0; the nodes are drawn with the scope's seed plus this.
    pub nth: usize,
    /// Its spectrum.
    pub spectrum: Spectrum,
    /// What became of its weights.
    pub fate: Fate,
    /// The root mean square of its weights, before any scaling.
    pub rms: f64,
}

/// The mean curve over repetitions, with standard deviations.
#[derive(Clone, Debug, Serialize)]
pub struct MeanCurve {
    /// Means of α and f, by q.
    pub mean: Curve,
    /// Standard deviations of α.
    pub alpha_sd: Vec<f64>,
    /// Standard deviations of f.
    pub f_sd: Vec<f64>,
}

/// A spectrum over repetitions.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The repetitions that were not rejected.
    pub repetitions: Vec<Repetition>,
    /// How many were rejected.
    pub rejected: usize,
    /// α0.
    pub alpha0: Estimate,
    /// The width.
    pub width: Estimate,
    /// ln[(α0 − α_min) / (α_max − α0)], of the mean curve; `None` for a one-point spectrum.
    pub asymmetry: Option<f64>,
    /// α and f by q.
    pub curve: MeanCurve,
    /// The root mean square of the weights.
    pub rms: Estimate,
    /// How well ln Z is a line, averaged over repetitions (`worst_q` and the radii are those of the worst one).
    pub scaling: Scaling,
    /// What became of all repetitions' weights.
    pub fate: Fate,
}

impl Measurement {
    /// The numbers that E is made of.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            alpha0: self.alpha0.mean,
            width: self.width.mean,
        }
    }

    /// Joins repetitions, of which rejected ones have been left out already, and refuses what does not scale.
    fn of(repetitions: Vec<Repetition>, rejected: usize, config: &Config) -> Result<Self, EmergenceError> {
        let of = |value: fn(&Repetition) -> f64| -> Estimate {
            Estimate::of(&repetitions.iter().map(value).collect::<Vec<f64>>())
        };
        let worst = repetitions
            .iter()
            .min_by(|a, b| a.spectrum.scaling.worst_r2.total_cmp(&b.spectrum.scaling.worst_r2));
        let Some(worst) = worst else {
            return Err(EmergenceError::AllRejected { repetitions: rejected });
        };
        let scaling = Scaling {
            worst_r2: of(|one| one.spectrum.scaling.worst_r2).mean,
            ..worst.spectrum.scaling
        };
        scaling.check(config.analysis.scaling)?;
        let curve = mean_curve(&repetitions);
        let (alpha0, mut width) = (of(|one| one.spectrum.alpha0), of(|one| one.spectrum.width));
        let (alpha_min, alpha_max) = curve.mean.range();
        if config.analysis.average == Average::Spectra {
            // The mean curve's α0 is the mean of the α0, since both are linear in τ; its width is not the mean width.
            width.mean = alpha_max - alpha_min;
        }
        let mut fate = Fate::default();
        for one in &repetitions {
            fate.add(one.fate);
        }
        Ok(Self {
            rejected,
            alpha0,
            width,
            asymmetry: asymmetry(alpha0.mean, alpha_min, alpha_max),
            curve,
            rms: of(|one| one.rms),
            scaling,
            fate,
            repetitions,
        })
    }
}

fn mean_curve(repetitions: &[Repetition]) -> MeanCurve {
    let q = repetitions
        .first()
        .map_or_else(Vec::new, |one| one.spectrum.curve.q.clone());
    let over = |value: fn(&Curve, usize) -> f64| -> Vec<Estimate> {
        let at = |place| {
            repetitions
                .iter()
                .map(|one| value(&one.spectrum.curve, place))
                .collect::<Vec<f64>>()
        };
        (0..q.len()).map(|place| Estimate::of(&at(place))).collect()
    };
    let (alpha, f) = (
        over(|curve, place| curve.alpha[place]),
        over(|curve, place| curve.f[place]),
    );
    let means = |estimates: &[Estimate]| estimates.iter().map(|estimate| estimate.mean).collect();
    let sds = |estimates: &[Estimate]| estimates.iter().map(|estimate| estimate.sd).collect();
    MeanCurve {
        alpha_sd: sds(&alpha),
        f_sd: sds(&f),
        mean: Curve {
            alpha: means(&alpha),
            f: means(&f),
            q,
        },
    }
}

/// The spectrum of sampled networks, one per repetition.
pub fn measure_samples(samples: &[Sample], config: &Config) -> Result<Measurement, EmergenceError> {
    config.check()?;
    let one = |(nth, sample): (usize, &Sample)| Repetition::of(nth, &Parts::of(sample, config), config);
    join(samples.par_iter().enumerate().map(one).collect(), config)
}

/// The same of samples that are made when they are measured, so that no more of them exist than there are threads.
pub(super) fn measure_made(
    count: usize,
    make: impl Fn(usize) -> Sample + Sync,
    config: &Config,
) -> Result<Measurement, EmergenceError> {
    let one = |nth: usize| Repetition::of(nth, &Parts::of(&make(nth), config), config);
    join((0..count).into_par_iter().map(one).collect(), config)
}

impl Repetition {
    pub(super) fn of(nth: usize, parts: &Parts, config: &Config) -> Result<Self, SpectrumError> {
        Ok(Self {
            nth,
            spectrum: parts.spectrum(config, |_, _| true)?,
            fate: parts.fate,
            rms: parts.rms,
        })
    }
}

/// Joins repetitions, in their order.
pub(super) fn join(
    all: Vec<Result<Repetition, SpectrumError>>,
    config: &Config,
) -> Result<Measurement, EmergenceError> {
    let mut repetitions = all.into_iter().collect::<Result<Vec<Repetition>, SpectrumError>>()?;
    let before = repetitions.len();
    repetitions.retain(|one| !one.spectrum.is_rejected(config.analysis.reject));
    let rejected = before - repetitions.len();
    Measurement::of(repetitions, rejected, config)
}

/// The spectrum of a model by the choices of `config`.
pub fn measure(weights: &dyn Weights, config: &Config) -> Result<Measurement, EmergenceError> {
    config.check()?;
    match config.scope {
        Scope::Full => {
            let parts = full::parts(weights, config)?;
            join(vec![Repetition::of(0, &parts, config)], config)
        }
        Scope::Sampled {
            size,
            repetitions,
            seed,
        } => {
            let plan = Plan::seeded(weights.shape(), size, repetitions, seed);
            measure_samples(&sample(weights, &plan, config)?, config)
        }
    }
}
