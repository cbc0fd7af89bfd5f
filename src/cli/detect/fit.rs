//! `widedeep detect fit`: a detector from collected features.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use widedeep::inside::hallucination::collect::FEATURES;
use widedeep::inside::hallucination::logistic::Penalty;
use widedeep::inside::hallucination::report;
use widedeep::inside::hallucination::study::{self, Choice, Plan, Record, StudyError};
use widedeep::inside::hallucination::{Detector, Features, Mode};
use widedeep::inside::language::files;

use crate::cli::bar::Bar;
use crate::cli::{Failure, failed, input, note, say};

/// Train a detector on collected features
///
/// Questions are divided for training, for choosing threshold and calibration, and for testing; all answers about one question or entity stay on one side. A
/// logistic regression with an L1 penalty finds few units (H-neurons), one with L2 weighs all of them and detects better; its strength C is chosen by
/// cross-validation over the training questions. The detector is one JSON file. What it was made from stands beside it in FILE.record.json, which `evaluate` reads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect fit facts --out detector.json
  widedeep detect fit facts --mode 1-vs-1 --penalty l2 --out dense.json
  widedeep detect fit facts --h-units 0.35 --out sparse.json        # few enough to intervene on")]
pub(crate) struct Arguments {
    /// Folder of `widedeep detect collect`
    collection: PathBuf,

    /// Detector file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What wrong answers are told from: right answers (`1-vs-1`), or these and all other tokens (`3-vs-1`, as published)
    #[arg(long, default_value = "3-vs-1", value_parser = mode)]
    mode: Mode,

    /// Penalty of the regression: `l1` for few units, `l2` for all of them
    #[arg(long, default_value = "l1", value_parser = penalty)]
    penalty: Penalty,

    /// Take this strength C instead of choosing it by cross-validation; 1 as published
    #[arg(long, conflicts_with = "h_units")]
    c: Option<f64>,

    /// Take the largest C that gives at most so many per mille of all units a positive weight, instead of the C that detects best
    #[arg(long, value_name = "PER MILLE")]
    h_units: Option<f64>,

    /// Folds of the cross-validation
    #[arg(long, default_value = "5", value_name = "N")]
    folds: usize,

    /// Seed of the division and of everything else
    #[arg(long, default_value = "42")]
    seed: u64,

    /// Resamples of the intervals that `evaluate` will give
    #[arg(long, default_value = "2000", value_name = "N", help_heading = "Evaluation")]
    resamples: NonZeroU32,

    /// Shufflings of the permutation test of `evaluate`; 0 for none
    #[arg(long, default_value = "200", value_name = "N", help_heading = "Evaluation")]
    permutations: usize,

    /// Draws of as many random units in `evaluate`; 0 for none
    #[arg(long, default_value = "50", value_name = "N", help_heading = "Evaluation")]
    random_draws: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let features = open(&arguments.collection)?;
    let mut plan = Plan {
        mode: arguments.mode,
        penalty: arguments.penalty,
        choice: match (arguments.c, arguments.h_units) {
            (Some(c), _) => Choice::Fixed(c),
            (None, Some(per_mille)) => Choice::Sparse { per_mille },
            (None, None) => Choice::BestAuroc,
        },
        folds: arguments.folds,
        resamples: arguments.resamples,
        permutations: arguments.permutations,
        random_draws: arguments.random_draws,
        ..Plan::default()
    };
    plan.split.seed = arguments.seed;
    let mut bar = Bar::new();
    let fitted = study::fit(&features, &plan, &mut |event| {
        bar.show(event.stage.name(), event.done, event.of);
    });
    bar.finish();
    let (detector, record) = fitted.map_err(sorted)?;
    detector.write(&arguments.out).map_err(failed)?;
    files::json(&record_of(&arguments.out), &record).map_err(failed)?;
    note(&format!(
        "wrote {}, {}",
        arguments.out.display(),
        record_of(&arguments.out).display()
    ));
    say(&told(&detector, &record))
}

fn told(detector: &Detector, record: &Record) -> String {
    let training = &detector.training;
    format!(
        "{}\n\n{} units with a weight, {} of them positive (H-units), of {}\ntrained {} on {} right and {} wrong answers; threshold and calibration from {}; {} kept for testing\n\
         AUROC in cross-validation {:.3}",
        report::path_text(record).trim_end(),
        detector.units.len(),
        detector.h_units().len(),
        detector.shape.units(),
        training.mode,
        training.faithful,
        training.hallucinated,
        training.validation,
        training.test,
        training.cross_validated_auroc
    )
}

/// The features of a collection.
pub(super) fn open(collection: &Path) -> Result<Features, Failure> {
    let features = collection.join(FEATURES);
    if !features.with_extension("npy").exists() {
        return Err(input(anyhow::anyhow!(
            "`{}` holds no features: `widedeep detect collect … --out {}` takes them",
            collection.display(),
            collection.display()
        )));
    }
    Features::open(&features).map_err(input)
}

/// Where the record of a detector is.
pub(super) fn record_of(detector: &Path) -> PathBuf {
    detector.with_extension("record.json")
}

/// Tells data that are at fault from work that failed.
pub(super) fn sorted(error: StudyError) -> Failure {
    match error {
        StudyError::Fit(_) => failed(error),
        other => input(other),
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "1-vs-1" => Ok(Mode::OneVsOne),
        "3-vs-1" => Ok(Mode::ThreeVsOne),
        _ => Err("expected `1-vs-1` or `3-vs-1`".to_owned()),
    }
}

fn penalty(text: &str) -> Result<Penalty, String> {
    match text {
        "l1" => Ok(Penalty::L1),
        "l2" => Ok(Penalty::L2),
        _ => Err("expected `l1` or `l2`".to_owned()),
    }
}
