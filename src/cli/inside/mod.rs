//! `widedeep inside`: analyses of the model itself.

mod language;

use clap::Subcommand;

use super::Failure;

/// Look inside a model: which units serve which languages
///
/// A unit is a neuron of the model's feed-forward layers: a layer and an index in it. What is measured comes from the activations and weights of a local
/// model, a GGUF file.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    analysis: Analysis,
}

#[derive(Debug, Subcommand)]
enum Analysis {
    Language(Box<language::Arguments>),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.analysis {
        Analysis::Language(arguments) => language::run(arguments),
    }
}
