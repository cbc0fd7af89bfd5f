//! A series of checkpoints: E against a baseline, never without its controls (spec 7, 10 and 12).

use serde::Serialize;

use super::{
    companion::Companion,
    config::Config,
    control::{Surrogate, rescaled},
    degree::{Degree, Metrics, degree},
    error::EmergenceError,
    measurement::{Estimate, Measurement, measure_made, measure_samples},
    report::{at_one_scale, companions, control, on_grid, series_plan, smaller, unjudged},
    sample::{Sample, sample},
    sampler::SplitMix64,
    weights::Weights,
};

/// One checkpoint of a series.
#[derive(Clone, Copy)]
pub struct Checkpoint<'a> {
    /// What it is called in tables.
    pub label: &'a str,
    /// Where it stands in training: steps, or tokens.
    pub step: f64,
    /// Its weights.
    pub weights: &'a dyn Weights,
}

/// How a series is traced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceConfig {
    /// The choices of the analysis.
    pub config: Config,
    /// The place of the baseline among the checkpoints, from 0.
    pub baseline: usize,
    /// Permutations per repetition of the shuffled control; 5 or more in the spec.
    pub permutations: usize,
    /// Resamples of the interval of E.
    pub resamples: usize,
}

impl Default for TraceConfig {
    fn default() -> Self {
        Self {
            config: Config::default(),
            baseline: 0,
            permutations: 5,
            resamples: 2000,
        }
    }
}

/// E of a checkpoint, with what it takes to judge it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Emergence {
    /// From means over repetitions.
    pub degree: Degree,
    /// Per repetition, against the same repetition of the baseline: mean, deviation and error.
    pub by_repetition: Estimate,
    /// The middle 95 % of E over resampled repetitions.
    pub interval: (f64, f64),
}

/// The controls of a checkpoint's E. Each is `None` where it has no spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Controls {
    /// E of networks whose weights are shuffled within each matrix, at the checkpoint and at the baseline.
    pub shuffled: Option<f64>,
    /// E less that: the part that lies in which node has which weights.
    pub excess: Option<f64>,
    /// E of the baseline's weights times the growth of their root mean square: growth alone.
    pub growth: Option<f64>,
    /// E of weights brought to one root mean square.
    pub one_scale: Option<f64>,
    /// E over the fixed grid of radii.
    pub grid: Option<f64>,
    /// E over the fixed grid, at one root mean square.
    pub grid_one_scale: Option<f64>,
    /// The checkpoint against Gaussian weights of its own scale per matrix (`E_surrogate`).
    pub against_gaussian: Option<f64>,
}

/// One checkpoint of a traced series.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its label.
    pub label: String,
    /// Its step.
    pub step: f64,
    /// Its spectrum; `None` where it was refused.
    pub measurement: Option<Measurement>,
    /// Why it was refused.
    pub refused: Option<String>,
    /// Its E; `None` where it was refused.
    pub emergence: Option<Emergence>,
    /// What stands beside it.
    pub controls: Controls,
    /// The root mean square of its sampled weights, over repetitions.
    pub rms: Estimate,
    /// Plain statistics of the first repetition's matrices.
    pub companions: Vec<Companion>,
}

/// A traced series.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    /// How it was traced.
    pub config: TraceConfig,
    /// The architecture's name.
    pub architecture: String,
    /// Nodes per group that were drawn; fewer than asked for where the model is small.
    pub size: usize,
    /// The checkpoints, in the order given.
    pub rows: Vec<Row>,
    /// What a reader should know: a baseline that is not step 0, a smaller sample.
    pub warnings: Vec<String>,
}

impl Trace {
    /// Below it, a change of E cannot be told from chance: three times the greatest deviation between repetitions.
    pub fn noise_floor(&self) -> Option<f64> {
        let deviations = self
            .rows
            .iter()
            .filter_map(|row| row.emergence)
            .map(|e| e.by_repetition.sd);
        deviations.max_by(f64::total_cmp).map(|sd| 3.0 * sd)
    }
}

/// What a checkpoint is compared by, in every mode.
struct Views {
    main: Result<Measurement, EmergenceError>,
    shuffled: Option<Metrics>,
    gaussian: Option<Metrics>,
    one_scale: Option<Metrics>,
    grid: Option<Metrics>,
    grid_one_scale: Option<Metrics>,
}

impl Views {
    fn of(samples: &[Sample], trace: &TraceConfig) -> Self {
        let config = &trace.config;
        let metrics = |measured: Result<Measurement, EmergenceError>| Some(measured.ok()?.metrics());
        let otherwise = |config: &Config| metrics(measure_samples(samples, config));
        let bare = unjudged(config);
        Self {
            main: measure_samples(samples, config),
            shuffled: metrics(control(samples, Surrogate::Shuffled, trace.permutations, &bare)),
            gaussian: metrics(control(samples, Surrogate::Gaussian, 1, &bare)),
            // These are the same quantity made otherwise, so they have to scale too.
            one_scale: otherwise(&at_one_scale(config)),
            grid: otherwise(&on_grid(config)),
            grid_one_scale: otherwise(&on_grid(&at_one_scale(config))),
        }
    }
}

/// Traces a series of checkpoints of one model.
///
/// # Errors
/// Where the baseline has no spectrum, checkpoints differ in shape or storage, or weights cannot be read. A later checkpoint whose masses do not scale is
/// no error: its row says why it has no E.
pub fn trace(checkpoints: &[Checkpoint<'_>], config: &TraceConfig) -> Result<Trace, EmergenceError> {
    trace_watched(checkpoints, config, &mut |_| {})
}

/// [`trace`], which hands over every row as soon as it is there.
pub fn trace_watched(
    checkpoints: &[Checkpoint<'_>],
    config: &TraceConfig,
    watch: &mut dyn FnMut(&Row),
) -> Result<Trace, EmergenceError> {
    config.config.check()?;
    let missing = EmergenceError::NoBaseline {
        baseline: config.baseline,
        checkpoints: checkpoints.len(),
    };
    let baseline = checkpoints.get(config.baseline).ok_or(missing)?;
    let shape = baseline.weights.shape();
    for checkpoint in checkpoints {
        if let Some(difference) = shape.difference(checkpoint.weights.shape()) {
            let (label, baseline) = (checkpoint.label.to_owned(), baseline.label.to_owned());
            return Err(EmergenceError::InconsistentSeries {
                label,
                baseline,
                difference,
            });
        }
    }
    let plan = series_plan(shape, &config.config)?;
    let samples = sample(baseline.weights, &plan, &config.config)?;
    let base = Baseline::of(baseline, samples, config)?;
    let mut rows = Vec::with_capacity(checkpoints.len());
    for (place, checkpoint) in checkpoints.iter().enumerate() {
        let row = if place == config.baseline {
            base.row(checkpoint, &base.samples, config)
        } else {
            base.row(checkpoint, &sample(checkpoint.weights, &plan, &config.config)?, config)
        };
        watch(&row);
        rows.push(row);
    }
    let mut warnings = Vec::new();
    if baseline.step != 0.0 {
        warnings.push(format!(
            "the baseline is step {}, not 0: this is E relative to it",
            baseline.step
        ));
    }
    warnings.extend(smaller(plan.size, plan.asked));
    let (config, architecture) = (config.clone(), shape.architecture().to_owned());
    Ok(Trace {
        config,
        architecture,
        size: plan.size,
        rows,
        warnings,
    })
}

struct Baseline {
    samples: Vec<Sample>,
    measurement: Measurement,
    views: Views,
}

impl Baseline {
    fn of(checkpoint: &Checkpoint<'_>, samples: Vec<Sample>, config: &TraceConfig) -> Result<Self, EmergenceError> {
        let views = Views::of(&samples, config);
        let failed = |cause| EmergenceError::Baseline {
            label: checkpoint.label.to_owned(),
            cause: Box::new(cause),
        };
        let measurement = match &views.main {
            Ok(measurement) => measurement.clone(),
            Err(_) => measure_samples(&samples, &config.config).map_err(failed)?,
        };
        // A baseline of one point, or without a positive α0, is no baseline for any checkpoint.
        degree(measurement.metrics(), measurement.metrics()).map_err(|error| failed(error.into()))?;
        Ok(Self {
            samples,
            measurement,
            views,
        })
    }

    fn row(&self, checkpoint: &Checkpoint<'_>, samples: &[Sample], config: &TraceConfig) -> Row {
        let views = Views::of(samples, config);
        let rms: Vec<f64> = samples.iter().map(Sample::rms).collect();
        let (measurement, refused) = match views.main {
            Ok(ref measurement) => (Some(measurement.clone()), None),
            Err(ref error) => (None, Some(error.to_string())),
        };
        let emergence = measurement
            .as_ref()
            .and_then(|at| emergence(&self.measurement, at, config.resamples));
        let between = |base: Option<Metrics>, at: Option<Metrics>| Some(degree(base?, at?).ok()?.e);
        let own = measurement.as_ref().map(Measurement::metrics);
        let shuffled = between(self.views.shuffled, views.shuffled);
        let controls = Controls {
            shuffled,
            excess: emergence.zip(shuffled).map(|(own, shuffled)| own.degree.e - shuffled),
            growth: between(Some(self.measurement.metrics()), self.grown(&rms, config)),
            one_scale: between(self.views.one_scale, views.one_scale),
            grid: between(self.views.grid, views.grid),
            grid_one_scale: between(self.views.grid_one_scale, views.grid_one_scale),
            against_gaussian: between(views.gaussian, own),
        };
        Row {
            label: checkpoint.label.to_owned(),
            step: checkpoint.step,
            measurement,
            refused,
            emergence,
            controls,
            rms: Estimate::of(&rms),
            companions: samples.first().map_or_else(Vec::new, companions),
        }
    }

    /// The baseline's weights, grown to these root mean squares.
    fn grown(&self, rms: &[f64], config: &TraceConfig) -> Option<Metrics> {
        let grown = |nth: usize| {
            let sample = &self.samples[nth];
            rescaled(sample, rms[nth] / sample.rms())
        };
        let config = unjudged(&config.config);
        Some(measure_made(rms.len(), grown, &config).ok()?.metrics())
    }
}

/// E with its spread over repetitions; `None` where α0 is not positive.
pub fn emergence(baseline: &Measurement, at: &Measurement, resamples: usize) -> Option<Emergence> {
    let own = |measurement: &Measurement, nth: usize| {
        let one = measurement.repetitions.iter().find(|one| one.nth == nth)?;
        Some(Metrics {
            alpha0: one.spectrum.alpha0,
            width: one.spectrum.width,
        })
    };
    // Rejected repetitions have no partner.
    let pairs: Vec<(Metrics, Metrics)> = baseline
        .repetitions
        .iter()
        .filter_map(|one| Some((own(baseline, one.nth)?, own(at, one.nth)?)))
        .collect();
    let each: Vec<f64> = pairs
        .iter()
        .filter_map(|(base, at)| Some(degree(*base, *at).ok()?.e))
        .collect();
    Some(Emergence {
        degree: degree(baseline.metrics(), at.metrics()).ok()?,
        by_repetition: Estimate::of(&each),
        interval: interval(&pairs, resamples),
    })
}

/// The middle 95 % of E over resampled pairs of repetitions.
fn interval(pairs: &[(Metrics, Metrics)], resamples: usize) -> (f64, f64) {
    let mut sampler = SplitMix64::new(resamples as u64);
    let mut drawn: Vec<f64> = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let mut sums = [0.0; 4];
        for _ in pairs {
            let (base, at) = pairs[sampler.below(pairs.len())];
            let values = [base.alpha0, base.width, at.alpha0, at.width];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        let mean = |alpha0: f64, width: f64| Metrics {
            alpha0: alpha0 / pairs.len() as f64,
            width: width / pairs.len() as f64,
        };
        drawn.extend(
            degree(mean(sums[0], sums[1]), mean(sums[2], sums[3]))
                .ok()
                .map(|degree| degree.e),
        );
    }
    drawn.sort_unstable_by(f64::total_cmp);
    let last = drawn.len().saturating_sub(1);
    // 2.5 % are a fortieth of the draws.
    let at = |place: usize| drawn.get(place).copied().unwrap_or(f64::NAN);
    (at(last / 40), at(last - last / 40))
}
