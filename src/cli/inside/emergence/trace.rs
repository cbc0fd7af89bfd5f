//! `widedeep inside emergence trace`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use widedeep::inside::emergence::{
    Checkpoint, Named, Opened, Origin, TraceConfig, place_of, read_beside, series, trace_watched, write_trace,
};

use super::{choices::Choices, model, told};
use crate::cli::{Failure, failed, input, note, say};

/// Spectra over a series of checkpoints, and the degree of emergence E against the first
///
/// Checkpoints are GGUF files or safetensors checkpoints of one model in training order, written `STEP=PATH`, or with names that tell their step. All
/// are looked at through the same sampled nodes. E rises with mere growth of weights and in models that learn nothing. Beside every E stand therefore
/// that of shuffled weights, what exceeds it, that of growth alone, and that at one scale of weights; compare the excess, not E.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside emergence trace series/step-* --beside series/loss.csv --out series-trace
  widedeep inside emergence trace 0=init.gguf 1000=early.gguf 143000=final.gguf --nodes 32")]
pub(crate) struct Arguments {
    /// Checkpoints in training order
    #[arg(required = true, value_name = "CKPT")]
    checkpoints: Vec<String>,

    /// Compare with the checkpoint of this step [default: the first]
    #[arg(long, value_name = "STEP")]
    baseline: Option<f64>,

    /// CSV with a column `step` and measures to set beside E, such as a loss; may be repeated
    #[arg(long, value_name = "CSV")]
    beside: Vec<PathBuf>,

    /// Permutations per repetition of the shuffled control
    #[arg(long, default_value = "5", value_name = "N")]
    permutations: NonZeroUsize,

    /// Resamples for the interval of E
    #[arg(long, default_value = "2000", value_name = "N")]
    resamples: NonZeroUsize,

    /// Folder for trace.csv, spectra.csv, companions.csv, trace.json and figures
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    choices: Choices,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let named = series(&arguments.checkpoints).map_err(input)?;
    let config = TraceConfig {
        config: arguments.choices.config()?,
        baseline: match arguments.baseline {
            Some(step) => place_of(step, &named).map_err(input)?,
            None => 0,
        },
        permutations: arguments.permutations.get(),
        resamples: arguments.resamples.get(),
    };
    let mut measures = Vec::new();
    for path in &arguments.beside {
        measures.extend(read_beside(path).map_err(input)?);
    }
    model::threads(arguments.choices.threads)?;
    let mut opened: Vec<Opened> = Vec::with_capacity(named.len());
    for one in &named {
        opened.push(model::opened(&model::place(&one.path.to_string_lossy())?)?);
    }
    let checkpoints: Vec<Checkpoint<'_>> = named
        .iter()
        .zip(&opened)
        .map(|(named, opened)| Checkpoint {
            label: &named.label,
            step: named.step,
            weights: opened.weights.as_ref(),
        })
        .collect();
    note(&told::reading(opened[0].weights.shape()));
    let (mut done, total) = (0, checkpoints.len());
    let trace = trace_watched(&checkpoints, &config, &mut |row| {
        done += 1;
        note(&told::row_done(row, done, total));
    });
    let trace = trace.map_err(model::sorted)?;
    for warning in &trace.warnings {
        note(&format!("warning: {warning}"));
    }
    if let Some(folder) = &arguments.out {
        let origins = named.iter().zip(&opened).map(|(named, opened): (&Named, &Opened)| {
            Origin::of(&named.label, opened.files.iter().map(PathBuf::as_path))
        });
        let origins = origins.collect::<Result<Vec<Origin>, _>>().map_err(input)?;
        let written = write_trace(&trace, &measures, &origins, folder).map_err(failed)?;
        note(&told::written(&written));
    }
    say(&told::trace(&trace, &measures))
}
