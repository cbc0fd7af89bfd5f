//! `widedeep detect`: find the units that predict hallucination, and apply them.

mod collect;
mod evaluate;
mod fit;
mod intervene;
mod origin;
mod run;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use widedeep::fetch;
use widedeep::inside::hallucination::Detector;
use widedeep::inside::hallucination::rule::ModelId;
use widedeep::inside::hallucination::style::Style;
use widedeep::llama::{DownNorms, Model, ModelError, Weights};

use super::{Failure, failed, input};

/// Layers to put on a GPU: all of them where llama.cpp was built with one.
const ALL_LAYERS: u32 = 999;

/// Say how likely responses are made up, from the model's own activations
///
/// A few FFN units of a model (H-neurons, arXiv 2512.01797) work harder when it makes an answer up than when it knows it. `collect` lets a model answer
/// questions several times, keeps those that it gets right or wrong every time, and takes the units' activations over the answer's tokens; `fit` trains a
/// detector on them, `evaluate` says how good it is beside simple baselines, `run` applies it to any prompts and responses,
/// `intervene` scales its units and measures what that does, and `origin` asks whether tuning made them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep detect collect questions.jsonl --out facts
  widedeep detect fit facts --out facts/detector.json
  widedeep detect evaluate facts --detector facts/detector.json
  widedeep detect run responses.jsonl --detector facts/detector.json --out scores
  widedeep detect intervene facts.jsonl falseqa.csv --detector facts/detector.json --out sweep
  widedeep detect origin --base base.gguf --tuned instruct.gguf --detector facts/detector.json

A detector works with the very model file that it was made for, and with no other.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Described where their flags are: a comment here would replace the longer text there.
    Collect(Box<collect::Arguments>),
    Fit(fit::Arguments),
    Evaluate(evaluate::Arguments),
    Run(run::Arguments),
    Intervene(Box<intervene::Arguments>),
    Origin(origin::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Collect(arguments) => collect::run(arguments),
        Command::Fit(arguments) => fit::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Run(arguments) => run::run(arguments),
        Command::Intervene(arguments) => intervene::run(arguments),
        Command::Origin(arguments) => origin::run(arguments),
    }
}

/// A model file that has been looked at but not loaded.
pub(crate) struct Found {
    path: PathBuf,
    id: ModelId,
}

impl Found {
    /// The model that a detector reads: of this name or path, or of the name that the detector knows.
    pub(crate) fn of_detector(detector: &Detector, name: Option<&str>) -> Result<Self, Failure> {
        match name {
            Some(name) => Self::named(name),
            None => Self::named(&detector.model.name).map_err(|failure| match failure {
                Failure::Input(error) => Failure::Input(error.context(format!(
                    "the detector reads the model `{}`; name its file",
                    detector.model.name
                ))),
                other => other,
            }),
        }
    }

    /// The style of a detector's training, if the detector was made for this model file.
    pub(crate) fn admitted_by(&self, detector: &Detector) -> Result<Style, Failure> {
        detector.admit_model(self.id.sha256).map_err(input)?;
        Style::named(&detector.prompt).ok_or_else(|| {
            input(anyhow::anyhow!(
                "the detector was trained with the prompt style `{}`, which this version does not know",
                detector.prompt
            ))
        })
    }

    /// Column norms of its down-projections.
    pub(crate) fn norms(&self) -> Result<DownNorms, Failure> {
        Weights::open(&self.path)
            .and_then(|weights| weights.down_norms())
            .map_err(input)
    }

    /// The model of this name or path.
    fn named(name: &str) -> Result<Self, Failure> {
        let path = fetch::resolve_model(name).map_err(input)?;
        let id = ModelId::of(&path, name).map_err(input)?;
        Ok(Self { path, id })
    }

    pub(crate) fn load(&self) -> Result<Arc<Model>, Failure> {
        Model::load(&self.path, ALL_LAYERS).map_err(|error| match error {
            ModelError::Backend { .. } => failed(error),
            other => input(other),
        })
    }
}

/// A prompt style by its name.
fn style(text: &str) -> Result<Style, String> {
    Style::named(text).ok_or_else(|| "expected `few-shot`, `chat` or `verbatim`".to_owned())
}
