//! `widedeep inside emergence spectrum`.

use std::path::PathBuf;

use widedeep::inside::emergence::{Origin, report, write_report};

use super::{choices::Choices, model, told};
use crate::cli::{Failure, failed, input, note, say};

/// The multifractal spectrum of one model's weights, with its groups, blocks and controls
///
/// MODEL is a model that has been pulled, a GGUF file (the first of several), a safetensors file, or a folder of them with their `config.json`. Rows
/// are read and dequantised as they are needed. A spectrum is refused where masses do not scale as a power of the radius. A single model has no E:
/// α0 and width stand beside those of networks with the same weights in other places, and with Gaussian weights of the same scale.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside emergence spectrum gemma3-270m --out gemma-spectrum
  widedeep inside emergence spectrum smollm2-135m --mode fixed-grid-rms
  widedeep inside emergence spectrum ./checkpoint --scope full --nodes 32")]
pub(crate) struct Arguments {
    /// Name or path of the model
    model: String,

    /// Folder for spectrum.csv, parts.csv, surrogates.csv, companions.csv, spectrum.json and figures
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    choices: Choices,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = arguments.choices.config()?;
    model::threads(arguments.choices.threads)?;
    let opened = model::opened(&model::place(&arguments.model)?)?;
    note(&told::reading(opened.weights.shape()));
    let report = report(opened.weights.as_ref(), &config).map_err(model::sorted)?;
    for warning in report.warnings() {
        note(&format!("warning: {warning}"));
    }
    if let Some(folder) = &arguments.out {
        let files = opened.files.iter().map(PathBuf::as_path);
        let origin = Origin::of(&arguments.model, files).map_err(input)?;
        let written = write_report(&report, &origin, folder).map_err(failed)?;
        note(&told::written(&written));
    }
    say(&told::report(&arguments.model, &report))
}
