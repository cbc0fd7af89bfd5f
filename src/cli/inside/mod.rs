//! `widedeep inside`: what is inside a model, from its weights and activations.

mod emergence;

use clap::Subcommand;

use super::Failure;

/// Look inside a model: analyses of its weights and activations
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    analysis: Analysis,
}

#[derive(Debug, Subcommand)]
enum Analysis {
    // Described where their flags are.
    Emergence(emergence::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.analysis {
        Analysis::Emergence(arguments) => emergence::run(arguments),
    }
}
