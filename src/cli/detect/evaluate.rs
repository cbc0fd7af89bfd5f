//! `widedeep detect evaluate`: how good a detector is, beside what it has to beat.

use std::path::{Path, PathBuf};

use widedeep::inside::hallucination::study::{self, Record};
use widedeep::inside::hallucination::{Detector, Features, figure, report};

use super::fit::{open, record_of, sorted};
use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, say};

/// Say how well a detector tells made-up answers from known ones, on questions that training has not seen
///
/// Beside the detector stand, each with 95 % intervals over questions: its H-units fitted anew, as many random units, all units, the answer's length, its
/// log-probability and entropy, how often it was given, these together, and these with the detector; a permutation test; and the same on answers matched in
/// length. With --other the detector is applied to other collections of the same model. With --out, evaluation.json, evaluation.csv, units.csv and figures
/// are written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect evaluate facts --detector detector.json
  widedeep detect evaluate facts --detector detector.json --other trivia --other web --out facts/evaluation")]
pub(crate) struct Arguments {
    /// Folder of `widedeep detect collect` that the detector was trained on
    collection: PathBuf,

    /// Detector, as `widedeep detect fit` writes it, with its record beside it
    #[arg(long, value_name = "FILE")]
    detector: PathBuf,

    /// Folder of another collection, for transfer; may be repeated
    #[arg(long, value_name = "FOLDER")]
    other: Vec<PathBuf>,

    /// Folder for tables and figures
    #[arg(long)]
    out: Option<PathBuf>,

    /// Print the evaluation as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let detector = Detector::read(&arguments.detector).map_err(input)?;
    let record = record(&record_of(&arguments.detector))?;
    let features = open(&arguments.collection)?;
    detector.admit_features(features.provenance()).map_err(input)?;
    let others: Vec<(String, Features)> = arguments
        .other
        .iter()
        .map(|path| {
            let name = path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            Ok((name, open(path)?))
        })
        .collect::<Result<_, Failure>>()?;
    let others: Vec<(&str, &Features)> = others
        .iter()
        .map(|(name, features)| (name.as_str(), features))
        .collect();
    let mut bar = Bar::new();
    let evaluation = study::evaluate(&features, &detector, &record, &others, &mut |event| {
        bar.show(event.stage.name(), event.done, event.of);
    });
    bar.finish();
    let evaluation = evaluation.map_err(sorted)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(failed)?;
        report::json(&folder.join("evaluation.json"), &evaluation).map_err(failed)?;
        report::csv(&folder.join("evaluation.csv"), &evaluation).map_err(failed)?;
        report::units_csv(&folder.join("units.csv"), &evaluation).map_err(failed)?;
        let mut figures = vec![(
            "reliability.svg".to_owned(),
            figure::reliability("Calibration on the test questions", &evaluation.reliability),
        )];
        for set in std::iter::once(&evaluation.test).chain(&evaluation.transfer) {
            figures.push((format!("roc-{}.svg", set.name), figure::roc(&set.name, set)));
        }
        for (name, figure) in figures {
            if let Some(svg) = figure {
                std::fs::write(folder.join(name), svg).map_err(failed)?;
            }
        }
        note(&format!("wrote tables and figures into {}", folder.display()));
    }
    if arguments.json {
        return say(&serde_json::to_string_pretty(&evaluation).map_err(failed)?);
    }
    say(report::text(&evaluation).trim_end())
}

/// The record of a detector, by its own path.
pub(super) fn record(path: &Path) -> Result<Record, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        input(anyhow::anyhow!(
            "failed to read `{}`, which says which questions the detector was trained on: {error}; `widedeep detect fit` writes it beside the detector",
            path.display()
        ))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        input(anyhow::anyhow!(
            "{}:{}: {error}; fit the detector again",
            path.display(),
            error.line()
        ))
    })
}
